"""The corpus counted: tables for the terminal and the data card, plots beside them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.errors import CorpusError
from model.labels import CHANNELS, INDICATORS, LEVELS, STANCES, TARGETS
from model.text import words_of
from training.corpus import SPLITS, AnnotatedText
from training.plots import bars, histogram

_BEGIN: Final = "<!-- tableaux : début (vigie corpus stats --card) -->"
_END: Final = "<!-- tableaux : fin -->"
_LENGTHS: Final = ((0, 25), (25, 50), (50, 90), (90, 150), (150, 10_000))
_LOOKALIKES: Final = {
    "warning": "mise en garde",
    "victim": "récit de victime",
    "news": "presse, justice",
    "satire": "satire",
    "question": "question, hésitation",
    "regulated_care": "soin reconnu",
    "prudent_wellness": "bien-être prudent",
    "homonym": "mêmes mots, autre monde",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """One table: title, header, rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def count_corpus(texts: Sequence[AnnotatedText]) -> list[Counts]:
    """All tables of a corpus, in French."""
    return [
        _overview(texts),
        _cross("Stance et niveau", "stance", texts, {s.id: s.name for s in STANCES}, lambda text: text.stance),
        _cross("Canal et niveau", "canal", texts, {c.id: c.name for c in CHANNELS}, lambda text: text.channel),
        _indicators(texts),
        _targets(texts),
        _cross(
            "Faux amis (niveau 0)",
            "genre",
            [text for text in texts if text.risk_level == 0],
            _LOOKALIKES | {None: "autre"},
            lambda text: text.lookalike,
        ),
        _lengths(texts),
        _writers(texts),
    ]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _overview(texts: Sequence[AnnotatedText]) -> Counts:
    total = len(texts)
    lengths = [len(words_of(text.text)) for text in texts]
    passages = [len(words_of(text.text[passage.start : passage.end])) for text in texts for passage in text.indicators]
    lookalikes = sum(text.lookalike is not None for text in texts)
    pages = sum(text.channel in ("website", "directory") for text in texts)
    rows: list[tuple[Any, ...]] = [
        ("textes", total),
        ("rédacteurs", len({text.writer for text in texts})),
        ("groupes", len({text.group for text in texts})),
        *((split, sum(text.split == split for text in texts)) for split in SPLITS),
        ("relus par un second lecteur", f"{sum(text.second_reader is not None for text in texts)}"),
        ("faux amis", f"{lookalikes} ({_percent(lookalikes, total)})"),
        ("passages de sites et d'annuaires", f"{pages} ({_percent(pages, total)})"),
        ("longueur médiane (mots)", int(np.median(lengths)) if lengths else 0),
        ("passages annotés", len(passages)),
        ("longueur médiane d'un passage (mots)", int(np.median(passages)) if passages else 0),
    ]
    return Counts("Vue d'ensemble", ("mesure", "valeur"), tuple(rows))


def _cross(
    title: str,
    name: str,
    texts: Sequence[AnnotatedText],
    names: Mapping[Any, str],
    key: Callable[[AnnotatedText], str | None],
) -> Counts:
    counts: Counter[tuple[str | None, int]] = Counter((key(text), text.risk_level) for text in texts)
    rows: list[tuple[Any, ...]] = []
    for value, shown in names.items():
        by_level = [counts[value, level] for level in range(len(LEVELS))]
        rows.append((shown, *by_level, sum(by_level)))
    totals = [sum(row[place] for row in rows) for place in range(1, len(LEVELS) + 2)]
    rows.append(("ensemble", *totals))
    return Counts(title, (name, *(f"niveau {label.id}" for label in LEVELS), "textes"), tuple(rows))


def _indicators(texts: Sequence[AnnotatedText]) -> Counts:
    rows = []
    for label in INDICATORS:
        holders = [text for text in texts if label.id in text.labels()]
        passages = sum(passage.label == label.id for text in holders for passage in text.indicators)
        alone = sum(len(text.labels()) == 1 for text in holders)
        rows.append((label.name, len(holders), alone, passages, len({text.writer for text in holders})))
    return Counts("Indicateurs", ("indicateur", "textes", "seul signe", "passages", "rédacteurs"), tuple(rows))


def _targets(texts: Sequence[AnnotatedText]) -> Counts:
    rows = tuple(
        (
            target.name,
            sum(target.id in text.targets for text in texts),
            sum(target.id in text.targets and text.stance == "promotes" for text in texts),
        )
        for target in TARGETS
    )
    return Counts("Cibles", ("cible", "textes", "dont « promeut »"), rows)


def _lengths(texts: Sequence[AnnotatedText]) -> Counts:
    sizes = [len(words_of(text.text)) for text in texts]
    rows = []
    for low, high in _LENGTHS:
        count = sum(low <= size < high for size in sizes)
        shown = f"{low} à {high - 1} mots" if high < 1_000 else f"{low} mots et plus"
        rows.append((shown, count, _percent(count, len(sizes))))
    return Counts("Longueurs", ("longueur", "textes", "part"), tuple(rows))


def _writers(texts: Sequence[AnnotatedText]) -> Counts:
    rows = []
    for writer in sorted({text.writer for text in texts}):
        own = [text for text in texts if text.writer == writer]
        splits = [sum(text.split == split for text in own) for split in SPLITS]
        flagged = sum(text.flagged for text in own)
        rows.append((writer, len(own), flagged, *splits))
    return Counts("Rédacteurs (modèles de langue)", ("rédacteur", "textes", "niveaux 2-3", *SPLITS), tuple(rows))


def write_plots(texts: Sequence[AnnotatedText], folder: Path) -> list[Path]:
    """Write the plots of a corpus as PNG files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = Counter(text.risk_level for text in texts)
    channels = Counter[str](text.channel for text in texts)
    images = {
        "niveaux.png": bars("Niveaux", {f"{label.id} {label.name}": levels[int(label.id)] for label in LEVELS}),
        "indicateurs.png": bars(
            "Indicateurs", {label.name: sum(label.id in text.labels() for text in texts) for label in INDICATORS}
        ),
        "canaux.png": bars("Canaux", {channel.name: channels[channel.id] for channel in CHANNELS}),
        "longueurs.png": histogram("Longueur des textes", [len(words_of(text.text)) for text in texts], "mots"),
    }
    paths = []
    for name, content in images.items():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return paths


def markdown_tables(counts: Sequence[Counts]) -> str:
    """The tables as Markdown, for the data card."""
    blocks = []
    for found in counts:
        header = "| " + " | ".join(found.header) + " |"
        rule = "| " + " | ".join(["---"] + ["---:"] * (len(found.header) - 1)) + " |"
        rows = ["| " + " | ".join(map(str, row)) + " |" for row in found.rows]
        blocks.append("\n".join([f"### {found.title}", "", header, rule, *rows]))
    return "\n\n".join(blocks)


def update_card(card: Path, counts: Sequence[Counts]) -> None:
    """Write the tables between the two marks of a data card.

    Raises:
        CorpusError: the card cannot be read or lacks its marks.
    """
    try:
        content = card.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{card} : carte illisible ({error}).") from error
    if _BEGIN not in content or _END not in content:
        raise CorpusError(f"{card} : les marques « {_BEGIN} » et « {_END} » sont attendues.")
    before, rest = content.split(_BEGIN, 1)
    after = rest.split(_END, 1)[1]
    card.write_text(f"{before}{_BEGIN}\n\n{markdown_tables(counts)}\n\n{_END}{after}", encoding="utf-8")
