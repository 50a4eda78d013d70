"""Everything that must hold of the corpus, checked; each fault names its file and line."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.entities import find_contacts
from model.labels import CHANNEL_IDS, INDICATOR_IDS
from model.levels import level_of
from model.text import clean, words_of
from training.corpus import SPLITS, AnnotatedText, Annotation, Line, Passage, read_lines
from training.neardup import near_pairs
from training.plan import is_page, measure, pairs_of
from training.themes import themes

#: Numbers that Arcep keeps for fiction (décision 2018-0881), in E.164 without the plus sign, and Québec's 555-01xx.
_FICTION_NUMBERS: Final = ("3319900", "3326191", "3335301", "3346571", "3353649", "3363998")
_FICTION_DOMAIN: Final = ".example"
_LEAST_WORDS: Final = 3
_MOST_PASSAGE_WORDS: Final = 40
#: Balance is asked of a whole corpus, not of a file that someone checks on the way.
_WHOLE: Final = 1_000
_LEAST_WRITERS: Final = 3


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How many texts were read, and the faults found, each « file:line : what is wrong, what was expected »."""

    texts: int
    faults: tuple[str, ...]


def check_corpus(source: Path) -> CheckReport:
    """Check a corpus folder or file.

    Raises:
        CorpusError: there is no file to check.
    """
    lines = list(read_lines(source))
    faults = [f"{line.place} : {line.problem}" for line in lines if line.text is None]
    good = [(line, line.text) for line in lines if line.text is not None]
    for line, text in good:
        faults += [f"{line.place} : {fault}" for fault in (*_form(text), *_contacts(text))]
    faults += _identifiers(good)
    faults += _near_duplicates(good)
    faults += _splits(good)
    faults += _pairs(good)
    if len(good) >= _WHOLE:
        faults += [f"{source} : {fault}" for fault in _balance([text for _, text in good])]
    return CheckReport(len(good), tuple(faults))


def _form(text: AnnotatedText) -> Iterator[str]:
    """Offsets, level against indicators and targets, and the fields that go together."""
    if len(words_of(text.text)) < _LEAST_WORDS:
        yield f"texte de moins de {_LEAST_WORDS} mots"
    yield from _passages(text.text, text.indicators)
    for other in text.annotations:
        for fault in (*_passages(text.text, other.indicators), *_level(other)):
            yield f"annotation de {other.annotator.id} : {fault}"
    if text.stance != "promotes" and text.indicators:
        yield f"stance {text.stance} avec des signes ; aucun n'est attendu"
    yield from _level(text)
    if "serious_illness" in text.targets and "illness" not in text.targets:
        yield "targets : serious_illness sans illness"
    if text.lookalike and text.risk_level:
        yield f"lookalike {text.lookalike} sur un texte de niveau {text.risk_level} ; le niveau 0 est attendu"
    yield from _description(text)
    for field in ("writer", "group"):
        if not getattr(text, field):
            yield f"champ « {field} » vide"
    if text.annotator is None:
        yield "champ « annotator » absent"
    if text.split not in SPLITS:
        yield f"split « {text.split} » ; {', '.join(SPLITS)} attendu"


def _description(text: AnnotatedText) -> Iterator[str]:
    """Theme, genre, register and marks."""
    if text.theme not in themes():
        yield f"champ « theme » : « {text.theme} » n'est pas dans la table des thèmes"
    if (text.genre is not None) != is_page(text):
        yield f"champ « genre » {text.genre} sur le canal {text.channel} ; il dit le genre des passages de pages, et d'eux seuls"
    if text.register_ is None:
        yield "champ « register » absent"
    if "soft_sentence" in text.marks and not text.flagged:
        yield f"mark soft_sentence sur un texte de niveau {text.risk_level} ; 2 ou 3 est attendu"
    if "facade_disclaimer" in text.marks and not text.risk_level:
        yield "mark facade_disclaimer sur un texte de niveau 0 ; un signe est attendu à côté de la clause"
    if "person_at_risk" in text.marks and text.stance != "neutral":
        yield f"mark person_at_risk avec la stance {text.stance} ; neutral est attendu"


def _level(labels: AnnotatedText | Annotation) -> Iterator[str]:
    """The level against stance, indicators and targets."""
    signs = {passage.label for passage in labels.indicators}
    level = level_of(labels.stance, signs, labels.targets).value
    if level != labels.risk_level:
        shown = ", ".join(sorted(signs)) or "aucun signe"
        aimed = ", ".join(labels.targets) or "rien de visé"
        yield f"niveau {labels.risk_level}, mais le guide donne {level} ({shown} ; {aimed})"


