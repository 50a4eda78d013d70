"""Label Studio's side of the wall: its tasks become predictions in its own form, its annotations become decisions.

Positions count code points on both sides. An annotation is a decision of the holder of the key, or, where the key may speak
for others, of the person that the administration says its author is here; one that is changed in Label Studio withdraws
the decision before it, one that is deleted withdraws it too. It is never a blind reading: regions are filled in beforehand
there. The level is always that of the guide: one chosen otherwise is kept as a note.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, select

from model.records import Prediction
from service.annotations import LabelStudioError, told, verdict_of
from service.workplace.audit import record
from service.workplace.claims import Taken
from service.workplace.comments import add_comment
from service.workplace.decided import VALID, decisions_of, find_decision
from service.workplace.decisions import DecisionError, decide, withdraw, withdrawal_refused
from service.workplace.items import Received, add_item, newest_prediction
from service.workplace.people import Person, list_people
from service.workplace.reading import blind_for
from service.workplace.schema import CHOICES, COMMENTS, DECISIONS, ITEMS
from service.workplace.similar import index
from service.workplace.times import now

#: The controls that the labelling configuration must have, under these names.
CONTROLS: Final = ("signs", "stance", "targets")
_TO: Final = "text"
_PEOPLE: Final = "label_studio_people"
_SOURCE: Final = "Label Studio"
_DIGEST: Final = 20


class Closed(Exception):  # noqa: N818 - what happened, not a fault
    """The text waits to be read blind, or is closed to the person: what was annotated is a comment, no decision."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of an annotation: the decisions made and those withdrawn."""

    made: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


@cache
def labelling_config() -> str:
    """The labelling configuration (XML) for a project whose tasks Vigie reads."""
    return resources.files("service").joinpath("data/label-studio.xml").read_text(encoding="utf-8")


def missing_controls(config: str) -> list[str]:
    """The controls that a project's configuration lacks for predictions to be shown in it."""
    return [name for name in (*CONTROLS, _TO) if f'name="{name}"' not in config.replace("'", '"')]


