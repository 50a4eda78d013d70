"""Whom a situation may be taken to, and the articles of law to look at, each with its reasons; nothing is ever sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from model.labels import INDICATOR_NAMES
from model.tables import Practice, load_tables
from service.directions.situations import Shown, Situation
from service.directions.tables import GROUPS, Authority, load_directions

#: What opens the way to help whatever the level of the text: somebody may be in danger, or says to have been harmed.
HELP_CONDITIONS: Final = frozenset({"person_at_risk", "victim", "urgency"})
_MOST_GROUNDS: Final = 3
_MOST_NAMES: Final = 6
_LONGEST_GROUND: Final = 120


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to consider: what they take and how, on what basis, from which source, and why here."""

    id: str
    name: str
    takes: str
    how: str
    link: str
    phone: str
    legal_basis: str
    source: str
    source_date: str
    verify: bool
    reasons: tuple[str, ...]
    group: str


@dataclass(frozen=True, slots=True)
class Question:
    """An article of law as a question; `penalty` is what the source reports, for information."""

    id: str
    article: str
    title: str
    asks: str
    penalty: str
    link: str
    verify: bool
    reasons: tuple[str, ...]
    handling: bool


def recipients(situation: Situation) -> tuple[Recipient, ...]:
    """Whom to consider; nobody under level 2, except help for a person in danger.

    Emergencies come first, then help where somebody may be in danger, then the others in the order of the table.
    """
    found = [(one, reasons) for one in load_directions().authorities if (reasons := _reasons_for(one, situation))]
    ranks = {group: rank for rank, group in enumerate(groups_of(situation))}
    return tuple(_recipient(one, reasons) for one, reasons in sorted(found, key=lambda pair: ranks[pair[0].group]))


def groups_of(situation: Situation | None) -> tuple[str, ...]:
    """The groups of recipients, in the order in which to consider them."""
    if situation is None or situation.conditions & HELP_CONDITIONS:
        return GROUPS
    return (*(group for group in GROUPS if group != "help"), "help")


def _recipient(one: Authority, reasons: tuple[str, ...]) -> Recipient:
    return Recipient(
        one.id,
        one.name,
        one.takes,
        one.how,
        one.link,
        one.phone,
        one.legal_basis,
        one.source,
        one.source_date,
        one.verify,
        reasons,
        one.group,
    )


def questions(situation: Situation) -> tuple[Question, ...]:
    """The articles of law to look at, as questions; none under level 2. Those on the handling of the text come last."""
    if "level_2" not in situation.conditions:
        return ()
    found = []
    for law in sorted(load_directions().laws, key=lambda one: one.handling):
        # The law of France has nothing to ask of a text from elsewhere; what we do with that text is done here.
        texts = [one for one in _parts(situation) if "level_2" in one.conditions and (law.handling or not _is_abroad(one))]
        if reasons := _reasons(law.when, frozenset(), texts, situation, quote=False):
            found.append(
                Question(law.id, law.article, law.title, law.asks, law.penalty, law.link, law.verify, reasons, law.handling)
            )
    return tuple(found)


def _reasons_for(authority: Authority, situation: Situation) -> tuple[str, ...]:
    if authority.order and authority.order not in situation.orders:
        return ()
    needed = frozenset(authority.all) | ({f"order:{authority.order}"} if authority.order else frozenset())
    texts = [one for one in _parts(situation) if _is_open(authority, one)]
    return _reasons(authority.when, needed, texts, situation, told=authority.all)


def _is_open(authority: Authority, text: Shown) -> bool:
    """Whether an authority may be proposed at all for a text; outside France, only help and whoever is there."""
    held = _sourced(text)
    flagged = "level_2" in held or (authority.help and held & HELP_CONDITIONS)
    return bool(flagged) and (authority.help or "abroad" in authority.when or not _is_abroad(text))


def _is_abroad(text: Shown) -> bool:
    return "abroad" in text.conditions


def _parts(situation: Situation) -> tuple[Shown, ...]:
    """What each text shows; a situation that does not say it is one text."""
    if situation.parts:
        return situation.parts
    named = {f"order:{order}" for order in situation.orders} | {f"practice:{id}" for id in situation.practices}
    return (Shown(situation.conditions | named, situation.grounds),)


def _reasons(
    when: Sequence[str],
    needed: frozenset[str],
    texts: Sequence[Shown],
    situation: Situation,
    *,
    told: Sequence[str] = (),
    quote: bool = True,
) -> tuple[str, ...]:
    """Why a rule holds for texts, each judged alone; none where it holds for no text."""
    if not any({*one.split("+"), *needed} <= _sourced(text) for one in when for text in texts):
        return ()
    found: dict[str, None] = {}
    for one in when:
        showing = tuple(text for text in texts if {*one.split("+"), *needed} <= text.conditions)
        if showing:
            among = _among(situation, showing, quote=quote)
            found |= dict.fromkeys(reason_of(part, among) for part in (*one.split("+"), *told))
    # What every rule wants comes after what opens the way.
    last = {reason_of(part, _among(situation, texts, quote=quote)) for part in told}
    return (*(one for one in found if one not in last), *(one for one in found if one in last))


