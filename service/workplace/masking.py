"""Hiding personal data from who asked for it: whole texts, by what the model found in them, and what people write.

Everything keeps its length, so that offsets in a hidden text are those of the text.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from service.privacy.personal import personal_with
from service.workplace.people import Person
from service.workplace.private import MASK, reached
from service.workplace.schema import ITEMS, PREDICTIONS

_SHORTEST: Final = 3


def hide(value: str | None, masked: bool, known: Collection[str] = ()) -> str:
    """What somebody wrote, without how to reach people nor the personal data `known` of the text that it is about."""
    if not value or not masked:
        return value or ""
    hidden = hide_spans(value, reached(value))
    words = sorted({word for word in known if len(word.strip()) >= _SHORTEST}, key=len, reverse=True)
    if words:
        hidden = re.sub("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), _blank, hidden, flags=re.IGNORECASE)
    return hidden


def _blank(found: re.Match[str]) -> str:
    return MASK * len(found.group())


def hide_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """A text, or its beginning, whose parts at these places (code points) are hidden."""
    for start, end in spans:
        last = min(end, len(text))
        if start < last:
            text = text[:start] + MASK * (last - start) + text[last:]
    return text


@dataclass(frozen=True, slots=True)
class _Told:
    """The entities of a prediction; `full`: names were looked for."""

    entities: tuple[tuple[str, int, int], ...] = ()
    full: bool = False


def _told(connection: Connection, item_ids: Collection[str]) -> dict[str, _Told]:
    """What the newest predictions found in texts; a text that no model read is not in it."""
    query = (
        select(PREDICTIONS.c.item_id, PREDICTIONS.c.prediction)
        .join(ITEMS, (ITEMS.c.id == PREDICTIONS.c.item_id) & (ITEMS.c.model_version == PREDICTIONS.c.model_version))
        .where(PREDICTIONS.c.item_id.in_(item_ids))
    )
    return {
        id: _Told(
            tuple((one["kind"], one["start"], one["end"]) for one in said.get("entities", ())),
            full=said.get("status") == "ok" and said.get("analysis", "full") == "full",
        )
        for id, said in connection.execute(query)
    }


def hidden_texts(connection: Connection, texts: Mapping[str, str], person: Person) -> dict[str, str]:
    """Texts, or their beginnings, by the identifier of their item, as this person is to see them."""
    if not person.masks:
        return dict(texts)
    said = _told(connection, list(texts))
    return {id: _hidden(text, said.get(id, _Told())) for id, text in texts.items()}


def _hidden(text: str, told: _Told) -> str:
    return hide_spans(text, ((one.start, one.end) for one in personal_with(text, told.entities, full=told.full)))


def hidden_text(connection: Connection, item_id: str, text: str, person: Person) -> str:
    """One text as this person is to see it."""
    return hidden_texts(connection, {item_id: text}, person)[item_id]
