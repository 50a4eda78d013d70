"""What an annotation of Label Studio says: the verdict that it gives, and its words where it cannot be kept as one."""

from collections.abc import Mapping
from typing import Any, Final

from model.errors import VigieError
from model.labels import INDICATOR_IDS, INDICATOR_NAMES, STANCE_IDS, STANCES, TARGET_IDS, TARGETS
from model.levels import level_of
from model.records import Prediction
from service.workplace.decided import NOTE_LONGEST, Mark, Verdict
from service.workplace.forms import proposed

_DRAWN: Final = "label_studio"
_NAMES: Final = {label.id: label.name for label in (*STANCES, *TARGETS)}


class LabelStudioError(VigieError):
    """A message of Label Studio that cannot be used; the message says why."""


def verdict_of(
    annotation: Mapping[str, Any], text: str, said: Prediction | None, *, request: str | None = None, sent_by: str | None = None
) -> Verdict:
    """The verdict that an annotation gives; one that was skipped is « je ne sais pas ».

    Raises:
        LabelStudioError: a result is not of the expected form, or there is not exactly one stance.
    """
    common: dict[str, Any] = {"drawn_by": _DRAWN, "request": request, "sent_by": sent_by}
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
    places = {label: place for place, label in enumerate(INDICATOR_IDS)}
    ordered = tuple(sorted(marks, key=lambda mark: (mark.start, mark.end, places.get(mark.label, 0))))
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


def told(verdict: Verdict, text: str) -> str:
    """All that a verdict says, as a comment can hold it beside a line or two."""
    lines = [f"Position de l'auteur : {_NAMES[verdict.stance]}."] if verdict.stance else ["« Je ne sais pas »."]
    marks = (mark for mark in verdict.indicators if mark.label in INDICATOR_NAMES)
    lines += [f"{INDICATOR_NAMES[mark.label].capitalize()} : « {text[mark.start : mark.end]} »" for mark in marks]
    lines += [f"Visé : {', '.join(_NAMES[target] for target in verdict.targets)}."] if verdict.targets else []
    return "\n".join([*lines, *([verdict.note] if verdict.note else [])])[: NOTE_LONGEST // 2]
