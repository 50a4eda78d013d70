"""How the tables came to be what they are: numbered steps, run by the service itself when it opens a database."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, column, func, inspect, select, table

from model.errors import VigieError

#: Where there is no table yet.
NOTHING: Final = "base"
#: The step that made what existed before steps were counted.
_BEFORE: Final = "0001"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a way down loses: the step that made it, what it is, in French, and how many there are."""

    step: str
    what: str
    count: int


def configuration(connection: Connection | None) -> Config:
    """What Alembic needs to work on this connection, in the transaction that it is in; without one, to read the steps."""
    config = Config()
    config.set_main_option("script_location", str(files("service").joinpath("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def steps() -> tuple[str, ...]:
    """The steps that this version knows, the first one first: four digits each."""
    known = [script.revision for script in ScriptDirectory.from_config(configuration(None)).walk_revisions()]
    return tuple(reversed(known))


def current(connection: Connection) -> str:
    """The step that a database is at, `NOTHING` where it has no table of ours.

    Raises:
        VigieError: it is at a step that this version does not know.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return _BEFORE if inspect(connection).has_table("texts") else NOTHING
    if found not in steps():
        raise VigieError(f"La base de données vient d'une version plus récente de Vigie (étape {found}, inconnue ici).")
    return found


def losses(connection: Connection, to: str) -> Iterator[Loss]:
    """What the way down from where a database is to a step would lose, the last step first; what there is none of is left out."""
    here, known = current(connection), steps()
    scripts = ScriptDirectory.from_config(configuration(None))
    first = 0 if to == NOTHING else known.index(to) + 1
    for step in reversed(known[first : known.index(here) + 1] if here != NOTHING else []):
        for place, what in getattr(scripts.get_revision(step).module, "loses", {}).items():
            name, _, only = place.partition(".")
            counted = func.count(column(only)) if only else func.count()
            count = connection.execute(select(counted).select_from(table(name))).scalar_one()
            if count:
                yield Loss(step, what, count)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables up to a step, all or nothing; a database older than the steps is taken as it is.

    Raises:
        VigieError: the database is at a step that this version does not know.
    """
    config = configuration(connection)
    tables = set(inspect(connection).get_table_names())
    try:
        if "alembic_version" not in tables and "texts" in tables:
            command.stamp(config, _BEFORE)
        command.upgrade(config, to)
    except CommandError as error:
        raise VigieError(f"La base de données vient d'une version plus récente de Vigie ({error}).") from error


def downgrade(connection: Connection, to: str) -> None:
    """Bring the tables down to a step, or to `NOTHING`, all or nothing; `losses` says beforehand what goes.

    Raises:
        VigieError: as `upgrade`.
    """
    if current(connection) == NOTHING:
        return
    config = configuration(connection)
    if MigrationContext.configure(connection).get_current_revision() is None:
        command.stamp(config, _BEFORE)
    command.downgrade(config, to)
