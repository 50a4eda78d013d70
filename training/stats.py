"""The corpus counted: tables for the terminal and the data card, plots beside them."""

import csv
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
from training.names import CONTRASTS, GENRES, LOOKALIKES, MARKS, REGIONS, REGISTERS
from training.plan import is_alone_or_weaker, is_page, measure, pairs_of
from training.plots import bars, histogram
from training.themes import themes

#: Beside the corpus: what was decided of labels in doubt.
REVIEWS: Final = "reviews.csv"
#: Beside the corpus: how a last reader, who changed nothing, judged a sample of each writer.
READINGS: Final = "readings.csv"
_LENGTHS: Final = ((0, 25), (25, 50), (50, 90), (90, 150), (150, 10_000))
_LONG: Final = 90


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
        _plan(texts),
        _cross("Stance et niveau", "stance", texts, {s.id: s.name for s in STANCES}, lambda text: text.stance),
        _cross("Canal et niveau", "canal", texts, {c.id: c.name for c in CHANNELS}, lambda text: text.channel),
        _indicators(texts),
        _targets(texts),
        _cross(
            "Faux amis (niveau 0)",
            "genre",
            [text for text in texts if text.risk_level == 0],
            {**LOOKALIKES, None: "autre"},
            lambda text: text.lookalike,
        ),
        _lengths(texts),
        _cross("Registre et niveau", "registre", texts, REGISTERS, lambda text: text.register_),
        _cross(
            "Genre des passages de pages",
            "genre",
            [text for text in texts if is_page(text)],
            GENRES,
            lambda text: text.genre,
        ),
        _cross("Région et niveau", "région", texts, REGIONS, lambda text: text.region),
        _marks(texts),
        _contrasts(texts),
        _writers(texts),
        _readers(texts),
        _deciders(texts),
        *_matrix(texts),
    ]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _overview(texts: Sequence[AnnotatedText]) -> Counts:
    total = len(texts)
    lengths = [len(words_of(text.text)) for text in texts]
    passages = [len(words_of(text.text[passage.start : passage.end])) for text in texts for passage in text.indicators]
    lookalikes = sum(text.lookalike is not None for text in texts)
    pages = sum(map(is_page, texts))
    rows: list[tuple[Any, ...]] = [
        ("textes", total),
        ("rédacteurs", len({text.writer for text in texts})),
        ("groupes", len({text.group for text in texts})),
        *((split, sum(text.split == split for text in texts)) for split in SPLITS),
        ("relus par un second lecteur", f"{sum(text.second_reader is not None for text in texts)}"),
        ("faux amis", f"{lookalikes} ({_percent(lookalikes, total)})"),
        ("passages de sites et d'annuaires", f"{pages} ({_percent(pages, total)})"),
        ("paires de contraste", len(pairs_of(texts))),
        ("longueur médiane (mots)", int(np.median(lengths)) if lengths else 0),
        ("passages annotés", len(passages)),
        ("longueur médiane d'un passage (mots)", int(np.median(passages)) if passages else 0),
    ]
    return Counts("Vue d'ensemble", ("mesure", "valeur"), tuple(rows))


def _plan(texts: Sequence[AnnotatedText]) -> Counts:
    def shown(value: float, share: bool) -> str:
        return _percent(round(1000 * value), 1000) if share else f"{value:g}"

    rows = []
    for goal in measure(texts):
        share = goal.asked <= 1
        rows.append((goal.name, shown(goal.asked, share), shown(goal.found, share), "oui" if goal.reached else "non"))
    return Counts("Plan", ("mesure", "demandé", "trouvé", "atteint"), tuple(rows))


def _matrix(texts: Sequence[AnnotatedText]) -> list[Counts]:
    """Theme by channel and length, by register, by stance and level: one row a theme in each."""
    columns: dict[str, dict[str, Callable[[AnnotatedText], bool]]] = {
        "Thèmes : canal et longueur": {
            **{channel.name: lambda text, wanted=channel.id: text.channel == wanted for channel in CHANNELS},  # type: ignore[misc]
            "plus de 90 mots": lambda text: len(words_of(text.text)) > _LONG,
        },
        "Thèmes : registre": {
            name: lambda text, wanted=wanted: text.register_ == wanted  # type: ignore[misc]
            for wanted, name in REGISTERS.items()
        },
        "Thèmes : stance et niveau": {
            **{stance.name: lambda text, wanted=stance.id: text.stance == wanted for stance in STANCES},  # type: ignore[misc]
            **{f"niveau {label.id}": lambda text, wanted=int(label.id): text.risk_level == wanted for label in LEVELS},  # type: ignore[misc]
        },
    }
    own: dict[str, list[AnnotatedText]] = {theme.name: [] for theme in themes().values()}
    for text in texts:
        own.setdefault(themes()[text.theme].name if text.theme in themes() else "hors table", []).append(text)
    own["ensemble"] = list(texts)
    return [
        Counts(
            title,
            ("thème", "textes", *tests),
            tuple((name, len(found), *(sum(map(test, found)) for test in tests.values())) for name, found in own.items()),
        )
        for title, tests in columns.items()
    ]


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
        sizes = [
            len(words_of(text.text[passage.start : passage.end]))
            for text in holders
            for passage in text.indicators
            if passage.label == label.id
        ]
        alone = sum(len(text.labels()) == 1 for text in holders)
        weaker = sum(is_alone_or_weaker(text, label.id) for text in holders)
        median = f"{np.median(sizes):g}" if sizes else "–"
        rows.append((label.name, len(holders), alone, weaker, len(sizes), median, len({text.writer for text in holders})))
    header = ("indicateur", "textes", "seul signe", "seul ou sans décider", "passages", "mots (médiane)", "rédacteurs")
    return Counts("Indicateurs", header, tuple(rows))


