"""From decisions to the model that serves: trainings asked for, their comparison, promotions, and what trained what."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, RowMapping, select, update

from model import promotion
from model.errors import ArtefactError, VigieError
from model.store import current_name
from service.database import serialise
from service.settings import Settings
from service.workplace import runs
from service.workplace.audit_events import record_model_change
from service.workplace.people import Person
from service.workplace.promotions import Promotion, forget_promotion, list_promotions, record_promotion
from service.workplace.schema import PROMOTIONS, TRAINING_DECISIONS, TRAININGS, USERS
from service.workplace.times import aware, now

__all__ = [
    "ACTIVE",
    "KIND_NAMES",
    "REASON_LEAST",
    "REASON_LONGEST",
    "STATE_NAMES",
    "LoopError",
    "Promotion",
    "Training",
    "ask",
    "find_training",
    "finish",
    "keep_challenger",
    "keep_learned",
    "keep_step",
    "list_promotions",
    "list_trainings",
    "open_training",
    "promote",
    "refresh",
    "roll_back",
    "stop",
]

#: States in which a training has a process.
ACTIVE: Final = ("waiting", "running")
STATE_NAMES: Final = {
    "waiting": "démarre",
    "running": "en cours",
    "done": "terminé",
    "failed": "échoué",
    "stopped": "arrêté",
}
KIND_NAMES: Final = {"promotion": "mise en service", "override": "mise en service malgré la barrière", "rollback": "retour"}
#: What a person who overrides the gate has to write, at least, in characters.
REASON_LEAST: Final = 10
REASON_LONGEST: Final = 2000
_AT_ONCE: Final = 500
#: A change is made within this time of its record, or its process died.
_UNDONE: Final = timedelta(minutes=2)


class LoopError(VigieError):
    """Something of the loop that cannot be done as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Training:
    """A challenger asked for. `champion` is the model that served then; `comparison` is as `training.challenge` records it."""

    id: str
    user_id: str | None
    state: str
    step: str | None
    champion: str | None
    challenger: str | None
    comparison: Mapping[str, Any] | None
    message: str | None
    asked_at: datetime
    finished_at: datetime | None
    by: str | None

    @property
    def active(self) -> bool:
        """Whether its process should be running."""
        return self.state in ACTIVE

    @property
    def passes(self) -> bool:
        """Whether it was compared, and the gate opens."""
        return bool(self.comparison and self.comparison["passes"])


_COLUMNS: Final = tuple(TRAININGS.c[field.name] for field in fields(Training) if field.name != "by")
_READ: Final = select(*_COLUMNS, USERS.c.name.label("by")).outerjoin(USERS, USERS.c.id == TRAININGS.c.user_id)


def _training(row: RowMapping) -> Training:
    values = dict(row)
    values["asked_at"] = aware(values["asked_at"])
    values["finished_at"] = aware(values["finished_at"]) if values["finished_at"] else None
    return Training(**values)


def find_training(engine: Engine, id: str) -> Training | None:
    """The training of an identifier, if any."""
    with engine.connect() as connection:
        row = connection.execute(_READ.where(TRAININGS.c.id == id)).mappings().first()
    return _training(row) if row else None


