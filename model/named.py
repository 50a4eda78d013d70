"""What is named in a text: its kind, its range in the clean text, and a value where one can be read."""

from dataclasses import dataclass, field
from typing import Any

from model.text import Span


class Value(dict[str, Any]):
    """A value that can be kept in a set, so that one entity found twice is given once."""

    # A dict has no hash of its own.
    def __hash__(self) -> int:  # type: ignore[override]  # noqa: D105
        return hash(tuple(sorted((name, str(value)) for name, value in self.items())))


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named in a text: kind of the contract, range in the clean text, and a value where one can be read."""

    kind: str
    span: Span
    value: dict[str, Any] | None = field(default=None)
