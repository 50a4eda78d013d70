"""What texts show that decides where they may go: practices, the author's status and orders, conditions with their grounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import regex

from model.labels import INDICATOR_IDS
from model.records import EntityMention, Place, Prediction
from model.tables import Title, load_tables
from model.text import fold
from service.directions.doctors import DOCTOR, doctor_of
from service.directions.own_titles import is_own, is_single
from service.directions.places import country_of
from service.directions.tables import load_directions
from service.titles import beside_of
from service.workplace.private import MASK, PRIVATE, reached
from service.workplace.said import at_risk

#: From this level on a text may be taken further; below it, only a person's decision opens the way.
FLAGGED: Final = 2
PRIORITY: Final = 3
#: Where what is published can be read by anybody.
PUBLIC_CHANNELS: Final = frozenset({"directory", "website", "social_post", "comment", "video_transcript"})
_DECEPTIVE: Final = ("misleading_title", "financial_pressure", "unrecognised_training")
_LAY: Final = frozenset({"unregulated", "unknown"})
_DOCTORS: Final = "ordre des médecins"
_DEATH: Final = regex.compile(
    r"(?<!\w)(?:deces|decede(?:e?s?)|homicide|(?:est|sont|etait|etaient) morte?s?|(?:a|ont|avait) perdu la vie)(?!\w)"
)
#: From the one that weighs most to the one that says least, for several texts of one author.
_STATUSES: Final = ("mixed", "regulated", "protected_title", "unregulated", "unknown")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a text besides its prediction; what a person decided takes the place of what the model says."""

    text: str = ""
    channel: str | None = None
    url: str | None = None
    decided_level: int | None = None
    decided_signs: tuple[str, ...] = ()
    decided_targets: tuple[str, ...] = ()
    region: str | None = None
    author: str = ""
    name: str = ""  # how reasons name the text, where there are several