def _marks(texts: Sequence[AnnotatedText]) -> Counts:
    rows = tuple((name, sum(mark in text.marks for text in texts)) for mark, name in MARKS.items())
    return Counts("Difficultés marquées", ("difficulté", "textes"), rows)


def _contrasts(texts: Sequence[AnnotatedText]) -> Counts:
    """Pairs by kind, and how far apart the halves' levels are."""
    pairs = pairs_of(texts)
    rows = []
    for kind, name in CONTRASTS.items():
        own = [halves for halves in pairs.values() if halves[0].contrast == kind]
        apart = [max(h.risk_level for h in halves) - min(h.risk_level for h in halves) for halves in own]
        rows.append((name, len(own), *(sum(gap == wanted for gap in apart) for wanted in range(4))))
    header = ("contraste", "paires", "même niveau", "un niveau d'écart", "deux", "trois")
    return Counts("Paires de contraste", header, tuple(rows))


def _readers(texts: Sequence[AnnotatedText]) -> Counts:
    """What second readers changed of each writer's texts."""
    kinds = ("text", "stance", "signs", "level", "targets")
    rows = []
    for writer in sorted({text.writer for text in texts}):
        own = [text.second_reader for text in texts if text.writer == writer and text.second_reader]
        labels = sum(bool({"stance", "signs", "level"} & set(reader.changed)) for reader in own)
        changed = [sum(kind in reader.changed for reader in own) for kind in kinds]
        moulds = sum(reader.template_like for reader in own)
        rows.append((writer, len(own), *changed, _percent(labels, len(own)), _percent(moulds, len(own))))
    header = (
        "rédacteur",
        "relus",
        "texte",
        "stance",
        "signes",
        "niveau",
        "cibles",
        "étiquettes changées",
        "jugés faits au moule",
    )
    return Counts("Corrections du second lecteur", header, tuple(rows))


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


def _deciders(texts: Sequence[AnnotatedText]) -> Counts:
    """Whose decision the labels are, where it is not the writer's."""
    found = Counter(text.annotator.id for text in texts if text.annotator and text.annotator.id != text.writer)
    return Counts("Étiquettes décidées par un tiers", ("annotateur", "textes"), tuple(sorted(found.items())))


def count_reviews(source: Path) -> Counts:
    """What a review of doubtful labels decided: a CSV `id,label,verdict`, verdict `kept` or `changed`.

    Raises:
        CorpusError: the file cannot be read, or a row has another verdict; file and row are named.
    """
    looked: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if row.get("verdict") not in ("kept", "changed"):
                    raise CorpusError(f"{source}:{number} : verdict « {row.get('verdict')} » ; kept ou changed attendu.")
                label = row.get("label") or "?"
                looked[label] += 1
                changed[label] += row["verdict"] == "changed"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error
    rows = [(label, count, changed[label]) for label, count in looked.most_common()]
    rows.append(("ensemble", looked.total(), changed.total()))
    return Counts("Étiquettes douteuses regardées", ("étiquette", "regardées", "changées"), tuple(rows))


def count_readings(source: Path) -> Counts:
    """What a last reading of a sample found: a CSV `id,writer,relabel,template,unbelievable` of 0 and 1.

    Raises:
        CorpusError: the file cannot be read, or a cell is not 0 or 1; file and row are named.
    """
    judged: dict[str, list[tuple[int, ...]]] = {}
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                marks = tuple(row.get(name) for name in ("relabel", "template", "unbelievable"))
                if not set(marks) <= {"0", "1"}:
                    raise CorpusError(f"{source}:{number} : {marks} ; trois 0 ou 1 attendus (relabel, template, unbelievable).")
                judged.setdefault(str(row.get("writer")), []).append(tuple(int(mark or 0) for mark in marks))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error
    judged["ensemble"] = [marks for found in judged.values() for marks in found]
    rows = [
        (writer, len(found), *(f"{sum(column)} ({_percent(sum(column), len(found))})" for column in zip(*found, strict=True)))
        for writer, found in sorted(judged.items(), key=lambda item: (item[0] == "ensemble", item[0]))
    ]
    header = ("rédacteur", "lus au hasard", "à réétiqueter", "faits au moule", "invraisemblables")
    return Counts("Lecture fraîche, avant les dernières corrections", header, tuple(rows))


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
