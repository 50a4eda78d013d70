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
from training.corpus import SPLITS, AnnotatedText, Line, read_lines
from training.neardup import near_pairs

#: Numbers that Arcep keeps for fiction (décision 2018-0881), in E.164 without the plus sign, and Québec's 555-01xx.
_FICTION_NUMBERS: Final = ("3319900", "3326191", "3335301", "3346571", "3353649", "3363998")
_FICTION_DOMAIN: Final = ".example"
_LEAST_WORDS: Final = 3
_MOST_PASSAGE_WORDS: Final = 40
#: Balance is asked of a whole corpus, not of a file that someone checks on the way.
_WHOLE: Final = 1_000
_LEAST_PER_INDICATOR: Final = 50
_LEAST_WRITERS: Final = 3
_LOOKALIKE_SHARE: Final = 0.45


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
    if len(good) >= _WHOLE:
        faults += [f"{source} : {fault}" for fault in _balance([text for _, text in good])]
    return CheckReport(len(good), tuple(faults))


def _form(text: AnnotatedText) -> Iterator[str]:
    """Offsets, level against indicators and targets, and the fields that go together."""
    if len(words_of(text.text)) < _LEAST_WORDS:
        yield f"texte de moins de {_LEAST_WORDS} mots"
    yield from _passages(text)
    if text.stance != "promotes" and text.indicators:
        yield f"stance {text.stance} avec des signes ; aucun n'est attendu"
    level = level_of(text.stance, text.labels(), text.targets).value
    if level != text.risk_level:
        signs = ", ".join(sorted(text.labels())) or "aucun signe"
        aimed = ", ".join(text.targets) or "rien de visé"
        yield f"niveau {text.risk_level}, mais le guide donne {level} ({signs} ; {aimed})"
    if "serious_illness" in text.targets and "illness" not in text.targets:
        yield "targets : serious_illness sans illness"
    if text.lookalike and text.risk_level:
        yield f"lookalike {text.lookalike} sur un texte de niveau {text.risk_level} ; le niveau 0 est attendu"
    for field in ("theme", "writer", "group"):
        if not getattr(text, field):
            yield f"champ « {field} » vide"
    if text.annotator is None:
        yield "champ « annotator » absent"
    if text.split not in SPLITS:
        yield f"split « {text.split} » ; {', '.join(SPLITS)} attendu"


def _passages(text: AnnotatedText) -> Iterator[str]:
    for passage in text.indicators:
        where = f"passage {passage.label} [{passage.start}, {passage.end}["
        if not passage.start < passage.end <= len(text.text):
            yield f"{where} hors du texte ({len(text.text)} points de code)"
            continue
        shown = text.text[passage.start : passage.end]
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


def _balance(texts: Sequence[AnnotatedText]) -> Iterator[str]:
    for label in INDICATOR_IDS:
        holders = [text for text in texts if label in text.labels()]
        if len(holders) < _LEAST_PER_INDICATOR:
            yield f"indicateur {label} : {len(holders)} textes ; {_LEAST_PER_INDICATOR} au moins sont attendus"
        if len({text.writer for text in holders}) < _LEAST_WRITERS:
            yield f"indicateur {label} : moins de {_LEAST_WRITERS} rédacteurs"
    channels = Counter[str](text.channel for text in texts)
    for channel in CHANNEL_IDS:
        if not channels[channel]:
            yield f"canal {channel} : aucun texte"
    share = sum(text.lookalike is not None for text in texts) / len(texts)
    if share < _LOOKALIKE_SHARE:
        yield f"faux amis : {100 * share:.1f} % des textes ; {100 * _LOOKALIKE_SHARE:.0f} % au moins sont attendus"


__all__ = ["CheckReport", "check_corpus"]
