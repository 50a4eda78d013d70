"""The examination whole, in the order in which people read it: settings first, what needs the most time last."""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from service.doctor.artefact import look_at_model
from service.doctor.contents import look_at_backups, look_at_contents
from service.doctor.database import file_of, look_at_database
from service.doctor.findings import Finding
from service.doctor.keys import look_at_keys
from service.doctor.machine import look_at_documents, look_at_folders, look_at_memory, look_at_time, memory_of
from service.doctor.naming import look_at_file, look_at_names
from service.doctor.reach import answers, look_at_exposure, look_at_port
from service.settings import Settings


def examine_names(given: Collection[str], file: Path | None) -> Iterator[Finding]:
    """What can be said even where the settings cannot be read: the names of the environment's variables, and of a file's."""
    yield from look_at_names(given)
    if file is not None:
        yield from look_at_file(file, given)


def examine(settings: Settings, at: datetime, shelf: Path | None = None) -> Iterator[Finding]:
    """Everything else, one finding as soon as it is known; `at` is the present instant, `shelf` the folder of the backups."""
    yield from look_at_exposure(settings)
    yield from look_at_keys(settings)
    running = answers(settings)
    yield from look_at_port(settings, running)
    yield from look_at_memory(settings, memory_of(), running)
    yield from look_at_folders(settings, file_of(settings))
    yield from look_at_time(at)
    yield from look_at_database(settings, at, partial(look_at_contents, settings=settings, at=at))
    if shelf is not None:
        yield from look_at_backups(shelf, at)
    yield from look_at_documents(at)
    yield from look_at_model(settings)
