"""What a text's page shows: the text cut where signs and personal data start and end, the people's and the model's say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from model.decide import OperatingPoint
from model.labels import CHANNELS, INDICATOR_IDS, INDICATOR_NAMES, INDICATORS, LEVELS, STANCES, TARGETS, Label
from model.records import Prediction
from service.titles import BESIDE, NOT_ADMITTED, beside_of, title_of
from service.workplace.audit import record
from service.workplace.claims import Claim, claim_of
from service.workplace.comments import Comment, comments_of
from service.workplace.decided import REASON_NAMES, REASONS, Decided, Mark, decisions_of
from service.workplace.decisions import withdrawal_refused
from service.workplace.draws import begun_among
from service.workplace.forms import Form, passages_of, proposed
from service.workplace.items import Item, find_item
from service.workplace.masking import hide
from service.workplace.people import Person
from service.workplace.private import MASK, Piece, Shown, beginning, private_words, shown
from service.workplace.reading import blind_among, blind_for
from service.workplace.said import newest_prediction
from service.workplace.schema import GOLDEN, ITEMS, PREDICTIONS, USERS
from service.workplace.seen import How, note_seen, unseen_of
from service.workplace.similar import Near, near
from service.workplace.times import aware

_MOST_RELATIVES: Final = 50
_BEGINNING: Final = 200
_TITLE: Final = 60
NAMES: Final = {label.id: label.name for label in (*INDICATORS, *STANCES, *TARGETS)}
LEVEL_NAMES: Final = {int(level.id): level.name for level in LEVELS}
CHANNEL_NAMES: Final = {label.id: label.name for label in CHANNELS}
CONTEXT_NAMES: Final = {
    "negation": "négation",
    "condition": "condition",
    "question": "question",
    "quotation": "citation",
    "reported_speech": "propos rapporté",
    "disclaimer": "clause de prudence",
    "facade_disclaimer": "clause de façade",
    "warning": "mise en garde",
    "satire": "satire",
    "testimony": "témoignage",
    "recognised_care": "soin reconnu",
    "person_at_risk": "personne en danger",
}
AUTHOR_NAMES: Final = {
    "regulated": "profession de santé réglementée",
    "protected_title": "titre protégé",
    "unregulated": "activité non réglementée",
    "mixed": "titre réglementé à côté d'une activité non réglementée",
    "unknown": "non dit",
}
ENTITY_NAMES: Final = {
    "price": "prix",
    "phone": "téléphone",
    "email": "courriel",
    "url": "adresse en ligne",
    "handle": "compte",
    "siret": "SIRET",
    "rpps": "RPPS",
    "adeli": "ADELI",
    "title": "titre",
    "condition": "maladie",
    "audience": "public",
    "place": "lieu",
    "person": "personne",
    "address": "adresse",
    "date": "date",
}
POINT_NAMES: Final = {"triage": "large", "balanced": "équilibré", "strict": "étroit"}
KIND_NAMES: Final = {
    "first": "première lecture",
    "second": "seconde lecture",
    "adjudication": "arbitrage",
    "golden": "lecture d'un texte étalon",
    "revision": "révision",
    "withdrawal": "retrait",
}
VERDICT_NAMES: Final = {
    "confirmed": "proposition confirmée",
    "corrected": "lecture saisie",
    "unsure": "« je ne sais pas »",
    "withdrawn": "décision retirée",
}


@dataclass(frozen=True, slots=True)
class Guide:
    """What the decision form lists, in the guide's order.

    `keys` are those of the indicators: the digits' keys by their place, whatever they print without Shift, then two letters by
    what they print. So they are the same, and as their labels say, on AZERTY and QWERTY.
    """

    stances: Sequence[Label] = STANCES
    indicators: Sequence[Label] = INDICATORS
    targets: Sequence[Label] = TARGETS
    reasons: Sequence[Label] = REASONS
    keys: Sequence[str] = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "f", "d")
    stance_keys: Mapping[str, str] = field(default_factory=lambda: {"promotes": "p", "warns": "w", "neutral": "t"})


GUIDE: Final = Guide()


@dataclass(frozen=True, slots=True)
class Told:
    """A record of the history: who made it, whether it was taken back, and whether this person may take it back."""

    decided: Decided
    who: str
    withdrawn: bool
    may_withdraw: bool
    passages: tuple[tuple[str, tuple[Shown, ...]], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """A prediction that was kept: the model's version, when (UTC), its level and score (None: not analysed)."""

    model_version: str
    made_at: Any
    level: int | None
    score: float | None


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that is known of a text, read at one moment."""

    item: Item
    prediction: Prediction | None
    decisions: Sequence[Decided]
    people: Mapping[str, str]
    comments: Sequence[Comment]
    reads: Sequence[Read]
    near: Sequence[Near]
    parent: str | None
    children: Sequence[str]
    claim: Claim | None
    blind: bool
    golden: bool

    @property
    def last(self) -> int:
        """The number of the last record, 0 where there is none."""
        return self.decisions[-1].number if self.decisions else 0


def whole_of(engine: Engine, item_id: str, person: Person) -> Whole | None:
    """Everything that is known of a text; None where there is none. `blind`: the person must not see it (`blind_for`)."""
    with engine.connect() as connection:
        item = find_item(connection, item_id)
        if item is None:
            return None
        relatives, reading = _near(connection, item_id, person)
        children = select(ITEMS.c.id).where(ITEMS.c.parent_id == item_id).order_by(ITEMS.c.id).limit(_MOST_RELATIVES)
        return Whole(
            item,
            newest_prediction(connection, item_id),
            decisions_of(connection, item_id),
            {id: name for id, name in connection.execute(select(USERS.c.id, USERS.c.name))},
            comments_of(connection, item_id),
            _reads(connection, item_id),
            relatives,
            item.parent_id,
            list(connection.scalars(children)),
            claim_of(connection, item_id),
            reading or blind_for(connection, item_id, person),
            connection.execute(select(GOLDEN.c.item_id).where(GOLDEN.c.item_id == item_id)).first() is not None,
        )


def _near(connection: Connection, item_id: str, person: Person) -> tuple[list[Near], bool]:
    """Near-duplicates, less those that the person is to read blind; and whether they are reading one of these now."""
    found = near(connection, item_id)
    closed = blind_among(connection, [one.item_id for one in found], person)
    return [one for one in found if one.item_id not in closed], begun_among(connection, closed, person) is not None


def note_opened(engine: Engine, whole: Whole, person: Person) -> None:
    """Record that a person opened a text's page; the first time, keep that they know it, and its near-duplicates too."""
    ways: tuple[tuple[How, list[str]], ...] = (("page", [whole.item.id]), ("near", [one.item_id for one in whole.near]))
    with engine.connect() as connection:
        fresh = [(how, unseen_of(connection, ids, person)) for how, ids in ways]
    with engine.begin() as connection:
        for how, ids in fresh:
            note_seen(connection, ids, person, how)
        record(connection, person, "text.view", f"text:{whole.item.id}", {"masked": person.masks})


