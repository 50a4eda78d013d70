"""Which artefact serves, and which served before it: `current` names the one, `history.jsonl` beside it remembers the others.

Each line of the history is `{"at", "verb", "name"}`: `promote` and `rollback` are ours, `found` is a model that something
else (a training, a hand) had put in place. The pointer is the truth; the history only says where to go back to.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from model.errors import ArtefactError
from model.signing import Trust
from model.store import current_name, load_artefact, set_current

HISTORY: Final = "history.jsonl"
_BACK: Final = "rollback"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the model that serves: when (UTC, ISO 8601), by what verb, and the model that serves since."""

    at: str
    verb: str
    name: str


def promote(root: Path, name: str, trust: Trust | None = None) -> str | None:
    """Make the artefact `name` the one that serves, once it has been verified and loaded; returns the one before, if any.

    `trust`: as for `model.store.load_artefact`.

    Raises:
        ArtefactError: the artefact is missing or cannot be trusted; nothing has changed.
    """
    load_artefact(root, name, trust)
    with _held(root):
        before = _noted(root)
        if before != name:
            _move(root, "promote", name)
    return before


def rollback(root: Path, trust: Trust | None = None) -> tuple[str, str]:
    """Go back to the model that served before; returns the one that is left and the one that serves again.

    Raises:
        ArtefactError: none is known to have served before, or it cannot be loaded any more; nothing has changed.
    """
    with _held(root):
        left = _noted(root)
        known = _stack(history(root))
        if left is None or len(known) < 2:
            raise ArtefactError(f"Aucun modèle à reprendre : {HISTORY} n'en nomme pas d'autre dans {root}.")
        load_artefact(root, known[-2], trust)
        _move(root, _BACK, known[-2])
    return left, known[-2]


def history(root: Path) -> list[Change]:
    """The changes known, oldest first; a line that cannot be read is passed over, as the pointer alone decides."""
    try:
        lines = (root / HISTORY).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Change(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _stack(changes: list[Change]) -> list[str]:
    """The models that served one on top of the other, the present one last; going back takes the last one away."""
    names: list[str] = []
    for change in changes:
        if change.verb == _BACK and change.name in names:
            while names[-1] != change.name:
                names.pop()
        elif not names or names[-1] != change.name:
            names.append(change.name)
    return names


def _noted(root: Path) -> str | None:
    """The model that serves, after a line for it if something else than this module put it there."""
    try:
        serving = current_name(root)
    except ArtefactError:
        return None
    known = _stack(history(root))
    if not known or known[-1] != serving:
        _write(root, "found", serving)
    return serving


def _move(root: Path, verb: str, name: str) -> None:
    # The pointer first: if all stops here, the next change finds this model in place and notes it.
    set_current(root, name)
    _write(root, verb, name)


def _write(root: Path, verb: str, name: str) -> None:
    changes = [*history(root), Change(datetime.now(UTC).isoformat(timespec="seconds"), verb, name)]
    temporary = root / f".{HISTORY}.tmp-{os.getpid()}"
    with temporary.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(asdict(change), ensure_ascii=False) + "\n" for change in changes)
        lines.flush()
        os.fsync(lines.fileno())
    temporary.replace(root / HISTORY)


@contextmanager
def _held(root: Path) -> Iterator[None]:
    """The folder of the artefacts, for one change at a time."""
    try:
        descriptor = os.open(root, os.O_RDONLY)
    except OSError as error:
        raise ArtefactError(f"Dossier des modèles {root} illisible ({error.strerror}).") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
