"""What the stream is compared with: the artefact's own reference, or a period of the stream that people chose."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, Row, select

from model.errors import ArtefactError, VigieError
from model.reference import Reference, summarise
from model.signing import Trust
from model.store import REFERENCE, Artefact, folder_of, read_manifest, read_paper
from service.database import serialise
from service.drift.counting import count_received, read_facts
from service.drift.schema import DRIFT_REFERENCES
from service.workplace.audit import record
from service.workplace.people import Person
from service.workplace.times import local_day, now

#: A period of fewer texts, or of texts of fewer groups, tells too little of a stream.
LEAST_TEXTS: Final = 300
LEAST_GROUPS: Final = 100
#: A period is only read by a model that has read this share of its texts.
_READ_SHARE: Final = 0.9


class DriftError(VigieError):
    """A reference that cannot be set; the message says why."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What holds: the reference (None: there is none), its number where people chose it, its days, and what to know of it."""

    reference: Reference | None
    number: int | None = None
    first: date | None = None
    last: date | None = None
    problem: str | None = None

    @property
    def source(self) -> str:
        """corpus, stream, or none."""
        return self.reference.source if self.reference else "none"

    def holds(self, day: date) -> bool:
        """Whether a day is one of the reference's own."""
        return self.first is not None and self.last is not None and self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Model:
    """The model that serves, as far as drift goes: its version, and the reference that it carries or why it has none."""

    version: str
    own: Chosen


def model_of(artefact: Artefact) -> Model:
    """A model that is loaded."""
    return _model(artefact.version, artefact.papers.get(REFERENCE))


def model_in(root: Path, trust: Trust) -> Model:
    """The model that serves under a folder, verified as far as it is read, and not loaded.

    Raises:
        ArtefactError: there is none, or it cannot be believed.
    """
    folder = folder_of(root)
    manifest = read_manifest(folder, trust)
    return _model(folder.name, read_paper(folder, REFERENCE, trust) if REFERENCE in manifest["files"] else None)


def _model(version: str, content: bytes | None) -> Model:
    if content is None:
        told = f"Le modèle {version} n'a pas de référence de dérive : il a été entraîné avant qu'il y en ait."
        return Model(version, Chosen(None, problem=told))
    try:
        return Model(version, Chosen(Reference.from_json(content)))
    except ArtefactError as error:
        return Model(version, Chosen(None, problem=str(error)))


def chosen_reference(engine: Engine, model: Model) -> Chosen:
    """What the stream is compared with now, for this model.

    A period of the stream is read anew by each model that comes to serve, once that model has read its texts; until then, and
    where they are gone, the model's own reference holds, and `problem` says so.
    """
    with engine.connect() as connection:
        row = connection.execute(select(DRIFT_REFERENCES).order_by(DRIFT_REFERENCES.c.number.desc()).limit(1)).first()
    if row is None or row.first is None:
        return model.own
    if row.model_version == model.version:
        return _of(row)
    try:
        return _keep(engine, model.version, row.first, row.last, None, new=row.number)
    except DriftError as error:
        return Chosen(model.own.reference, problem=f"{error} En attendant, la référence du modèle sert.")


def _of(row: "Row[tuple[object, ...]]") -> Chosen:
    return Chosen(Reference.from_json(row.content.encode()), row.number, row.first, row.last)


def set_reference(engine: Engine, model: Model, first: date, last: date, who: Person | None = None) -> Chosen:
    """Make a period of the stream, as this model read it, what the stream is compared with; it is recorded in the audit log.

    Raises:
        DriftError: the days are in the wrong order or not over, or too few texts came then, or this model has not read them.
    """
    if last < first:
        raise DriftError(f"Période du {first:%d/%m/%Y} au {last:%d/%m/%Y} : la fin précède le début.")
    if last >= local_day(now()):
        raise DriftError(f"Période jusqu'au {last:%d/%m/%Y} : ce jour n'est pas fini.")
    return _keep(engine, model.version, first, last, who)


def forget_reference(engine: Engine, model: Model, who: Person | None = None) -> Chosen:
    """Compare the stream with the model's own reference again; it is recorded in the audit log."""
    with engine.begin() as connection:
        connection.execute(DRIFT_REFERENCES.insert().values(made_at=now()))
        record(connection, who, "drift.reference", "drift:artefact", {"model": model.version})
    return model.own


def _keep(engine: Engine, version: str, first: date, last: date, who: Person | None, new: int | None = None) -> Chosen:
    """Read a period and keep its counts. `new`: only if this choice still holds, which is read anew for another model."""
    with engine.connect() as connection:
        found = Reference.from_json(_read(connection, version, first, last).to_json())
    with engine.begin() as connection:
        serialise(connection, "drift.reference")
        newest = connection.execute(select(DRIFT_REFERENCES).order_by(DRIFT_REFERENCES.c.number.desc()).limit(1)).first()
        if new is not None and newest is not None and newest.number != new:
            return _of(newest) if newest.first is not None else Chosen(None, problem="La référence vient de changer.")
        values = {"first": first, "last": last, "model_version": version, "content": found.to_json().decode(), "made_at": now()}
        number = connection.execute(DRIFT_REFERENCES.insert().values(**values).returning(DRIFT_REFERENCES.c.number)).scalar_one()
        told = {"model": version, "first": first.isoformat(), "last": last.isoformat(), "texts": found.facts["texts"]}
        record(connection, who, "drift.reference", f"drift:{number}", told)
    return Chosen(found, number, first, last)


def _read(connection: Connection, version: str, first: date, last: date) -> Reference:
    facts, received = read_facts(connection, first, last, version), count_received(connection, first, last)
    period = f"Du {first:%d/%m/%Y} au {last:%d/%m/%Y}"
    if received and len(facts) < _READ_SHARE * received:
        raise DriftError(f"{period} : le modèle {version} n'a lu que {len(facts)} des {received} textes reçus.")
    groups = len({one.group for one in facts})
    if len(facts) < LEAST_TEXTS or groups < LEAST_GROUPS:
        raise DriftError(
            f"{period} : {len(facts)} texte(s) de {groups} auteurs ou campagnes ; {LEAST_TEXTS} et {LEAST_GROUPS} au moins sont "
            "attendus d'une référence."
        )
    return summarise("stream", facts, {"first": first.isoformat(), "last": last.isoformat(), "model": version})
