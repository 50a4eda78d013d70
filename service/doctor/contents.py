"""What a database that answers holds: the step of its tables, accounts, the end of the audit log, the last backup."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select, text

from model.errors import VigieError
from service.backup.copying import step_of
from service.backup.shelf import listed
from service.doctor.findings import Finding, careful, well, wrong
from service.migrations import steps
from service.settings import Settings
from service.workplace.audit import head_of
from service.workplace.audit_chain import Head
from service.workplace.audit_schema import AUDIT, missing_guards
from service.workplace.audit_verify import read_anchors
from service.workplace.clock import SKEW
from service.workplace.people import anyone

_STEPS: Final = "base : migrations"
_ACCOUNTS: Final = "comptes"
_JOURNAL: Final = "journal d'audit"
_BACKUPS: Final = "sauvegardes"
_MAY_MAKE: Final = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
_STALE: Final = timedelta(days=2)


def look_at_contents(connection: Connection, settings: Settings, at: datetime) -> Iterator[Finding]:
    """The tables and what they say of the work; those of an earlier step are not read further."""
    try:
        step = step_of(connection)
    except VigieError:
        yield _empty(connection)
        return
    known = steps()
    if step not in known:
        told = f"Étape {step}, inconnue de cette version ({known[-1]} au plus) : la base vient d'une version plus récente."
        yield wrong(_STEPS, told, "Remettez la version d'avant, ou restaurez une sauvegarde faite avec celle-ci.")
        return
    if step != known[-1]:
        told = f"Étape {step}, {known[-1]} attendue : le service fera le reste à son prochain démarrage."
        yield careful(_STEPS, told, "Sauvegardez d'abord (« vigie backup create »), puis « vigie database upgrade ».")
        return
    yield well(_STEPS, f"Étape {step}, la dernière.")
    yield from _accounts(connection, settings)
    yield from _journal(connection, settings, at)
    yield from _noted_backup(connection, at)


def _empty(connection: Connection) -> Finding:
    may_make = connection.dialect.name == "sqlite" or bool(connection.execute(text(_MAY_MAKE)).scalar())
    if not may_make:
        remedy = "« alter database … owner to vigie », ou « grant create on schema public to vigie »."
        return wrong(_STEPS, "La base est vide, et ce compte n'a pas le droit d'y faire des tables.", remedy)
    return careful(
        _STEPS, "La base est vide : le service y fera ses tables.", "Si elle devrait être pleine, voyez VIGIE_DATABASE_URL."
    )


def _accounts(connection: Connection, settings: Settings) -> Iterator[Finding]:
    if not anyone(connection):
        yield careful(
            _ACCOUNTS,
            "Aucun compte encore.",
            "Ouvrez le premier par le lien que le service donne au démarrage, ou par « vigie people add ».",
        )
    elif settings.admin_password is not None:
        yield careful(
            _ACCOUNTS,
            "VIGIE_ADMIN_PASSWORD est encore posé, alors que le premier compte est ouvert.",
            "Retirez VIGIE_ADMIN_LOGIN et VIGIE_ADMIN_PASSWORD : ils ne servent plus.",
        )
    else:
        yield well(_ACCOUNTS, "Le premier est ouvert.")


def _journal(connection: Connection, settings: Settings, at: datetime) -> Iterator[Finding]:
    head = head_of(connection)
    if not head.number:
        yield wrong(_JOURNAL, "Le journal n'a pas d'ouverture : il a été vidé.", "« vigie audit verify », puis une sauvegarde.")
        return
    last = connection.execute(select(AUDIT.c.at, AUDIT.c.sealed_by).where(AUDIT.c.number == head.number)).one()
    if last.sealed_by and settings.secret_key is None:
        yield wrong(
            _JOURNAL,
            "Le journal est scellé, et VIGIE_SECRET_KEY manque : le service ne démarre pas.",
            "Posez le secret du service.",
        )
    if asleep := missing_guards(connection):
        told = f"Rien ne protège plus le journal ({', '.join(asleep)})."
        yield wrong(_JOURNAL, told, "« vigie audit verify » dit s'il est entier ; restaurez les déclencheurs par une sauvegarde.")
    if datetime.fromisoformat(last.at) > at + SKEW:
        told = f"Son dernier enregistrement est de {last.at}, dans l'avenir : l'horloge a reculé, ou avançait."
        yield careful("horloge", told, "Mettez la machine à l'heure (NTP) ; les enregistrements suivants le diront.")
    yield _anchored(connection, settings.audit_anchor, head)


def _anchored(connection: Connection, path: Path | None, head: Head) -> Finding:
    """Whether the head that was noted last, outside of the database, is still in the log."""
    told = f"Tête n° {head.number}."
    if path is None:
        remedy = "Posez VIGIE_AUDIT_ANCHOR, sur un autre volume : sans elle, un journal entièrement refait ne se voit pas."
        return careful(_JOURNAL, f"{told} Elle n'est relevée nulle part hors de la base.", remedy)
    if not path.exists():
        return well(_JOURNAL, f"{told} {path} sera fait au premier relevé.")
    try:
        noted = read_anchors(path)[-1:]
    except VigieError as error:
        return wrong(_JOURNAL, str(error), "Gardez ce fichier tel qu'il est, et cherchez qui y a écrit ; « vigie audit verify ».")
    for one in noted:
        kept = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.number == one.number)).scalar()
        if kept != one.hash:
            said = f"La tête n° {one.number} relevée dans {path} n'est plus dans le journal : il est coupé, ou refait."
            return wrong(_JOURNAL, said, "« vigie audit verify » ; si la base vient d'être restaurée, c'est attendu : notez-le.")
    return well(_JOURNAL, f"{told} La dernière relevée dans {path} y est.")


def _noted_backup(connection: Connection, at: datetime) -> Iterator[Finding]:
    """The last backup that the log knows of, wherever it was put."""
    query = select(AUDIT.c.at).where(AUDIT.c.action == "backup.made").order_by(AUDIT.c.number.desc()).limit(1)
    made = connection.execute(query).scalar()
    if made is None:
        yield careful(_BACKUPS, "Aucune sauvegarde n'a été faite de cette base.", "« vigie backup create DOSSIER », chaque jour.")
    else:
        yield _aged(datetime.fromisoformat(made), at, "d'après le journal")


def _aged(made: datetime, at: datetime, where: str) -> Finding:
    told = f"La dernière est du {made:%Y-%m-%d %H:%M} UTC, {where}"
    if at - made > _STALE:
        remedy = "« vigie backup create DOSSIER » ; voyez pourquoi la tâche planifiée ne l'a pas faite."
        return careful(_BACKUPS, f"{told} : plus de {_STALE.days} jours.", remedy)
    return well(_BACKUPS, f"{told}.")


def look_at_backups(shelf: Path, at: datetime) -> Iterator[Finding]:
    """The newest backup of a folder: is there one, can its manifest be read, how old is it?"""
    if not shelf.is_dir():
        yield careful(_BACKUPS, f"{shelf} n'est pas un dossier.", "« vigie backup create » le fait ; voyez son chemin.")
        return
    found = list(listed(shelf))
    if not found:
        yield careful(_BACKUPS, f"{shelf} ne contient aucune sauvegarde.", f"« vigie backup create {shelf} », chaque jour.")
        return
    newest, manifest = found[-1]
    if manifest is None:
        yield wrong(_BACKUPS, f"{newest} : manifeste illisible.", f"« vigie backup verify {newest} » ; faites-en une autre.")
        return
    yield _aged(datetime.fromisoformat(manifest.began_at), at, f"dans {shelf}")
