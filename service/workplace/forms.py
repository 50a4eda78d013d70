"""The decision form: what it shows before anybody has decided, and what it says once sent, with or without scripts."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from model.labels import INDICATOR_IDS, INDICATOR_NAMES, STANCE_IDS, STANCES, TARGET_IDS, TARGETS
from model.levels import level_of
from model.records import Prediction
from service.workplace.decided import NOTE_LONGEST, REASON_NAMES, Kind, Mark, Verdict
from service.workplace.private import Shown, shown

_MOST_PASSAGES: Final = 200
_LONGEST_QUOTES: Final = 20_000
_LONGEST_NUMBER: Final = 18
_NAMES: Final = {label.id: label.name for label in (*STANCES, *TARGETS)}


class Sent(Protocol):
    """A form as it was sent: every value of a field, and its last one."""

    def getlist(self, key: str) -> Sequence[object]:
        """Every value of a field."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as the form offers it; `checked`: chosen already. `shown` is its text, personal data told apart."""

    label: str
    start: int
    end: int
    shown: tuple[Shown, ...]
    checked: bool

    @property
    def value(self) -> str:
        """What the form sends for it."""
        return f"{self.label}:{self.start}:{self.end}"


@dataclass(frozen=True, slots=True)
class Form:
    """What the form shows. Nothing of a model's proposal is chosen: `passages` holds its passages unchecked.

    `proposal` says whether there is one to confirm; `said` is the version of the model that made it. `last` is the number
    of the text's last record; `queue` the filter that the person works through; `drawn` the token of a drawn text.
    """

    kind: Kind = "first"
    request: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    passages: tuple[Passage, ...] = ()
    stance: str = ""
    targets: tuple[str, ...] = ()
    quotes: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    note: str = ""
    proposal: bool = False
    said: str = ""
    last: int = 0
    queue: str = ""
    drawn: str = ""
    error: str = ""

    def of(self, label: str) -> list[Passage]:
        """The passages of an indicator."""
        return [passage for passage in self.passages if passage.label == label]

    def quoted(self, label: str) -> str:
        """What was quoted for an indicator."""
        return dict(self.quotes).get(label, "")


def proposed(prediction: Prediction | None) -> tuple[Mark, ...]:
    """The passages of what a model found present."""
    if prediction is None or prediction.status != "ok":
        return ()
    present = (indicator for indicator in prediction.indicators if indicator.present)
    return tuple(Mark(passage.start, passage.end, indicator.id) for indicator in present for passage in indicator.evidence)


def as_proposed(prediction: Prediction | None, **given: Any) -> Verdict | None:
    """The verdict that confirms what a model proposes, with other fields of it as given; None where it proposes nothing."""
    if prediction is None or prediction.stance is None or prediction.risk is None:
        return None
    return Verdict(
        verdict="confirmed",
        stance=prediction.stance.value,
        level=prediction.risk.level,
        targets=tuple(prediction.targets),
        indicators=proposed(prediction),
        **given,
    )


def passages_of(
    text: str, marks: Iterable[Mark], chosen: Iterable[Mark], prediction: Prediction | None = None, *, masked: bool = False
) -> tuple[Passage, ...]:
    """Passages in the order of the guide and of the text, each once; those of `chosen` are checked."""
    checked = frozenset(chosen)
    ordered = sorted({*marks, *checked}, key=lambda mark: (INDICATOR_IDS.index(mark.label), mark.start, mark.end))
    return tuple(
        Passage(mark.label, mark.start, mark.end, shown(text, prediction, mark.start, mark.end, masked=masked), mark in checked)
        for mark in ordered
    )


def read_verdict(
    form: Sent,
    text: str,
    kind: Kind,
    prediction: Prediction | None = None,
    drawn_by: str = "queue",
    drawn_share: float | None = None,
) -> Verdict:
    """What a form that was sent says of a text; `prediction` is the one that it proposed to confirm, if any.

    Raises:
        ValueError: the form says nothing, confirms nothing that was proposed, or quotes what is not in the text or is
            there more than once; the message is in French.
    """
    common: dict[str, Any] = {
        "kind": kind,
        "reason": _last(form, "reason") or None,
        "note": _last(form, "note").replace("\r\n", "\n").strip() or None,
        "drawn_by": drawn_by,
        "drawn_share": drawn_share,
        "request": _last(form, "request")[:64] or None,
    }
    action = _last(form, "action")
    if action == "unsure":
        return Verdict(verdict="unsure", **common)
    if action == "confirm":
        if (verdict := as_proposed(prediction, **common)) is None:
            raise ValueError("Il n'y a pas de proposition à confirmer : remplissez le formulaire.")
        return verdict
    if action != "correct":
        raise ValueError("Une réponse est attendue : confirmer, enregistrer ou « je ne sais pas ».")
    stance = _last(form, "stance")
    if stance not in STANCE_IDS:
        raise ValueError("Dites d'abord ce que fait l'auteur : promeut, met en garde ou neutre.")
    _check_sent(form)
    marks = tuple(sorted(chosen_marks(form, text)))
    targets = tuple(target for target in TARGET_IDS if target in form.getlist("target"))
    level = level_of(stance, {mark.label for mark in marks}, targets).value
    return Verdict(verdict="corrected", stance=stance, level=level, targets=targets, indicators=marks, **common)


def _check_sent(form: Sent) -> None:
    passages, targets = form.getlist("passage"), form.getlist("target")
    if len(passages) > _MOST_PASSAGES:
        raise ValueError(f"{len(passages)} passages (champ « passage ») : {_MOST_PASSAGES} au plus sont attendus.")
    for value in passages:
        if _mark_of(value) is None:
            raise ValueError(
                f"Passage « {str(value)[:60]} » (champ « passage ») : « signe:début:fin » est attendu, d'un signe connu."
            )
    for value in targets:
        if value not in TARGET_IDS:
            raise ValueError(f"« {str(value)[:60]} » (champ « target ») : un de ceux-ci est attendu : {', '.join(TARGET_IDS)}.")


