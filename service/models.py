"""The model that serves, and its replacement while requests run, when another one is promoted.

The pointer `current` is looked at every second or so. A new model is verified, loaded and tried in a thread, then takes
the place of the old one at once; a request keeps the model that it began with. A model that cannot be loaded leaves the
old one in place, and is tried again when it changes, or after half a minute.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anyio import to_thread

from model.analyser import Analyser
from model.errors import ArtefactError, VigieError
from model.signing import Keys
from model.store import MANIFEST, SIGNATURE, current_name
from service.metrics import Metrics
from service.samples import SAMPLES
from service.settings import shared_folder

_LOG: Final = logging.getLogger("vigie")
_RETRY_SECONDS: Final = 30.0
#: In the folder that the processes of a service share: the last model that one of them could load.
_GOOD: Final = "served"


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one model from another without reading it: its name, then place, size and date on disk of what vouches for it.

    That is its manifest, its signature and the file of trusted keys: a key that is revoked is noticed too.
    """

    name: str
    stamps: tuple[tuple[int, int, int] | None, ...]

    @classmethod
    def of(cls, root: Path, name: str, keys: Keys) -> "Mark":
        """The mark of the model of that name; a file that is not there has no stamp."""
        return cls(name, tuple(map(_stamp, (root / name / MANIFEST, root / name / SIGNATURE, keys.trusted))))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class Models:
    """Holds the analyser that serves; `problem` says in French why the one that was promoted does not, if so."""

    def __init__(self, root: Path, metrics: Metrics, keys: Keys) -> None:
        """Load the model that serves, if a trusted key signed it.

        A process that replaces a dead one, after a model that cannot be loaded was promoted, takes the one that the others
        serve.

        Raises:
            ArtefactError: no model can be loaded.
        """
        self._root = root
        self._keys = keys
        self._metrics = metrics
        self._failed: tuple[Mark, float] | None = None
        self.problem: str | None = None
        name = current_name(root)
        self._mark = Mark.of(root, name, keys)
        try:
            self._analyser = _tried(root, name, keys)
        except VigieError as error:
            other = _last_good()
            if other is None or other == name:
                raise
            self._analyser = _tried(root, other, keys)
            self._fail(self._mark, error, self._analyser)
            self._mark = Mark.of(root, other, keys)
        self._count(None, self._analyser)

    @property
    def current(self) -> Analyser:
        """The analyser that serves now; a request takes it once and keeps it."""
        return self._analyser

    async def watch(self, seconds: float) -> None:
        """Look at the pointer every so many seconds, for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except Exception as error:
                # Whatever happens here, the model in place goes on serving, and so does this watch.
                _LOG.error("Changement de modèle impossible (%s).", type(error).__name__)

    async def refresh(self) -> None:
        """Serve the model that is promoted, if it is another one and can be loaded."""
        try:
            mark = await to_thread.run_sync(self._promoted)
        except ArtefactError as error:
            self.problem = f"{error} Le modèle {self._analyser.artefact.version} sert toujours."
            return
        if mark == self._mark:
            self.problem, self._failed = None, None
            return
        if self._failed and self._failed[0] == mark and time.monotonic() - self._failed[1] < _RETRY_SECONDS:
            return
        try:
            found = await to_thread.run_sync(_tried, self._root, mark.name, self._keys)
        except Exception as error:
            self._fail(mark, error, self._analyser)
            self._metrics.swaps.labels("failed").inc()
            return
        before, self._analyser = self._analyser, found
        self._mark, self._failed, self.problem = mark, None, None
        self._count(before, found)
        self._metrics.swaps.labels("done").inc()
        _LOG.info("Le modèle %s sert, en place de %s.", found.artefact.version, before.artefact.version)

    def _promoted(self) -> Mark:
        return Mark.of(self._root, current_name(self._root), self._keys)

    def _fail(self, mark: Mark, error: Exception, serving: Analyser) -> None:
        reason = str(error) if isinstance(error, VigieError) else f"Modèle {mark.name} inutilisable ({type(error).__name__})."
        told = self._failed is not None and self._failed[0] == mark
        self._failed = (mark, time.monotonic())
        self.problem = f"{reason} Le modèle {serving.artefact.version} sert toujours."
        if not told:
            _LOG.error(self.problem)

    def _count(self, before: Analyser | None, now: Analyser) -> None:
        if before is not None:
            self._metrics.loaded.labels(before.artefact.version).set(0)
        self._metrics.loaded.labels(now.artefact.version).set(1)
        folder = shared_folder()
        if folder is not None:
            temporary = folder / f"{_GOOD}.{id(self)}"
            temporary.write_text(now.artefact.folder.name, encoding="utf-8")
            temporary.replace(folder / _GOOD)


def _tried(root: Path, name: str, keys: Keys) -> Analyser:
    """The analyser of a model that has answered once: what it loads late is loaded."""
    found = Analyser.load(root, name, keys.trust())
    found.warm_up()
    found.predict(SAMPLES[0].text)
    return found


def _last_good() -> str | None:
    folder = shared_folder()
    try:
        return (folder / _GOOD).read_text(encoding="utf-8") if folder else None
    except OSError:
        return None
