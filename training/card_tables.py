"""Tables of the model card: numbers as French readers write them, always with their counts and intervals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from model.decide import with_prior
from model.labels import INDICATOR_NAMES, OPERATING_POINTS, TARGETS
from training.evaluate import BASE_RATES
from training.previous import Previous, figure
from training.slices import DIMENSIONS, ENOUGH_TEXTS

UNKNOWN: Final = "–"
SETS: Final = {
    "test": "test",
    "test_unseen_writers": "test, rédacteurs jamais vus",
    "dev": "réglage",
    "dev_unseen_writers": "réglage, rédacteurs jamais vus",
}
_SHOWN_SCORES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)


def number(value: float | None, decimals: int = 2) -> str:
    """A number with a decimal comma."""
    return UNKNOWN if value is None else f"{value:.{decimals}f}".replace(".", ",")


def percent(found: Mapping[str, Any] | None) -> str:
    """A share as « 12/30, 40 % [25 ; 57] », or a figure with its interval."""
    if found is None or found["value"] is None:
        return UNKNOWN
    counts = f"{found['hits']}/{found['total']}, " if "hits" in found else ""
    return f"{counts}{100 * found['value']:.0f} % [{100 * found['low']:.0f} ; {100 * found['high']:.0f}]"


def interval(found: Mapping[str, Any] | None, decimals: int = 2) -> str:
    """A figure with its interval, as « 0,71 [0,62 ; 0,80] »."""
    if found is None or found["value"] is None:
        return UNKNOWN
    return f"{number(found['value'], decimals)} [{number(found['low'], decimals)} ; {number(found['high'], decimals)}]"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    marks = ["---", *("---:" for _ in header[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, marks, *rows))


def summary(metrics: Mapping[str, Any]) -> str:
    """One row a set of texts."""
    header = (
        "jeu",
        "textes",
        "rappel",
        "précision",
        "F1",
        "stance juste",
        "macro-F1",
        "mises en garde signalées",
        "neutres signalés",
    )
    rows = []
    for split, name in SETS.items():
        if split not in metrics:
            continue
        found = metrics[split]
        flag, among = found["flag"], found["flagged_among"]
        rows.append(
            (
                name,
                str(found["texts"]),
                *(percent(flag[key]) for key in ("recall", "precision", "f1")),
                percent(found["stance"]["accuracy"]),
                number(found["indicators"]["macro_f1"], 3),
                percent(among["warns"]),
                percent(among["neutral"]),
            )
        )
    return table(header, rows)


def by_indicator(found: Mapping[str, Any]) -> str:
    """Recall, precision and F1 of each indicator."""
    rows = [
        (INDICATOR_NAMES[name], str(own["support"]), percent(own["recall"]), percent(own["precision"]), number(own["f1"]))
        for name, own in found["indicators"]["labels"].items()
    ]
    return table(("indicateur", "effectif", "rappel", "précision", "F1"), rows)


def passages(evidence: Mapping[str, Any], annotators: Mapping[str, Any]) -> str:
    """By indicator, whether passages touch the annotated ones, and word F1 beside that of two annotators."""
    rows = []
    for name, own in (*evidence["labels"].items(), ("", evidence)):
        two = annotators["labels"].get(name) if name else annotators
        agreed = f"{number(two['word_f1'])} ({two['cases']})" if two and two["cases"] else UNKNOWN
        rows.append(
            (
                INDICATOR_NAMES.get(name, "ensemble"),
                percent(own["overlap"]),
                percent(own["overlap_of_all"]),
                interval(own["word_f1"]),
                interval(own["word_f1_of_all"]),
                agreed,
            )
        )
    header = ("indicateur", "montré, signes trouvés", "montré, tous les signes", "F1 des mots, signes trouvés")
    return table((*header, "F1 des mots, tous les signes", "F1 des mots, deux annotateurs (cas)"), rows)


def deletion(found: Mapping[str, Any]) -> str:
    """What cutting words does to a score: those shown, and as many elsewhere."""
    header = (
        "mots retirés",
        "le score baisse",
        f"il baisse de plus de {number(found['epsilon'])}",
        "le signe n'est plus présent",
    )
    rows = [
        (
            name,
            *(percent(found[kind][key]) for key in ("lowered", "lowered_beyond", "absent")),
            number(found[kind]["median_drop"], 3),
        )
        for kind, name in (("shown", "le passage montré"), ("random", "autant de mots ailleurs, au hasard"))
    ]
    return table((*header, "baisse médiane"), rows)


def calibration_summary(metrics: Mapping[str, Any], splits: Sequence[str]) -> str:
    """Brier score and calibration error of the risk score and of each indicator, on sets of texts."""
    rows = []
    for split in (split for split in splits if split in metrics):
        found = metrics[split]["calibration"]
        for name, own in (("score de risque", found["risk"]), *((INDICATOR_NAMES[i], f) for i, f in found["indicators"].items())):
            rows.append(
                (
                    f"{name} ({SETS[split]})",
                    f"{own['positives']}/{own['texts']}",
                    number(own["mean_score"], 3),
                    interval(own["brier"], 3),
                    number(own["brier_of_base_rate"], 3),
                    number(own["ece"], 3),
                    number(own["ece_by_chance"], 3),
                )
            )
    header = ("score", "portent le signe", "score moyen", "Brier", "Brier de la fréquence seule", "ECE", "ECE par hasard")
    return table(header, rows)


def risk_bands(metrics: Mapping[str, Any]) -> str:
    """Observed share of levels 2 and 3 by band of the risk score."""
    sets = [split for split in ("test", "test_unseen_writers") if split in metrics]
    bands = {split: {band["from"]: band for band in metrics[split]["calibration"]["risk"]["bands"]} for split in sets}
    rows = []
    for start in sorted({start for found in bands.values() for start in found}):
        cells = []
        for split in sets:
            own = bands[split].get(start)
            cells += [number(own["mean_score"]), percent(own["observed"])] if own else [UNKNOWN, UNKNOWN]
        rows.append((f"{number(start, 1)} à {number(start + 0.1, 1)}", *cells))
    columns = [f"{what} ({SETS[split]})" for split in sets for what in ("score moyen", "observé")]
    return table(("score de risque", *columns), rows)


def indicator_bands(found: Mapping[str, Any]) -> str:
    """Observed share by band of each indicator's score; one row an indicator, one column a band."""
    starts = sorted({(band["from"], band["to"]) for own in found.values() for band in own["bands"]})
    rows = []
    for name, own in found.items():
        bands = {band["from"]: band for band in own["bands"]}
        cells = [f"{number(b['mean_score'])} → {percent(b['observed'])}" if (b := bands.get(s)) else UNKNOWN for s, _ in starts]
        rows.append((INDICATOR_NAMES[name], *cells))
    return table(("indicateur", *(f"{number(low, 1)} à {number(high, 1)}" for low, high in starts)), rows)


