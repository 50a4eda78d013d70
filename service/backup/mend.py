"""A SQLite database whose indexes are damaged, made again from its tables, which are sound."""

from pathlib import Path

from sqlalchemy.exc import DBAPIError

from service.backup.copying import remake
from service.backup.damage import check_database
from service.backup.manifest import BackupError
from service.backup.placing import SIDES, refuse_open, set_aside, sync
from service.database import connect_database
from service.leftovers import temporary_name


def mend(path: Path) -> Path:
    """Put a file with the same rows and new indexes in the place of a database; the one before is kept, where is returned.

    Raises:
        BackupError: a service has it open, or a table itself is damaged: nothing has changed.
    """
    refuse_open(path)
    ready = path.with_name(temporary_name(path.name))
    engine = connect_database(f"sqlite:///{path}")
    made = connect_database(f"sqlite:///{ready}")
    try:
        remake(engine, ready)
        wrong = check_database(made)
        engine.dispose()
        made.dispose()
        if wrong:
            raise BackupError(f"{path} : les tables elles-mêmes sont abîmées. {wrong[0]} Restaurez une sauvegarde.")
        sync(ready)
        aside = set_aside(path)
        ready.replace(path)
        sync(path.parent)
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise BackupError(f"{path} : les tables elles-mêmes ne se lisent pas ({reason}). Restaurez une sauvegarde.") from error
    finally:
        engine.dispose()
        made.dispose()
        for side in ("", *SIDES):
            ready.with_name(f"{ready.name}{side}").unlink(missing_ok=True)
    return aside