@dataclass(frozen=True, slots=True)
class Shown:
    """What one text shows: its conditions, those that a person told among them, with the words that show each."""

    conditions: frozenset[str]
    grounds: Mapping[str, tuple[str, ...]]
    name: str = ""
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides: identifiers of practices, the author's status, orders of the author's own titles, conditions.

    `grounds` holds, by condition, the words of the texts that show it; they only serve the reasons. `parts` holds the same
    text by text: two conditions that a rule wants together must be those of one text. `abroad` names the countries of the
    texts from outside France.
    """

    practices: frozenset[str]
    author_status: str
    orders: frozenset[str]
    conditions: frozenset[str]
    grounds: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    parts: tuple[Shown, ...] = field(default=(), compare=False)
    abroad: tuple[str, ...] = ()


def situation_of(
    predictions: Sequence[Prediction],
    *,
    known: Sequence[Known] = (),
    victim: bool = False,
    urgency: bool = False,
    public_agent: bool = False,
) -> Situation:
    """The situation that texts show together; `known` holds as many entries as there are predictions, or none.

    Texts under level 2 count for nothing, unless a person put them at 2 or more; one where somebody may be in danger opens
    the way to help alone. `victim`, `urgency` and `public_agent` are what the person who asks knows.
    """
    besides = known or [Known() for _ in predictions]
    gathered = []
    for number, (prediction, one) in enumerate(zip(predictions, besides, strict=True), start=1):
        text = _Gathered(one.name or f"texte {number}" if len(predictions) > 1 else "", fold(one.author).strip())
        text.read(prediction, one)
        if text.grounds:
            gathered.append(text)
    answers = (("victim", victim), ("urgency", urgency), ("public_agent", public_agent))
    told = frozenset(name for name, holds in answers if holds)
    return _together(gathered, told)


def _together(gathered: "Sequence[_Gathered]", told: frozenset[str]) -> Situation:
    """What several texts show; of one author, a text that gives a title says more than one that gives none."""
    for text in gathered:
        alike = [one for one in gathered if not one.author or not text.author or one.author == text.author]
        if any("health_professional" in one.grounds for one in alike):
            text.grounds.pop("lay_author", None)
        if any(f"order:{_DOCTORS}" in one.grounds for one in alike):
            text.grounds.pop("not_doctor", None)
    # What a person told holds beside each text, and alone where no text shows anything.
    parts = tuple(one.shown(told) for one in gathered) or ((_Gathered("", "").shown(told),) if told else ())
    grounds: dict[str, dict[str, None]] = {}
    for part in parts:
        for name in sorted(part.conditions):
            grounds.setdefault(name, {}).update(dict.fromkeys(part.grounds.get(name, ())))
    status = next((one for one in _STATUSES if any(one in text.statuses for text in gathered)), "unknown")
    return Situation(
        frozenset().union(*(one.practices for one in gathered)),
        status,
        frozenset().union(*(one.orders for one in gathered)),
        frozenset(grounds),
        {name: tuple(values) for name, values in grounds.items()},
        parts,
        tuple(sorted({one.country for one in gathered} - {""})),
    )


def _quoted(prediction: Prediction, passages: Sequence[Place]) -> list[str]:
    """The words of passages, with personal data masked: reasons are read, copied and kept by more people than the text."""
    private = [(one.start, one.end) for one in prediction.entities if one.kind in PRIVATE]
    found = []
    for passage in passages:
        spans = [*((start - passage.start, end - passage.start) for start, end in private), *reached(passage.text)]
        inside = (any(start <= index < end for start, end in spans) for index in range(len(passage.text)))
        found.append("".join(MASK if hide else one for one, hide in zip(passage.text, inside, strict=True)))
    return found


@cache
def _product_words() -> Sequence[tuple[str, Mapping[str, str], "regex.Pattern[str]"]]:
    """For each kind of product: its words by their folded form, and a pattern that finds them, singular or plural."""
    found = []
    for product in load_directions().products:
        words = {fold(word): word for word in product.words}
        either = "|".join(regex.escape(word) for word in sorted(words, key=len, reverse=True))
        found.append((product.id, words, regex.compile(rf"(?<!\w)({either})[sx]?(?!\w)")))
    return found


@dataclass(slots=True)
class _Gathered:
    """What was found so far in one text."""

    name: str
    author: str
    country: str = ""
    practices: set[str] = field(default_factory=set)
    statuses: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    grounds: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, condition: str, *grounds: str) -> None:
        self.grounds.setdefault(condition, {}).update(dict.fromkeys(ground for ground in grounds if ground))

    def read(self, prediction: Prediction, known: Known) -> None:
        if at_risk(prediction):
            cues = _quoted(prediction, [cue for cue in prediction.context if cue.kind == "person_at_risk"])
            self.add("person_at_risk", *cues)
            self.add("urgency", *cues)
            self._place(known)
        said = prediction.risk.level if prediction.risk else 0
        level = said if known.decided_level is None else known.decided_level
        if level < FLAGGED:
            return
        self.add("level_2")
        self._place(known)
        if level >= PRIORITY:
            self.add("level_3")
        self.add("undecided" if known.decided_level is None else "decided")
        self._signs(prediction, known)
        self._author(prediction, known.text)
        self._practices(prediction, known)
        if known.url or known.channel in PUBLIC_CHANNELS:
            self.add("online_content")

    def _place(self, known: Known) -> None:
        if country := country_of(known.region):
            self.country = country
            self.add("abroad", known.region or "")

    def _signs(self, prediction: Prediction, known: Known) -> None:
        names = {indicator.id: indicator for indicator in prediction.indicators}
        decided = known.decided_level is not None
        signs = known.decided_signs if decided else prediction.present()
        for sign in (one for one in INDICATOR_IDS if one in signs):
            shown = _quoted(prediction, names[sign].evidence) if sign in names and not decided else []
            self.add(f"sign:{sign}", *shown)
            if sign in _DECEPTIVE:
                self.add("consumer_deception", *shown)
        for target in known.decided_targets if decided else prediction.targets:
            self.add(target)

    def _author(self, prediction: Prediction, text: str) -> None:
        status = prediction.author.status if prediction.author else "unknown"
        own = _own_regulated(prediction, text)
        if own is None:
            # The model takes for the author's a title that is not: none of a health profession is left.
            status = "unregulated" if status == "mixed" else "unknown"
        self.statuses.add(status)
        shown = (prediction.author.text or "") if prediction.author else ""
        self.add(f"author:{status}", shown)
        if status in _LAY:
            self.add("lay_author", shown)
        # At level 2 or more a person says that the author promotes, or the model.
        if own is not None and (beside := beside_of(prediction, promotes=True)):
            self.add("beside_title", *(one.name for one in beside))
        titles = own or {}
        if status == "regulated" or titles:
            self.add("health_professional", *([title for _, title in titles.values()] or [shown]))
        for order, title in titles.values():
            if order:
                self.orders.add(order)
                self.add(f"order:{order}", title)
        if _DOCTORS not in self.orders:
            self.add("not_doctor", shown)
        numbers = [one for one in prediction.entities if one.kind == "rpps" and (one.value or {}).get("valid")]
        if (status == "protected_title" or (status == "mixed" and not titles)) and not numbers:
            self.add("unchecked_title", shown)

    def _practices(self, prediction: Prediction, known: Known) -> None:
        table = {practice.id: practice for practice in load_tables().practices}
        named = {mention.id: mention.name for mention in prediction.practices if mention.id in table}
        self.practices |= set(named)
        for id, name in named.items():
            self.add(f"practice:{id}", name)
            for letter in table[id].danger:
                self.add(f"danger:{letter}", name)
        for product in load_directions().products:
            for id in product.practices:
                if id in named:
                    self._product(product.id, named[id])
        passages = [passage.text for indicator in prediction.indicators for passage in indicator.evidence]
        folded = " ".join(fold(known.text or "\n".join(passages)).split())
        for kind, words, pattern in _product_words():
            if found := pattern.search(folded):
                self._product(kind, words[found[1]])
        if death := _DEATH.search(folded):
            self.add("death_told", death[0])

    def _product(self, kind: str, ground: str) -> None:
        self.add("product", ground)
        self.add(f"product:{kind}", ground)

    def shown(self, told: frozenset[str]) -> Shown:
        grounds = {name: tuple(values) for name, values in self.grounds.items()}
        return Shown(frozenset(grounds) | told, grounds, self.name, told - frozenset(grounds))


def _own_regulated(prediction: Prediction, text: str) -> dict[str, tuple[str, str]] | None:
    """The order (or "") and the passage of each regulated title that the author takes for themself, by its identifier.

    The title at the author's passage is theirs. Another one counts only where it must be: the status says that one of
    another kind is theirs, and the text names a single one. A doctor whom the text merely sends to is nobody's title.
    None: none is the author's after all: a « docteur » of something else, « dix-neuf médecins », « ancienne infirmière ».
    """
    author = prediction.author
    if author is None or author.start is None or author.end is None:
        return {}
    table = {title.id: title for title in load_tables().titles}
    named = [(table[id], entity) for entity in prediction.entities if (id := _title_id(entity)) in table]
    first = [(title, entity) for title, entity in named if entity.start < author.end and author.start < entity.end]
    if author.status == "mixed":
        wanted: tuple[str, ...] = ("regulated", "protected_title")
    else:
        wanted = ("regulated",) if author.status == "regulated" else ()
    chosen = [(title, entity) for title, entity in first if title.status in wanted]
    if not chosen:
        others = [(title, entity) for title, entity in named if title.status in wanted]
        chosen = others if len({title.id for title, _ in others}) == 1 else []
    regulated = [(title, entity) for title, entity in chosen if title.status == "regulated"]
    owned = [(title, entity) for title, entity in regulated if _is_own(entity, text)]
    found = dict(said for title, entity in owned if (said := _said(title, entity, prediction, text)))
    return found if found or not regulated else None


def _is_own(entity: EntityMention, text: str) -> bool:
    """Whether a title is the author's own; without the text, only its number can be told."""
    known = text[entity.start : entity.end] == entity.text
    return is_own(text, entity.start, entity.end) if known else is_single(entity.text)


def _said(title: Title, entity: EntityMention, prediction: Prediction, text: str) -> tuple[str, tuple[str, str]] | None:
    """A regulated title with its order and passage; for a « docteur », what the words around it say; None: no such title."""
    if title.id != DOCTOR:
        return title.id, (title.order, entity.text)
    table = {one.id: one for one in load_tables().titles}
    others = [one for one in prediction.entities if _title_id(one) in table and _title_id(one) != DOCTOR]
    people = [one for one in prediction.entities if one.kind == "person"]
    doctor = doctor_of(entity, text, others, people)
    if doctor.beside is not None:
        precise = table[_title_id(doctor.beside)]
        regulated = precise.status == "regulated"
        return (precise.id, (precise.order, f"{entity.text}, {doctor.beside.text}")) if regulated else None
    return (title.id, (doctor.order, entity.text)) if doctor.health else None


def _title_id(entity: EntityMention) -> str:
    return str((entity.value or {}).get("id", "")) if entity.kind == "title" else ""