def prior_scores(base_rate: float) -> str:
    """What scores at the corpus's base rate become at those of `BASE_RATES`."""
    rows = [
        (number(score, 2), *(number(with_prior(score, base_rate, rate), 2) for rate in BASE_RATES)) for score in _SHOWN_SCORES
    ]
    header = (f"score à {100 * base_rate:.0f} % (corpus)", *(f"le même à {100 * rate:.0f} %" for rate in BASE_RATES))
    return table(header, rows)


def points(found: Mapping[str, Any]) -> str:
    """The flag at each operating point: as counted, and the precision to expect at each base rate."""
    rows = [
        (
            point,
            *(percent(own[key]) for key in ("recall", "false_alarms", "precision")),
            *(percent(own["expected_precision"][str(rate)]) for rate in BASE_RATES),
        )
        for point, own in found.items()
    ]
    expected = (f"précision à {100 * rate:.0f} %" for rate in BASE_RATES)
    return table(("point", "rappel", "fausses alertes (niveaux 0-1)", "précision (corpus)", *expected), rows)


def thresholds(operating: Mapping[str, Mapping[str, Any]]) -> str:
    """Thresholds of the operating points; one row for all indicators where they share them."""
    own = [operating[point] for point in OPERATING_POINTS]
    if all(len(set(point["indicators"].values())) == 1 for point in own):
        rows = [("chacun des douze indicateurs", *(number(next(iter(point["indicators"].values()))) for point in own))]
    else:
        rows = [(name, *(number(point["indicators"][id]) for point in own)) for id, name in INDICATOR_NAMES.items()]
    rows.append(("stance « promeut »", *(number(point["promotes"]) for point in own)))
    rows.append(("drapeau, d'où un signe au moins est présent", *(number(point["flag"]) for point in own)))
    rows += [(target.name, *(number(point["targets"][target.id]) for point in own)) for target in TARGETS]
    return table(("seuil sur le score", *OPERATING_POINTS), rows)