def last_seen(form: Sent) -> int:
    """The number of the text's last record when the form was shown: the guard against a decision that nobody saw.

    Raises:
        ValueError: the form does not say it.
    """
    value = _last(form, "last")
    if not (value.isdecimal() and value.isascii() and len(value) < _LONGEST_NUMBER):
        raise ValueError("Le formulaire ne dit pas quel était l'état du texte (champ « last ») : vérifiez-le et enregistrez.")
    return int(value)


def _last(form: Sent, name: str) -> str:
    values = [value for value in form.getlist(name) if isinstance(value, str)]
    return values[-1] if values else ""


def sent_quotes(form: Sent) -> tuple[tuple[str, str], ...]:
    """What was quoted, by indicator, to be shown again."""
    found = ((label, _last(form, f"quote_{label}")[:_LONGEST_QUOTES].replace("\r\n", "\n")) for label in INDICATOR_IDS)
    return tuple((label, quote) for label, quote in found if quote.strip())


def ticked_marks(form: Sent) -> set[Mark]:
    """The passages that were ticked; what is not one is left aside."""
    found: set[Mark] = set()
    for value in form.getlist("passage")[:_MOST_PASSAGES]:
        if (mark := _mark_of(value)) is not None:
            found.add(mark)
    return found


def _mark_of(value: object) -> Mark | None:
    label, start, end, *more = (*str(value).split(":"), "", "")
    fits = label in INDICATOR_IDS and start.isdecimal() and end.isdecimal() and len(start + end) < _LONGEST_NUMBER
    return Mark(int(start), int(end), label) if fits and not any(more) else None


def chosen_marks(form: Sent, text: str) -> set[Mark]:
    """The passages that were ticked, selected or quoted.

    Raises:
        ValueError: a quoted extract is not in the text, or more than once.
    """
    found = ticked_marks(form)
    for label, quotes in sent_quotes(form):
        for line in quotes.split("\n"):
            if quote := line.strip():
                found.add(_located(text, quote, label))
    return found


def _located(text: str, quote: str, label: str) -> Mark:
    start = text.find(quote)
    name = INDICATOR_NAMES[label]
    if start < 0:
        raise ValueError(f"« {name} » : l'extrait « {quote[:80]} » n'est pas dans le texte mot pour mot.")
    if text.find(quote, start + 1) >= 0:
        raise ValueError(f"« {name} » : l'extrait « {quote[:80]} » est plusieurs fois dans le texte ; citez-en plus.")
    return Mark(start, start + len(quote), label)


def again(form: Sent, text: str, before: Form, prediction: Prediction | None, error: str, *, masked: bool = False) -> Form:
    """The form as it was sent, to be shown again with what is wrong; a new token, since nothing was kept."""
    ticked = {mark for mark in ticked_marks(form) if mark.start < mark.end <= len(text)}
    return Form(
        kind=before.kind,
        passages=passages_of(text, proposed(prediction), ticked, prediction, masked=masked),
        stance=_last(form, "stance"),
        targets=tuple(target for target in TARGET_IDS if target in form.getlist("target")),
        quotes=sent_quotes(form),
        reason=_last(form, "reason"),
        note=_last(form, "note").replace("\r\n", "\n")[:5_000],
        proposal=before.proposal,
        said=before.said,
        last=before.last,
        queue=before.queue,
        drawn=before.drawn,
        error=error,
    )


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form that could not be kept says, for people to read, and its fields, to be sent again."""

    answer: str
    stance: str
    targets: tuple[str, ...]
    extracts: tuple[tuple[str, str], ...]
    reason: str
    note: str
    fields: tuple[tuple[str, str], ...]

    def summary(self) -> str:
        """All of it as a comment can hold it."""
        lines = [self.answer]
        if self.stance:
            lines.append(f"Position de l'auteur : {self.stance}.")
        lines += [f"{name.capitalize()} : « {extract} »" for name, extract in self.extracts]
        lines += [f"Visé : {', '.join(self.targets)}."] if self.targets else []
        lines += [f"Raison : {self.reason}."] if self.reason else []
        return "\n".join([*lines, *([self.note] if self.note else [])])[:NOTE_LONGEST].strip()


_ANSWERS: Final = {
    "confirm": "Proposition du modèle confirmée.",
    "correct": "Lecture saisie.",
    "unsure": "« Je ne sais pas ».",
}
_AGAIN: Final = ("passage", "target", "stance", "reason", "note", "said", "last", "file", "drawn", "action")


def typed(form: Sent, text: str) -> Typed:
    """What a form that was sent says, passages by their words."""
    marks = sorted(mark for mark in ticked_marks(form) if mark.start < mark.end <= len(text))
    extracts = [(INDICATOR_NAMES[mark.label], text[mark.start : mark.end]) for mark in marks]
    extracts += [(INDICATOR_NAMES[label], quote.strip()) for label, quote in sent_quotes(form)]
    sent = [(name, str(value)) for name in _AGAIN for value in form.getlist(name)[:_MOST_PASSAGES]]
    return Typed(
        _ANSWERS.get(_last(form, "action"), ""),
        _NAMES.get(_last(form, "stance"), ""),
        tuple(_NAMES[target] for target in TARGET_IDS if target in form.getlist("target")),
        tuple(extracts),
        REASON_NAMES.get(_last(form, "reason"), ""),
        _last(form, "note").replace("\r\n", "\n")[:NOTE_LONGEST],
        (*sent, *((f"quote_{label}", quote) for label, quote in sent_quotes(form))),
    )