def _among(situation: Situation, texts: Sequence[Shown], *, quote: bool) -> Situation:
    """A situation that some of its texts make alone."""
    grounds: dict[str, dict[str, None]] = {}
    for text in texts if quote else ():
        for name, words in text.grounds.items():
            grounds.setdefault(name, {}).update(dict.fromkeys(words))
    named = frozenset().union(*(_practices(text) for text in texts))
    return replace(
        situation, practices=named, grounds={name: tuple(words) for name, words in grounds.items()}, parts=tuple(texts)
    )


def _practices(text: Shown) -> frozenset[str]:
    return frozenset(one.removeprefix("practice:") for one in text.conditions if one.startswith("practice:"))


def _sourced(text: Shown) -> frozenset[str]:
    """The conditions that may open a way: a danger that no source states is told beside others, and opens nothing alone."""
    ids = _practices(text)
    named = [one for one in load_tables().practices if one.id in ids]
    stated = {f"danger:{letter}" for one in named if has_source(one) for letter in one.danger}
    supposed = {f"danger:{letter}" for one in named for letter in one.danger} - stated
    return text.conditions - supposed


def has_source(practice: Practice) -> bool:
    """Whether anybody is known to say anything of a practice: its entry has a source, or a statement is kept."""
    fact = load_directions().facts.get(practice.id)
    return bool(practice.source) or bool(fact and fact.statements)


def reason_of(condition: str, situation: Situation) -> str:
    """A condition in words, with what shows it and where: « Le texte nomme un appareil : « boîtier » (texte 2) »."""
    tables = load_directions()
    kind, _, value = condition.partition(":")
    if kind == "danger":
        return _danger(condition, tables.dangers[value], value, situation)
    showing = [one for one in situation.parts if condition in one.conditions - one.told]
    names = _names(showing)
    if kind == "practice":
        name = next(one.name for one in load_tables().practices if one.id == value)
        return f"Pratique nommée : {name}{_named(names)}"
    grounds = _where(condition, situation, showing)
    if kind == "sign":
        return _with(f"Indice relevé, « {INDICATOR_NAMES[value]} »", names, grounds)
    if kind == "order":
        return _with(f"Titre affiché, qui relève de l'{value}", names, grounds)
    return _with(tables.conditions[condition], names, grounds, quote=condition != "beside_title")


#: Words that show something, each with the names of the texts that hold them.
_Where = list[tuple[str, list[str]]]


def _names(texts: Sequence[Shown]) -> list[str]:
    return [one.name for one in texts if one.name]


def _where(condition: str, situation: Situation, showing: Sequence[Shown]) -> _Where:
    words = situation.grounds.get(condition, ())
    return [(word, _names([one for one in showing if word in one.grounds.get(condition, ())])) for word in words]


def _named(names: Sequence[str]) -> str:
    """Which texts show something: « (texte 2) », « (textes 2, 5) »; nothing where there is one text only."""
    if not names:
        return ""
    if len(names) == 1 or not all(one.startswith("texte ") for one in names):
        shown = ", ".join(names[:_MOST_NAMES])
    else:
        shown = "textes " + ", ".join(one.removeprefix("texte ") for one in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f" ({shown}{f' et {more} de plus' if more > 0 else ''})"


def _danger(condition: str, said: str, letter: str, situation: Situation) -> str:
    """What sources say of practices; or, where there is none, that the table of Vigie alone supposes it."""
    named = [one for one in load_tables().practices if one.id in situation.practices and letter in one.danger]
    stated = [one for one in named if has_source(one)]
    told = sorted(stated or named, key=lambda one: one.name)
    naming = {one.id: [text for text in situation.parts if f"practice:{one.id}" in text.conditions] for one in told}
    # A text that names but a practice without source is no text of which sources say anything.
    showing = [text for text in situation.parts if any(text in texts for texts in naming.values())]
    words = f"Pratique nommée dont les sources disent « {said} »"
    if named and not stated:
        words = f"Danger supposé par la table de Vigie, sans source, à vérifier, « {said} »"
    if not named:
        showing = [one for one in situation.parts if condition in one.conditions]
        return _with(words, _names(showing), _where(condition, situation, showing), quote=False)
    return _with(words, _names(showing), [(one.name, _names(naming[one.id])) for one in told], quote=False)


def _with(words: str, names: Sequence[str], grounds: _Where, *, quote: bool = True) -> str:
    """Words, what shows them, and where: each quotation is followed by the texts that hold it, and by no other."""
    if not grounds:
        return words + _named(names)
    kept, more = grounds[:_MOST_GROUNDS], len(grounds) - _MOST_GROUNDS
    shown = [f"« {_short(word)} »" if quote else _short(word) for word, _ in kept]
    beyond = f" et {more} de plus" if more > 0 else ""
    if all(where == names for _, where in kept):
        return f"{words} : {', '.join(shown)}{beyond}{_named(names)}"
    listed = ", ".join(one + _named(where) for one, (_, where) in zip(shown, kept, strict=True))
    others = set(names) - {name for _, where in kept for name in where}
    return f"{words}{_named(names) if others else ''} : {listed}{beyond}"


def _short(ground: str) -> str:
    line = " ".join(ground.split())
    if len(line) <= _LONGEST_GROUND:
        return line
    return f"{line[:_LONGEST_GROUND].rsplit(' ', 1)[0]} […]"