def slices(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One table a dimension; slices of too few texts are named with their counts below it."""
    parts = []
    for dimension in DIMENSIONS:
        own = found[dimension.id]
        rows = [
            (
                str(part["name"]),
                str(part["texts"]),
                str(part["positives"]),
                *(percent(part[key]) for key in ("recall", "precision", "f1", "stance", "false_alarms")),
            )
            for part in own
            if "recall" in part
        ]
        header = (dimension.name, "textes", "niveaux 2-3", "rappel", "précision", "F1", "stance juste", "fausses alertes")
        parts.append(f"**Par {dimension.name}**")
        if rows:
            parts.append(table(header, rows))
        few = [f"{part['name']} {part['texts']} ({part['positives']})" for part in own if "recall" not in part]
        if few:
            parts.append(f"Moins de {ENOUGH_TEXTS} textes, nombre (dont niveaux 2-3) : {', '.join(few)}.")
    return "\n\n".join(parts)


def comparison(metrics: Mapping[str, Any], before: Previous) -> str:
    """The figures of two models side by side, as each recorded them."""
    rows = []
    for split in ("test", "test_unseen_writers"):
        shares = {
            "rappel du drapeau": ("flag", "recall"),
            "précision du drapeau": ("flag", "precision"),
            "F1 du drapeau": ("flag", "f1"),
            "stance juste": ("stance", "accuracy"),
            "niveau juste": ("level", "accuracy"),
            "mises en garde signalées": ("flagged_among", "warns"),
            "neutres signalés": ("flagged_among", "neutral"),
            "passages qui touchent l'annotation, signes trouvés": ("evidence", "overlap"),
        }
        plain = {
            "précision moyenne du drapeau": ("flag", "average_precision"),
            "score de Brier": ("flag", "brier"),
            "ECE du score de risque": ("calibration", "risk", "ece"),
            "macro-F1 des indicateurs": ("indicators", "macro_f1"),
        }
        both = metrics, before.metrics
        rows += [(f"{name} ({SETS[split]})", *(percent(figure(m, split, *path)) for m in both)) for name, path in shares.items()]
        rows += [(f"{name} ({SETS[split]})", *(number(figure(m, split, *path), 3) for m in both)) for name, path in plain.items()]
    for point in OPERATING_POINTS:
        for key, name in (("recall", "rappel"), ("precision", "précision")):
            rows.append((f"{name} au point {point} (test)", *(percent(figure(m, "points", point, key)) for m in both)))
    for id, name in INDICATOR_NAMES.items():
        f1 = (number(figure(m, "test", "indicators", "labels", id, "f1")) for m in both)
        rows.append((f"F1, {name} (test)", *f1))
    return table(("mesure", "ce modèle", before.name), [row for row in rows if set(row[1:]) != {UNKNOWN}])


def first_look(learned: Mapping[str, Any], tested: Mapping[str, Any]) -> str:
    """What the first look spares and loses at each operating point, where it was set and on the test texts."""
    rows = []
    for where, found in (("réglage, hors pli", learned), ("test", tested)):
        for point, figures in found.items():
            losses = (figures["flags"], figures["level_1"])
            shares = (f"{one['lost']}/{one['of']} (au plus {number(100 * one['upper'], 2)} %)" for one in losses)
            rows.append((where, f"`{point}`", *shares, f"{number(100 * figures['spared'], 0)} %"))
    header = ("textes", "point", "niveaux 2-3 perdus", "niveaux 1 perdus", "laissés sans analyse entière")
    return table(header, rows)
