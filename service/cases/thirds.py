"""Personal data of people other than those whom a case is about, replaced in what is exported by numbered labels.

Who is not a third party: the author of a text that promotes something, and whom the case concerns, by name. How to reach the
author stays where such a text gives it as the author's own, with nobody else's name beside it. In doubt, it is masked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import regex

from model.records import Prediction
from model.text import fold
from service.campaigns.contacts import Listing, contacts_of
from service.campaigns.spoken import spoken_contacts
from service.cases.names import alone, announced, parts_of, people_in, without_civility, words_of
from service.privacy.personal import find_personal
from service.workplace.identifiers import identifiers

#: Kinds of entities that are masked, and how each is called.
LABELS: Final[Mapping[str, str]] = {
    "person": "personne",
    "phone": "téléphone",
    "email": "courriel",
    "url": "adresse en ligne",
    "handle": "compte",
    "address": "adresse",
    "siret": "identifiant",
    "rpps": "identifiant",
    "adeli": "identifiant",
    "registration": "identifiant",
    "nir": "numéro de sécurité sociale",
    "iban": "compte bancaire",
    "card": "carte bancaire",
    "birth": "date de naissance",
}
_OWN_CHANNELS: Final = frozenset({"ad", "directory", "website", "newsletter"})
_SPOKEN_CHANNELS: Final = frozenset({"social_post", "video_transcript"})
_NAMES: Final = frozenset({"person", "handle"})
#: What an author gives to be reached; a number that names one person is never spared.
_REACH: Final = frozenset({"phone", "email", "url", "handle", "address", "siret", "rpps", "adeli", "registration"})
#: How to reach somebody, where no model said that it is there.
_REACHED: Final = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("handle", re.compile(r"(?<![\w.])@\w[\w.]{2,}")),
    ("phone", re.compile(r"(?<![\d.,/-])(?:\+\d{1,3}[ .\u00a0\u202f-]?|0)\d(?:[ .\u00a0\u202f-]?\d\d){4}(?!\d)")),
)
#: What is found again however it is spaced or accented.
_LOOSE: Final = frozenset({"person", "phone", "nir", "iban", "card"})
_SHORTEST: Final = 3
_WORD: Final = re.compile(r"\w+")
_SENTENCE: Final = regex.compile(r"(?<![.!?…])[.!?…]+[\s»\")]|\n")
_SHORT_WORDS: Final = regex.compile(r"\b(?:tel|tél|mob|port|mme|mlle|mr?|dr|pr|me)\.(?=\s)|(?<=\p{Lu})\.", regex.IGNORECASE)
#: Somebody whom a text speaks of: their number is not its author's.
_OTHERS: Final = regex.compile(
    r"\b(?:patiente?s?|clientes?|clients?|eleves?|stagiaires?|adherente?s?|disciples?|temoins?|fille|fils|mere|pere|maman|mari"
    r"|femme|epoux|epouse|soeur|frere|voisine?|amie?s?|cousine?|tante|oncle|niece|neveu|collegue|lui|elle|son|sa)\b"
)
_BEFORE: Final = 120
_AFTER: Final = 30
_ACCENTS: Final = {"a": "aàâä", "c": "cç", "e": "eéèêë", "i": "iîï", "o": "oôö", "u": "uùûü", "y": "yÿ"}
_GAP: Final = "[\\s\u00a0\u202f'’.-]*"
#: The name of several third parties at once.
SEVERAL: Final = "[personne]"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text (code points, `end` excluded) and what is shown in its place."""

    start: int
    end: int
    label: str


