"""Label Studio's side of the wall: its tasks become predictions in its own form, its annotations become decisions.

Positions count code points on both sides. An annotation is a decision of the person that its author is known as here, else
of the holder of the key; one that is changed in Label Studio withdraws the decision before it, one that is deleted
withdraws it too. The level is always that of the guide: one chosen otherwise is kept as a note.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from model.errors import VigieError
from model.labels import INDICATOR_IDS, STANCE_IDS, TARGET_IDS
from model.levels import level_of
from model.records import Prediction
from service.workplace.claims import Taken
from service.workplace.comments import add_comment
from service.workplace.decided import NOTE_LONGEST, VALID, Decided, Mark, Verdict, decisions_of, find_decision
from service.workplace.decisions import DecisionError, decide, withdraw
from service.workplace.forms import proposed
from service.workplace.items import Received, add_item, newest_prediction
from service.workplace.people import Person, list_people
from service.workplace.schema import CHOICES, DECISIONS
from service.workplace.similar import index
from service.workplace.times import now

#: The controls that the labelling configuration must have, under these names.
CONTROLS: Final = ("signs", "stance", "targets")
_TO: Final = "text"
_PEOPLE: Final = "label_studio_people"
_SOURCE: Final = "Label Studio"
_DRAWN: Final = "label_studio"
_DIGEST: Final = 20


class LabelStudioError(VigieError):
    """A message of Label Studio that cannot be used; the message says why."""


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


def receive(engine: Engine, payload: Mapping[str, Any], holder: Person) -> Kept:
    """Act on a webhook of Label Studio; sent twice, it is kept once. Actions that say nothing of annotations do nothing.

    Raises:
        LabelStudioError: the message lacks what is needed, or the annotation is no decision by the guide.
        Taken: somebody works on the text here; a comment on it says what was not kept.
    """
    action = payload.get("action")
    if action == "ANNOTATIONS_DELETED":
        return Kept(withdrawn=_take_back(engine, payload, _annotations(payload, "annotations"), holder))
    if action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED"):
        (annotation,) = _annotations(payload, "annotation")
        return _keep(engine, payload, annotation, payload.get("task"), holder)
    if action == "ANNOTATIONS_CREATED":
        kept = [_keep(engine, payload, one, _task_of(payload, one), holder) for one in _annotations(payload, "annotations")]
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


def _keep(engine: Engine, payload: Mapping[str, Any], annotation: Mapping[str, Any], task: Any, holder: Person) -> Kept:
    text = text_of(task)
    if not text:
        raise LabelStudioError("Tâche sans texte : le champ « text » est attendu.")
    mark = _mark(payload, annotation)
    person = _person(engine, annotation, holder)
    request = f"{mark}{_digest(annotation.get('updated_at'), annotation.get('result'), annotation.get('was_cancelled'))}"
    with engine.begin() as connection:
        received = Received(text, external_id=str(task.get("id", ""))[:200] or None, source=_SOURCE)
        item_id = _known(connection, mark) or add_item(connection, received).id
        index(connection, item_id, text)
        before = decisions_of(connection, item_id)
        said = newest_prediction(connection, item_id) if annotation.get("parent_prediction") else None
    if any(decided.request == request for decided in before):
        return Kept()
    verdict = verdict_of(annotation, text, said, kind=_kind(before, person, mark), request=request)
    # What is withdrawn below was this annotation as it stood; nothing is withdrawn unless the new one can be kept.
    try:
        made = decide(engine, item_id, person, verdict, said)
    except ValueError as error:
        raise LabelStudioError(f"Annotation {annotation['id']} : {error}") from error
    except Taken as taken:
        with engine.begin() as connection:
            told = f"Label Studio : l'annotation {annotation['id']} n'a pas été gardée, car {taken} Enregistrez-la de nouveau."
            add_comment(connection, item_id, person, told)
        raise
    return Kept((made,), tuple(_withdraw(engine, holder, (old for old in _holding(engine, mark) if old != made))))


def _kind(before: Sequence[Decided], person: Person, mark: str) -> Any:
    """A second reading where somebody else read first, and this annotation was not that first reading itself."""
    gone = {decided.withdraws for decided in before}
    valid = [decided for decided in before if decided.kind != "withdrawal" and decided.id not in gone]
    mine = next((decided for decided in valid if (decided.request or "").startswith(mark)), None)
    if mine is not None:
        return mine.kind
    first = any(decided.kind == "first" and decided.user_id != person.id for decided in valid)
    return "second" if first and not any(decided.kind == "second" for decided in valid) else "first"


def _take_back(
    engine: Engine, payload: Mapping[str, Any], annotations: Iterable[Mapping[str, Any]], holder: Person
) -> tuple[str, ...]:
    marks = [_mark(payload, annotation) for annotation in annotations]
    return tuple(id for mark in marks for id in _withdraw(engine, holder, _holding(engine, mark)))


def _withdraw(engine: Engine, holder: Person, decisions: Iterable[str]) -> list[str]:
    withdrawn = []
    people = {person.id: person for person in list_people(engine)}
    for id in decisions:
        with engine.connect() as connection:
            decided = find_decision(connection, id)
        author = people.get(decided.user_id, holder) if decided else holder
        try:
            withdraw(engine, id, author)
        except DecisionError as error:
            raise LabelStudioError(str(error)) from error
        withdrawn.append(id)
    return withdrawn


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
        query = select(DECISIONS.c.id).where(DECISIONS.c.request.like(f"{mark}%"), VALID).order_by(DECISIONS.c.number)
        return list(connection.execute(query).scalars())


def _known(connection: Connection, mark: str) -> str | None:
    """The text that an annotation was about when it was first received."""
    query = select(DECISIONS.c.item_id).where(DECISIONS.c.request.like(f"{mark}%")).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found


def _person(engine: Engine, annotation: Mapping[str, Any], holder: Person) -> Person:
    """Who is known here as the author of an annotation; the holder of the key for anyone else."""
    by = annotation.get("completed_by")
    names = [by.get(field) for field in ("email", "id", "username")] if isinstance(by, Mapping) else [by]
    people = {person.login: person for person in list_people(engine)}
    with engine.connect() as connection:
        known = people_map(connection)
    for name in (str(name) for name in names if name is not None):
        person = people.get(known.get(name, "")) or people.get(name.casefold())
        if person is not None:
            return person
    return holder


def verdict_of(
    annotation: Mapping[str, Any], text: str, said: Prediction | None, *, kind: Any = "first", request: str | None = None
) -> Verdict:
    """The verdict that an annotation gives; one that was skipped is « je ne sais pas ».

    Raises:
        LabelStudioError: a result is not of the expected form, or there is not exactly one stance.
    """
    common: dict[str, Any] = {"kind": kind, "drawn_by": _DRAWN, "request": request}
    if annotation.get("was_cancelled"):
        return Verdict(verdict="unsure", note="Passé dans Label Studio.", **common)
    chosen: dict[str, list[str]] = {}
    marks: set[Mark] = set()
    notes: list[str] = []
    try:
        for item in annotation.get("result") or ():
            value = item.get("value") or {}
            if item["type"] == "labels":
                marks |= {Mark(int(value["start"]), int(value["end"]), str(label)) for label in value["labels"]}
            elif item["type"] == "choices":
                chosen.setdefault(item["from_name"], []).extend(map(str, value["choices"]))
            elif item["type"] == "textarea" and item["from_name"] == "note":
                shown = value["text"]
                notes += map(str, shown) if isinstance(shown, list) else [str(shown)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabelStudioError(f"Annotation {annotation.get('id')} : résultat mal formé ({type(error).__name__}).") from error
    stances = [choice for choice in chosen.get("stance", ()) if choice in STANCE_IDS]
    if len(stances) != 1:
        raise LabelStudioError(f"Annotation {annotation.get('id')} : une position de l'auteur (stance) est attendue.")
    targets = tuple(name for name in TARGET_IDS if name in chosen.get("targets", ()))
    ordered = tuple(
        sorted(
            marks, key=lambda mark: (mark.start, mark.end, INDICATOR_IDS.index(mark.label) if mark.label in INDICATOR_IDS else 0)
        )
    )
    level = level_of(stances[0], {mark.label for mark in marks}, targets).value
    given = chosen.get("level", [])
    if given and given != [str(level)]:
        notes.append(f"Niveau choisi dans Label Studio : {', '.join(given)} ; le guide donne {level}.")
    same = (
        said is not None
        and said.stance is not None
        and (said.stance.value, set(said.targets), set(proposed(said))) == (stances[0], set(targets), marks)
    )
    return Verdict(
        verdict="confirmed" if same else "corrected",
        stance=stances[0],
        level=level,
        targets=targets,
        indicators=ordered,
        note="\n".join(notes)[:NOTE_LONGEST] or None,
        **common,
    )