def _reads(connection: Connection, item_id: str) -> list[Read]:
    query = select(PREDICTIONS.c.model_version, PREDICTIONS.c.made_at, PREDICTIONS.c.prediction)
    rows = connection.execute(query.where(PREDICTIONS.c.item_id == item_id).order_by(PREDICTIONS.c.made_at))
    found = []
    for version, made_at, said in rows:
        risk = said.get("risk") or {}
        found.append(Read(version, aware(made_at), risk.get("level"), risk.get("score")))
    return found


def prediction_shown(connection: Connection, item_id: str, version: str) -> Prediction | None:
    """The prediction of that version of the model, which the person saw, if it was kept."""
    query = select(PREDICTIONS.c.prediction).where(PREDICTIONS.c.item_id == item_id, PREDICTIONS.c.model_version == version)
    said = connection.execute(query).scalar()
    return Prediction.model_validate(said) if said is not None else None


def pieces_of(text: str, marks: Sequence[Mark], prediction: Prediction | None, *, masked: bool) -> list[Piece]:
    """The text in pieces that join back to it, cut where passages start and end; signs are numbered in the guide's order."""
    labels = [label for label in INDICATOR_IDS if any(mark.label == label for mark in marks)]
    number = {label: index for index, label in enumerate(labels, start=1)}
    edges = sorted({0, len(text), *(mark.start for mark in marks), *(mark.end for mark in marks)})
    pieces = []
    for start, end in pairwise(edges):
        over = sorted({number[mark.label] for mark in marks if mark.start <= start and end <= mark.end})
        closes = sorted({number[mark.label] for mark in marks if mark.end == end})
        names = tuple(INDICATOR_NAMES[labels[one - 1]] for one in over)
        pieces.append(Piece(shown(text, prediction, start, end, masked=masked), tuple(over), names, tuple(closes)))
    return pieces


