"""The decision form: what it shows before anybody has decided, and what it says once sent, with or without scripts."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from model.labels import INDICATOR_IDS, INDICATOR_NAMES, STANCE_IDS, TARGET_IDS
from model.levels import level_of
from model.records import Prediction
from service.workplace.decided import Kind, Mark, Verdict
from service.workplace.private import Shown, shown

_MOST_PASSAGES: Final = 200
_LONGEST_QUOTES: Final = 20_000


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
        if prediction is None or prediction.stance is None or prediction.risk is None:
            raise ValueError("Il n'y a pas de proposition à confirmer : remplissez le formulaire.")
        return Verdict(
            verdict="confirmed",
            stance=prediction.stance.value,
            level=prediction.risk.level,
            targets=tuple(prediction.targets),
            indicators=proposed(prediction),
            **common,
        )
    if action != "correct":
        raise ValueError("Une réponse est attendue : confirmer, enregistrer ou « je ne sais pas ».")
    stance = _last(form, "stance")
    if stance not in STANCE_IDS:
        raise ValueError("Dites d'abord ce que fait l'auteur : promeut, met en garde ou neutre.")
    marks = tuple(sorted(chosen_marks(form, text)))
    targets = tuple(target for target in TARGET_IDS if target in form.getlist("target"))
    level = level_of(stance, {mark.label for mark in marks}, targets).value
    return Verdict(verdict="corrected", stance=stance, level=level, targets=targets, indicators=marks, **common)


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
        label, start, end = (*str(value).split(":"), "", "")[:3]
        if label in INDICATOR_IDS and start.isdecimal() and end.isdecimal() and len(start + end) < 20:
            found.add(Mark(int(start), int(end), label))
    return found


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


def again(form: Sent, text: str, before: Form, prediction: Prediction | None, error: str) -> Form:
    """The form as it was sent, to be shown again with what is wrong; a new token, since nothing was kept."""
    ticked = {mark for mark in ticked_marks(form) if mark.start < mark.end <= len(text)}
    return Form(
        kind=before.kind,
        passages=passages_of(text, proposed(prediction), ticked, prediction),
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