@dataclass(slots=True)
class Masks:
    """Labels given so far, so that the same person or number has the same label in the whole dossier.

    `concerned`: names that stay (authors, whom the case concerns); `asked`: expressions that people asked to mask.
    Without `on`, nothing is masked.
    """

    concerned: Sequence[str] = ()
    asked: Sequence[str] = ()
    on: bool = True
    _waiting: dict[tuple[str, str], None] = field(default_factory=dict)
    _labels: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)
    _written: dict[str, tuple[str, str]] = field(default_factory=dict)
    _parts: dict[str, str] = field(default_factory=dict)
    _aliases: dict[str, set[str]] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)
    _pattern: "regex.Pattern[str] | None" = None

    def learn(self, text: str, prediction: Prediction | None, channel: str | None, *, promotes: bool) -> None:
        """Learn what must be masked in a text; to be called for every text before any is shown."""
        people = prediction is None or prediction.analysis != "full"
        self._take(text, list(_found(text, prediction, people=people)), (prediction, channel) if promotes else None)

    def _take(
        self, text: str, found: Sequence[tuple[str, int, int]], promoted: tuple[Prediction | None, str | None] | None = None
    ) -> None:
        own = _own_places(text, *promoted, found, self._others(text, found)) if promoted else frozenset()
        for kind, start, end in found:
            value = text[start:end]
            if (kind in _REACH and (start, end) in own) or self._is_concerned(kind, value):
                self._own.add(_same(value))
                self._pattern = None
            else:
                self._waiting[kind, value.strip()] = None
        for expression in self.asked:
            for place in re.finditer(re.escape(expression), text, re.IGNORECASE):
                self._waiting["asked", place.group()] = None

    def read(self, *words: str | None) -> None:
        """Learn what must be masked in what people wrote: titles, notes, reasons, answers."""
        for said in words:
            if said:
                self.learn(said, None, None, promotes=False)

    def _others(self, text: str, found: Sequence[tuple[str, int, int]]) -> list[tuple[int, int]]:
        """Where a text names people whom the case is not about."""
        return [(start, end) for kind, start, end in found if kind == "person" and not self._is_concerned(kind, text[start:end])]

    def _is_concerned(self, kind: str, value: str) -> bool:
        if kind not in _NAMES:
            return False
        words = _WORD.findall(fold(without_civility(value)))
        whole = "".join(words)
        for name in self.concerned:
            known = _WORD.findall(fold(name))
            if whole == "".join(known) or (words and len(whole) > _SHORTEST and set(words) <= set(known)):
                return True
        return False

    def _settle(self) -> None:
        """Give labels to what was learnt, whole names before parts of them."""
        if not self._waiting:
            return
        waiting, self._waiting = list(self._waiting), {}
        for kind, value in sorted(waiting, key=lambda one: one[0] == "person" and len(words_of(one[1])) <= 1):
            if _same(value) not in self._own:
                self._label(kind, value)
        self._pattern = None

    def _label(self, kind: str, value: str) -> None:
        plain = without_civility(value) if kind == "person" else value
        if len(plain) < _SHORTEST and kind != "asked":
            return
        name, same = LABELS.get(kind, "passage masqué"), _same(plain)
        ordinary = alone(plain) if kind == "person" else None
        self._written[plain] = same, ordinary or (_loose(plain) if kind in _LOOSE else re.escape(plain))
        if same in self._known:
            return
        alike = self._aliases.get(same, set()) if kind == "person" else set()
        if not alike:
            self._counts[name] = self._counts.get(name, 0) + 1
            alike = {f"[{name} {self._counts[name]}]"}
            self._labels[name, same] = next(iter(alike))
        label = next(iter(alike)) if len(alike) == 1 else SEVERAL
        self._known[same] = label
        if kind == "person":
            kept = {word for name in self.concerned for word in _WORD.findall(fold(name))}
            sure = parts_of(plain)
            for part in words_of(plain):
                if fold(part) not in kept:
                    self._aliases.setdefault(_same(part), set()).add(label)
                    if part in sure:
                        self._parts[_same(part)] = part

    def spans(self, text: str) -> list[Span]:
        """What to mask in any text or note, sorted, none over another."""
        self._settle()
        if self._pattern is None:
            self._pattern = self._compiled()
        return [Span(*found.span(), self._shown(found.group())) for found in self._pattern.finditer(text)]

    def _compiled(self) -> "regex.Pattern[str]":
        """Whole values without regard to case, accents or gaps; parts of names with their capital alone."""
        # What the author says as their own in one text is not a third party's in another.
        values = [(plain, pattern) for plain, (same, pattern) in self._written.items() if same not in self._own]
        values += [(one, re.escape(one)) for one in self.asked]
        parts = [one for same, one in self._parts.items() if same not in self._known and same not in self._own]
        values += [(one, f"(?-i:{_capital(one)})") for one in parts]
        values.sort(key=lambda pair: len(pair[0]), reverse=True)
        either = "|".join(_bounded(pattern, one) for one, pattern in values)
        return regex.compile(either or r"(?!)", regex.IGNORECASE)

    def _shown(self, value: str) -> str:
        same = _same(value)
        if label := self._known.get(same):
            return label
        alike = self._aliases.get(same, set())
        return next(iter(alike)) if len(alike) == 1 else SEVERAL if alike else "[passage masqué]"

    def words(self, text: str | None, *, reach: bool = True) -> str:
        """A note or a value, masked: what is known, and, with `reach`, every number or way to reach somebody that it holds."""
        said = text or ""
        if not self.on:
            return said
        if reach:
            self._take(said, list(_found(said, None)))
        return shown(said, 0, len(said), self.spans(said))

    @property
    def count(self) -> int:
        """How many people, numbers and addresses have a label."""
        self._settle()
        return len(self._labels)