def told(whole: Whole, person: Person, *, masked: bool) -> list[Told]:
    """The history of a text's decisions, newest first."""
    taken_back = {decided.withdraws for decided in whole.decisions if decided.withdraws}
    found = []
    for decided in reversed(whole.decisions):
        open_still = decided.kind != "withdrawal" and decided.id not in taken_back
        may = open_still and withdrawal_refused(decided, person, whole.item.state) is None
        passages = tuple(
            (INDICATOR_NAMES[mark.label], shown(whole.item.text, whole.prediction, mark.start, mark.end, masked=masked))
            for mark in decided.indicators
        )
        who = whole.people.get(decided.user_id, "?")
        if decided.sent_by:
            who += f" (envoyée avec la clé de {whole.people.get(decided.sent_by, '?')})"
        found.append(Told(decided, who, decided.id in taken_back, may, passages))
    return found


def first_form(whole: Whole, *, start: bool, queue: str, drawn: str, masked: bool) -> Form:
    """The form before anybody has chosen anything; `start`: the person asked to begin from the model's proposal."""
    prediction, text = whole.prediction, whole.item.text
    ready = prediction is not None and prediction.stance is not None
    marks = proposed(prediction)
    return Form(
        passages=passages_of(text, marks, marks if start else (), prediction, masked=masked),
        stance=prediction.stance.value if start and prediction and prediction.stance else "",
        targets=tuple(prediction.targets) if start and prediction else (),
        proposal=ready,
        said=prediction.model_version if prediction else "",
        last=whole.last,
        queue=queue,
        drawn=drawn,
    )


def thresholds(prediction: Prediction, points: Mapping[str, OperatingPoint], version: str) -> OperatingPoint | None:
    """The thresholds that a prediction was made with; None where another model serves now."""
    return points.get(prediction.operating_point) if prediction.model_version == version else None


def masked_text(value: str | None, *, masked: bool) -> str:
    """A value that is personal data as a whole, masked if asked."""
    return MASK * len(value) if value and masked else value or ""


def page_values(whole: Whole, person: Person) -> dict[str, Any]:
    """What the template shows of a text, besides the form."""
    prediction, masked = whole.prediction, person.masks
    marks = proposed(prediction)
    known = private_words(whole.item.text, prediction) | ({whole.item.author} if whole.item.author else set())
    return {
        "whole": whole,
        "item": whole.item,
        "prediction": prediction,
        "pieces_shown": pieces_of(whole.item.text, marks, prediction, masked=masked),
        "present": [indicator for indicator in prediction.indicators if indicator.present] if prediction else [],
        "part": lambda start, end: shown(whole.item.text, prediction, start, end, masked=masked),
        "hide": lambda value: masked_text(value, masked=masked),
        "unnamed": lambda value: hide(value, masked, known),
        "beginning": " ".join(hide(beginning(whole.item.text, prediction, _BEGINNING, masked=masked), masked).split())[:_TITLE],
        "history": told(whole, person, masked=masked),
        "names": NAMES,
        "level_names": LEVEL_NAMES,
        "context_names": CONTEXT_NAMES,
        "author_names": AUTHOR_NAMES,
        "title": title_of(prediction) if prediction else "",
        "beside": beside_of(prediction) if prediction else (),
        "beside_says": (BESIDE, NOT_ADMITTED),
        "entity_names": ENTITY_NAMES,
        "point_names": POINT_NAMES,
        "kind_names": KIND_NAMES,
        "verdict_names": VERDICT_NAMES,
        "reason_names": REASON_NAMES,
        "channel_names": CHANNEL_NAMES,
        "guide": GUIDE,
    }