def text_of(task: Any) -> str | None:
    """The text of a task: its field `text`, or its only field that is a text; None where there is none."""
    data = task.get("data") if isinstance(task, Mapping) else None
    if not isinstance(data, Mapping):
        return None
    if isinstance(data.get("text"), str):
        return str(data["text"])
    texts = [value for value in data.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def prediction_result(text: str, prediction: Prediction) -> dict[str, Any]:
    """A prediction as Label Studio shows it: a region for each passage, choices for stance, targets and level, a score.

    A text that could not be analysed has no result, and a score of 0.
    """
    base = {"model_version": prediction.model_version}
    if prediction.status != "ok" or prediction.risk is None or prediction.stance is None:
        return {**base, "result": [], "score": 0.0}
    result = []
    for indicator in prediction.indicators:
        for number, passage in enumerate(indicator.evidence if indicator.present else ()):
            value = {"start": passage.start, "end": passage.end, "text": text[passage.start : passage.end]}
            region = _item(f"{indicator.id}-{number}", "signs", "labels", value | {"labels": [indicator.id]})
            result.append(region | {"score": passage.score})
    stance = prediction.stance
    result.append(_item("stance", "stance", "choices", {"choices": [stance.value]}) | {"score": stance.scores[stance.value]})
    if prediction.targets:
        result.append(_item("targets", "targets", "choices", {"choices": list(prediction.targets)}))
    result.append(_item("level", "level", "choices", {"choices": [str(prediction.risk.level)]}))
    return {**base, "result": result, "score": prediction.risk.score}


def _item(id: str, name: str, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": id, "from_name": name, "to_name": _TO, "type": kind, "value": dict(value)}


def people_map(connection: Connection) -> dict[str, str]:
    """Logins here of people there, by their number or address in Label Studio."""
    query = select(CHOICES.c.value).where(CHOICES.c.name == _PEOPLE).order_by(CHOICES.c.number.desc()).limit(1)
    return dict(connection.execute(query).scalar() or {})


def map_people(engine: Engine, mapping: Mapping[str, str], person: Person) -> None:
    """Say who is who; every change is kept.

    Raises:
        LabelStudioError: the person does not administer, or a login is nobody's.
    """
    if not person.may("administrator"):
        raise LabelStudioError("Seule l'administration dit qui est qui.")
    logins = {known.login for known in list_people(engine)}
    unknown = sorted(set(mapping.values()) - logins)
    if unknown:
        raise LabelStudioError(f"Aucun compte ouvert de cet identifiant : {', '.join(unknown)}.")
    with engine.begin() as connection:
        connection.execute(CHOICES.insert().values(name=_PEOPLE, value=dict(mapping), user_id=person.id, made_at=now()))
        record(connection, person, "setting.change", f"setting:{_PEOPLE}", {"people": len(mapping)})


def receive(engine: Engine, payload: Mapping[str, Any], holder: Person, *, speaks: bool = False) -> Kept:
    """Act on a webhook of Label Studio; sent twice, it is kept once. Actions that say nothing of annotations do nothing.

    `holder` is whose key sent it; `speaks`: the key may speak for the people whom the administration named.

    Raises:
        LabelStudioError: the message lacks what is needed, or the annotation is no decision by the guide.
        Closed: the text is closed to the person here; a comment on it keeps what was annotated.
        Taken: somebody works on the text here; a comment on it says what was not kept.
    """
    action = payload.get("action")
    if action == "ANNOTATIONS_DELETED":
        return Kept(withdrawn=_take_back(engine, payload, _annotations(payload, "annotations"), holder))
    if action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED"):
        (annotation,) = _annotations(payload, "annotation")
        return _keep(engine, payload, annotation, payload.get("task"), holder, speaks=speaks)
    if action == "ANNOTATIONS_CREATED":
        every = _annotations(payload, "annotations")
        kept = [_keep(engine, payload, one, _task_of(payload, one), holder, speaks=speaks) for one in every]
        return Kept(tuple(id for one in kept for id in one.made), tuple(id for one in kept for id in one.withdrawn))
    return Kept()


def _annotations(payload: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = payload.get(key)
    every = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping) and "id" in one]
    if not every or (isinstance(found, list) and len(every) < len(found)):
        raise LabelStudioError(f"Message sans « {key} » lisible : cochez « Send payload » dans Label Studio.")
    return every


def _task_of(payload: Mapping[str, Any], annotation: Mapping[str, Any]) -> Any:
    tasks = payload.get("task")
    every = tasks if isinstance(tasks, list) else [tasks]
    return next((task for task in every if isinstance(task, Mapping) and task.get("id") == annotation.get("task")), None)


def _keep(
    engine: Engine, payload: Mapping[str, Any], annotation: Mapping[str, Any], task: Any, holder: Person, *, speaks: bool
) -> Kept:
    text = text_of(task)
    if not text:
        raise LabelStudioError("Tâche sans texte : le champ « text » est attendu.")
    mark = _mark(payload, annotation)
    person = _person(engine, annotation, holder) if speaks else holder
    request = f"{mark}{_digest(annotation.get('updated_at'), annotation.get('result'), annotation.get('was_cancelled'))}"
    with engine.begin() as connection:
        received = Received(text, external_id=str(task.get("id", ""))[:200] or None, source=_SOURCE)
        item_id = _known(connection, mark) or add_item(connection, received).id
        index(connection, item_id, text)
        before = decisions_of(connection, item_id)
        said = newest_prediction(connection, item_id) if annotation.get("parent_prediction") else None
    if any(decided.request == request for decided in before):
        return Kept()
    sent_by = holder.id if holder.id != person.id else None
    verdict = verdict_of(annotation, text, said, request=request, sent_by=sent_by)
    old = _holding(engine, mark)
    _check_withdrawn(engine, holder, old)
    with engine.connect() as connection:
        closed = blind_for(connection, item_id, person)
    if closed:
        what = f"n'est pas une décision, car ce texte était fermé ici à qui l'a faite :\n{told(verdict, text)}"
        _comment(engine, item_id, person, annotation, what)
        raise Closed("Ce texte attend une lecture à l'aveugle, ou sert d'étalon : l'annotation est gardée en commentaire.")
    # What is withdrawn below was this annotation as it stood; nothing is withdrawn unless the new one can be kept. A text that
    # was read since it was found open may wait to be read blind: nothing is kept then.
    try:
        made = decide(engine, item_id, person, verdict, said, last=before[-1].number if before else 0)
    except ValueError as error:
        raise LabelStudioError(f"Annotation {annotation['id']} : {error}") from error
    except Taken as taken:
        _comment(engine, item_id, person, annotation, f"n'a pas été gardée, car {taken} Enregistrez-la de nouveau.")
        raise
    return Kept((made,), tuple(_withdraw(engine, holder, (id for id in old if id != made))))


def _comment(engine: Engine, item_id: str, person: Person, annotation: Mapping[str, Any], what: str) -> None:
    """Say in a comment what became of an annotation; sent twice, it is said once."""
    words = f"Label Studio : l'annotation {annotation['id']} {what}"
    with engine.begin() as connection:
        same = (COMMENTS.c.item_id == item_id, COMMENTS.c.user_id == person.id, COMMENTS.c.text == words)
        if connection.execute(select(COMMENTS.c.id).where(*same).limit(1)).first() is None:
            add_comment(connection, item_id, person, words)


def _take_back(
    engine: Engine, payload: Mapping[str, Any], annotations: Iterable[Mapping[str, Any]], holder: Person
) -> tuple[str, ...]:
    marks = [_mark(payload, annotation) for annotation in annotations]
    return tuple(id for mark in marks for id in _withdraw(engine, holder, _holding(engine, mark)))


def _check_withdrawn(engine: Engine, holder: Person, decisions: Iterable[str]) -> None:
    """Whether the decisions may be withdrawn: by the holder of the key, and by the person whose they are."""
    people = {person.id: person for person in list_people(engine)}
    for id in decisions:
        with engine.connect() as connection:
            decided = find_decision(connection, id)
            state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == decided.item_id)).scalar_one() if decided else ""
        both = (holder, people.get(decided.user_id, holder)) if decided else ()
        refused = next((why for one in both if (why := withdrawal_refused(decided, one, state))), None) if decided else None
        if refused:
            raise LabelStudioError(refused)