def _same(value: str) -> str:
    """One form for all ways to write a value: no case, accents or gaps, French numbers as dialled in the country."""
    plain = re.sub(r"[\W_]", "", fold(value)) or value.strip()
    return re.sub(r"^(?:0033|33)0?(?=[1-9]\d{8}$)", "0", plain)


def _loose(value: str) -> str:
    """A pattern for a value with other gaps, accents or none."""
    folded = fold(value)
    if sum(one.isalnum() for one in folded) < _SHORTEST or len(folded) != len(value):
        return re.escape(value)
    words = re.findall(r"[^\W_]+", folded)
    if not any(one.isalpha() for one in folded):
        words = list("".join(words))
    pattern = _GAP.join("".join(map(_accented, word)) for word in words)
    return re.escape(value[: len(value) - len(value.lstrip("+"))]) + pattern


def _accented(letter: str) -> str:
    return f"[{_ACCENTS[letter]}]" if letter in _ACCENTS else re.escape(letter)


def _capital(word: str) -> str:
    rest = "".join(map(_accented, fold(word[1:])))
    first = f"[{word[0]}{fold(word[0]).upper()}]"
    return f"(?:{first}{rest}|(?:{re.escape(word.upper())}|{re.escape(fold(word).upper())}))"


def _bounded(pattern: str, word: str) -> str:
    first = r"(?<!\w)" if word[:1].isalnum() else ""
    return first + pattern + (r"(?!\w)" if word[-1:].isalnum() else "")


def _found(text: str, prediction: Prediction | None, *, people: bool = False) -> Iterable[tuple[str, int, int]]:
    """Kind and place of all that may be a third party's; `people`: names are looked for here, beside those of the prediction."""
    entities = [one for one in prediction.entities if one.kind in LABELS] if prediction is not None else []
    found = [(one.kind, one.start, one.end) for one in entities]
    found += [("person", *place) for place in (people_in(text) if people else announced(text))]
    for kind, pattern in _REACHED:
        found += [(kind, one.start(), one.end()) for one in pattern.finditer(text)]
    found += identifiers(text)
    found += [(one["kind"], one["start"], one["end"]) for one in spoken_contacts(text) if one["kind"] in LABELS]
    yield from found
    # What masks the screen masks here too; the places above are those by which a contact is known for the author's own.
    for more in find_personal(text, prediction):
        if not any(start < more.end and more.start < end for _, start, end in found):
            yield more.kind, more.start, more.end


def _own_places(
    text: str,
    prediction: Prediction | None,
    channel: str | None,
    found: Sequence[tuple[str, int, int]],
    others: Sequence[tuple[int, int]],
) -> frozenset[tuple[int, int]]:
    """Where a text that promotes gives its author's own contacts: those that no other person's name or mention stands beside."""
    if channel not in _OWN_CHANNELS and channel not in _SPOKEN_CHANNELS:
        return frozenset()
    entities = [one.model_dump() for one in prediction.entities] if prediction is not None else None
    cues = [one.model_dump() for one in prediction.context] if prediction is not None else []
    held = contacts_of(Listing(text, channel=channel), entities, cues)
    mentioned = {(one.start, one.end) for one in held if one.role == "mention"}
    return frozenset(
        (start, end)
        for kind, start, end in found
        if kind in _REACH and (start, end) not in mentioned and not _beside(text, start, end, others)
    )


def _beside(text: str, start: int, end: int, others: Sequence[tuple[int, int]]) -> bool:
    """Whether the sentence of a contact, up to it, speaks of somebody else, or a name that is not the author's follows it."""
    before = _SHORT_WORDS.sub(lambda one: one.group()[:-1] + " ", text[max(0, start - _BEFORE) : start])
    cut = max((one.end() for one in _SENTENCE.finditer(before)), default=0)
    first = start - len(before) + cut
    after = text[end : end + _AFTER]
    stop = _SENTENCE.search(after)
    last = end + (stop.start() if stop else len(after))
    named = any(place[0] < last and first < place[1] for place in others)
    return named or _OTHERS.search(fold(before[cut:])) is not None


def shown(text: str, start: int, end: int, spans: Sequence[Span], *, alone: bool = True) -> str:
    """The part of a text from `start` to `end`, masked.

    `alone`: a mask that starts before is shown too; otherwise it belongs to the part before, which was shown already.
    """
    pieces, place = [], start
    for span in spans:
        if span.end <= start or span.start >= end:
            continue
        pieces.append(text[place : max(span.start, place)])
        if span.start >= start or alone:
            pieces.append(span.label)
        place = min(span.end, end)
    pieces.append(text[place:end])
    return "".join(pieces)