def _passages(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    for passage in passages:
        where = f"passage {passage.label} [{passage.start}, {passage.end}["
        if not passage.start < passage.end <= len(text):
            yield f"{where} hors du texte ({len(text)} points de code)"
            continue
        shown = text[passage.start : passage.end]
        if shown != shown.strip() or not shown.strip():
            yield f"{where} commence ou finit par un blanc : {shown[:30]!r}"
        if len(words_of(shown)) > _MOST_PASSAGE_WORDS:
            yield f"{where} compte {len(words_of(shown))} mots ; {_MOST_PASSAGE_WORDS} au plus sont attendus"


def _contacts(text: AnnotatedText) -> Iterator[str]:
    """Phones, addresses and numbers that could be somebody's."""
    cleaned = clean(text.text).text
    for entity in find_contacts(cleaned):
        shown = cleaned[entity.span.start : entity.span.end]
        if entity.kind == "phone":
            number = str((entity.value or {}).get("e164", "")).lstrip("+")
            if not number.startswith(_FICTION_NUMBERS) and "55501" not in number:
                yield f"numéro de téléphone qui pourrait être réel : {shown}"
        elif entity.kind in ("email", "url") and _FICTION_DOMAIN not in shown:
            yield f"adresse qui pourrait être réelle : {shown} ({_FICTION_DOMAIN} attendu)"
        elif entity.kind == "siret" or (entity.kind == "rpps" and (entity.value or {}).get("valid")):
            yield f"numéro {entity.kind.upper()} valide, qui pourrait être réel : {shown}"


def _identifiers(good: Sequence[tuple[Line, AnnotatedText]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for line, text in good:
        if text.id in first:
            yield f"{line.place} : identifiant « {text.id} » déjà pris en {first[text.id]}"
        first.setdefault(text.id, line.place)


def _near_duplicates(good: Sequence[tuple[Line, AnnotatedText]]) -> Iterator[str]:
    same: dict[str, str] = {}
    for line, text in good:
        key = " ".join(words_of(text.text.casefold()))
        if key in same:
            yield f"{line.place} : même texte qu'en {same[key]}"
        same.setdefault(key, line.place)
    for pair in near_pairs([text.text for _, text in good]):
        (first_line, first), (second_line, second) = good[pair.first], good[pair.second]
        if first.group != second.group:
            yield (
                f"{second_line.place} : ressemble à {first_line.place} (Jaccard {pair.similarity:.2f}) sans être du même groupe"
            )


def _splits(good: Sequence[tuple[Line, AnnotatedText]]) -> Iterator[str]:
    home: dict[str, tuple[str, str]] = {}
    writers: dict[str, set[str]] = defaultdict(set)
    for line, text in good:
        writers[text.split].add(text.writer)
        split, place = home.setdefault(text.group, (text.split, line.place))
        if split != text.split:
            yield f"{line.place} : groupe « {text.group} » en {text.split}, mais en {split} en {place}"
    if "train" in writers:
        for split in ("dev", "test"):
            if writers.get(split) and not writers[split] - writers["train"]:
                yield f"{good[0][0].file.parent} : {split} ne tient aucun rédacteur absent de train"


def _pairs(good: Sequence[tuple[Line, AnnotatedText]]) -> Iterator[str]:
    """A contrast pair has two halves of one kind whose verdicts differ."""
    place = {text.id: line.place for line, text in good}
    for group, halves in pairs_of([text for _, text in good]).items():
        where = place[halves[0].id]
        if len(halves) != 2:
            yield f"{where} : paire « {group} » de {len(halves)} moitié(s) ; 2 sont attendues"
        elif halves[0].contrast != halves[1].contrast:
            yield f"{where} : paire « {group} » de deux genres ({halves[0].contrast}, {halves[1].contrast})"
        elif len({(half.stance, half.risk_level, half.labels()) for half in halves}) == 1:
            yield f"{where} : les deux moitiés de la paire « {group} » ont le même verdict"


def _balance(texts: Sequence[AnnotatedText]) -> Iterator[str]:
    """What a whole corpus lacks of its plan, and labels or channels that only few hands show."""
    for goal in measure(texts):
        if not goal.reached:
            yield f"plan, {goal.name} : {goal.found:.4g} ; {goal.asked:g} attendu"
    for label in INDICATOR_IDS:
        if len({text.writer for text in texts if label in text.labels()}) < _LEAST_WRITERS:
            yield f"indicateur {label} : moins de {_LEAST_WRITERS} rédacteurs"
    channels = Counter[str](text.channel for text in texts)
    for channel in CHANNEL_IDS:
        if not channels[channel]:
            yield f"canal {channel} : aucun texte"


__all__ = ["CheckReport", "check_corpus"]