def list_trainings(engine: Engine, limit: int = 50) -> list[Training]:
    """The trainings, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(_READ.order_by(TRAININGS.c.asked_at.desc(), TRAININGS.c.id).limit(limit)).mappings()
        return [_training(row) for row in rows]


def ask(engine: Engine, settings: Settings, person: Person, challenger: str | None = None) -> str:
    """Start a training in a process of its own; returns its identifier.

    With `challenger`, nothing is trained: that model is compared again with the one that serves now.

    Raises:
        LoopError: one is under way, no model serves yet, or the process cannot be started.
    """
    refresh(engine, settings)
    try:
        champion = current_name(settings.model_dir)
    except ArtefactError as error:
        raise LoopError(str(error)) from error
    id = str(uuid.uuid4())
    try:
        lock = runs.hold(settings.model_dir, id)
    except OSError as error:
        raise LoopError(f"Le dossier des modèles {settings.model_dir} ne peut pas être écrit ({error.strerror}).") from error
    values = {"id": id, "user_id": person.id, "champion": champion, "challenger": challenger, "asked_at": now()}
    try:
        open_training(engine, values | {"state": "waiting", "step": "Démarrage"})
    except BaseException:
        runs.give_up(settings.model_dir, id, lock)
        raise
    try:
        runs.start(settings, id, lock)
    except OSError as error:
        finish(engine, id, "failed", message=f"Le processus n'a pas pu démarrer ({error.strerror or error}).")
        raise LoopError(f"Le processus n'a pas pu démarrer ({error.strerror or error}).") from error
    return id


def open_training(engine: Engine, values: Mapping[str, Any]) -> None:
    """Keep a training that starts.

    Raises:
        LoopError: another one is under way.
    """
    with engine.begin() as connection:
        serialise(connection, "trainings")
        under_way = select(TRAININGS.c.id).where(TRAININGS.c.state.in_(ACTIVE)).limit(1)
        if connection.execute(under_way).first() is not None:
            raise LoopError("Un entraînement est déjà en cours : un seul à la fois. Attendez sa fin, ou arrêtez-le.")
        connection.execute(TRAININGS.insert().values(**values))


def refresh(engine: Engine, settings: Settings) -> None:
    """Say of a training whose process is gone that it failed; to be called before the state is shown."""
    _forget_undone(engine, settings)
    with engine.connect() as connection:
        ids = connection.execute(select(TRAININGS.c.id).where(TRAININGS.c.state.in_(ACTIVE))).scalars().all()
    for id in ids:
        if not runs.alive(settings.model_dir, id):
            words = runs.last_words(settings.model_dir, id)
            ended = "Le processus s'est arrêté en route (machine redémarrée, mémoire épuisée, ou arrêt forcé)."
            finish(engine, id, "failed", message=f"{ended} Fin de son journal : {words}" if words else ended)


def keep_step(engine: Engine, id: str, step: str) -> None:
    """Note how far a training is."""
    _update(engine, id, {"state": "running", "step": step})


def keep_challenger(engine: Engine, id: str, challenger: str) -> None:
    """Note the model that a training made."""
    _update(engine, id, {"challenger": challenger})


def keep_learned(engine: Engine, id: str, decisions: Iterable[str]) -> None:
    """Note the decisions that a training learns from; noting them again changes nothing."""
    with engine.begin() as connection:
        kept = TRAINING_DECISIONS.c
        known = set(connection.execute(select(kept.decision_id).where(kept.training_id == id)).scalars())
        rows = [{"training_id": id, "decision_id": decision} for decision in dict.fromkeys(decisions) if decision not in known]
        for first in range(0, len(rows), _AT_ONCE):
            connection.execute(TRAINING_DECISIONS.insert(), rows[first : first + _AT_ONCE])


def finish(
    engine: Engine, id: str, state: str, *, comparison: Mapping[str, Any] | None = None, message: str | None = None
) -> bool:
    """Close a training as done, failed or stopped; False where it was closed before, and stays as it was."""
    values: dict[str, Any] = {"state": state, "message": message, "finished_at": now()}
    if comparison is not None:
        values["comparison"] = comparison
    return _update(engine, id, values)


def _update(engine: Engine, id: str, values: Mapping[str, Any]) -> bool:
    with engine.begin() as connection:
        mine = update(TRAININGS).where(TRAININGS.c.id == id, TRAININGS.c.state.in_(ACTIVE))
        return connection.execute(mine.values(**values)).rowcount == 1


def stop(engine: Engine, settings: Settings, id: str, person: Person) -> bool:
    """Stop a training; False where it was over."""
    stopped = finish(engine, id, "stopped", message=f"Arrêté par {person.name}.")
    runs.stop(settings.model_dir, id)
    return stopped


def promote(engine: Engine, settings: Settings, id: str, person: Person, reason: str) -> Promotion:
    """Put the challenger of a training into service: where the gate opens, or, against it, for a written reason.

    Raises:
        LoopError: the person may not, it was not compared, another model serves than the one that it was compared with, or
            the gate is shut and no reason of some length is given.
        ArtefactError: the model cannot be trusted; nothing has changed.
    """
    training = find_training(engine, id)
    if not person.may("administrator"):
        raise LoopError("Mettre un modèle en service demande le rôle d'administration.")
    if training is None or training.state != "done" or not training.challenger or training.comparison is None:
        raise LoopError("Cet entraînement n'a pas de modèle comparé à mettre en service.")
    root, compared = settings.model_dir, training.comparison["champion"]
    serving = current_name(root)
    if serving == training.challenger:
        raise LoopError(f"Le modèle {serving} sert déjà.")
    if serving != compared:
        raise LoopError(f"Le modèle {serving} sert désormais, et la comparaison est faite avec {compared} : comparez de nouveau.")
    written = _reason(reason)
    if not training.passes and len(written) < REASON_LEAST:
        raise LoopError(f"La barrière est fermée : écrivez pourquoi vous passez outre ({REASON_LEAST} caractères au moins).")
    kind = "promotion" if training.passes else "override"
    # Recorded first, so that no model ever serves without the name of who put it there; a switch that fails takes it back.
    made = record_promotion(engine, training.challenger, serving, kind, written, person)
    try:
        promotion.promote(root, training.challenger, settings.trust())
    except BaseException:
        forget_promotion(engine, made)
        raise
    return made


def roll_back(engine: Engine, settings: Settings, person: Person, reason: str) -> Promotion:
    """Go back to the model that served before.

    Raises:
        LoopError: the person may not.
        ArtefactError: none is known, or it cannot be loaded; nothing has changed.
    """
    if not person.may("administrator"):
        raise LoopError("Revenir au modèle d'avant demande le rôle d'administration.")
    root, written = settings.model_dir, _reason(reason)
    # Recorded first, as a promotion is.
    made = record_promotion(engine, _before(root) or "", current_name(root), "rollback", written, person)
    try:
        left, back = promotion.rollback(root, settings.trust())
    except BaseException:
        forget_promotion(engine, made)
        raise
    # Somebody may have changed the model between the record and the switch.
    with engine.begin() as connection:
        told = {"artefact": back, "previous": left}
        connection.execute(update(PROMOTIONS).where(PROMOTIONS.c.number == made.number).values(**told))
        if (back, left) != (made.artefact, made.previous):
            record_model_change(connection, person, "rollback", back, left, made.number)
    return replace(made, artefact=back, previous=left)


def _before(root: Path) -> str | None:
    """The model that going back would take, if any, as `model.promotion` finds it."""
    names: list[str] = []
    changes = [(change.name, change.verb == "rollback") for change in promotion.history(root)]
    for name, back in [*changes, (current_name(root), False)]:
        while back and name in names and names[-1] != name:
            names.pop()
        if not names or names[-1] != name:
            names.append(name)
    return names[-2] if len(names) > 1 else None


def _reason(reason: str) -> str:
    written = reason.strip()
    if len(written) > REASON_LONGEST or "\x00" in written:
        raise LoopError(f"Motif : {REASON_LONGEST} caractères au plus sont attendus, sans caractère nul.")
    return written


def _forget_undone(engine: Engine, settings: Settings) -> None:
    """Take back the record of a change that its process did not live to make: nothing was switched since."""
    newest = list_promotions(engine, 1)
    if not newest or now() - newest[0].made_at < _UNDONE:
        return
    made = newest[0]
    try:
        serving = current_name(settings.model_dir)
    except ArtefactError:
        return
    at = (made.made_at - _UNDONE).isoformat()
    switched = any(change.name == made.artefact and change.at >= at for change in promotion.history(settings.model_dir))
    if serving != made.artefact and not switched:
        forget_promotion(engine, made)