def _withdraw(engine: Engine, holder: Person, decisions: Iterable[str]) -> list[str]:
    """Withdraw decisions in the name of the holder of the key."""
    found = list(decisions)
    _check_withdrawn(engine, holder, found)
    for id in found:
        try:
            withdraw(engine, id, holder)
        except DecisionError as error:
            raise LabelStudioError(str(error)) from error
    return found


def _mark(payload: Mapping[str, Any], annotation: Mapping[str, Any]) -> str:
    """The beginning of the requests of one annotation, whatever its versions: project (and when it was made), number."""
    project = payload.get("project")
    project = project if isinstance(project, Mapping) else {}
    return f"ls{_digest(project.get('id'), project.get('created_at'), annotation['id'])}:"


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:_DIGEST]


def _holding(engine: Engine, mark: str) -> list[str]:
    """The decisions that hold of an annotation."""
    with engine.connect() as connection:
        query = select(DECISIONS.c.id).where(_of(connection, mark), VALID).order_by(DECISIONS.c.number)
        return list(connection.execute(query).scalars())


def _known(connection: Connection, mark: str) -> str | None:
    """The text that an annotation was about when it was first received."""
    found: str | None = connection.execute(select(DECISIONS.c.item_id).where(_of(connection, mark)).limit(1)).scalar()
    return found


def _of(connection: Connection, mark: str) -> ColumnElement[bool]:
    """The decisions whose request begins with a mark, along an index: in the order of the bytes, whatever words are sorted by."""
    request = DECISIONS.c.request.collate("C") if connection.dialect.name == "postgresql" else DECISIONS.c.request
    return and_(request >= mark, request < f"{mark}~")


def _person(engine: Engine, annotation: Mapping[str, Any], holder: Person) -> Person:
    """Whom the administration says the author of an annotation is here; the holder of the key for anyone else."""
    by = annotation.get("completed_by")
    names = [by.get(field) for field in ("email", "id", "username")] if isinstance(by, Mapping) else [by]
    people = {person.login: person for person in list_people(engine)}
    with engine.connect() as connection:
        known = people_map(connection)
    for name in (str(name) for name in names if name is not None):
        person = people.get(known.get(name, ""))
        if person is not None:
            return person
    return holder
