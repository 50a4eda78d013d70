"""The model card, generated from what was measured; in French, for those who will rely on the scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from model.analyser import with_prior
from model.labels import INDICATOR_NAMES, OPERATING_POINTS

_SUMMARY_HEADER: Final = (
    "jeu",
    "textes",
    "rappel",
    "précision",
    "F1",
    "stance",
    "macro-F1",
    "mises en garde signalées",
    "neutres signalés",
)


def percent(figure: Mapping[str, Any]) -> str:
    """A share as « 12/30, 40 % [25 ; 57] », or a figure with its interval."""
    if figure.get("total") == 0:
        return "–"
    counts = f"{figure['hits']}/{figure['total']}, " if "hits" in figure else ""
    return f"{counts}{100 * figure['value']:.0f} % [{100 * figure['low']:.0f} ; {100 * figure['high']:.0f}]"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _summary(name: str, figures: Mapping[str, Any]) -> list[str]:
    flag, among = figures["flag"], figures["flagged_among"]
    return [
        name,
        str(figures["texts"]),
        percent(flag["recall"]),
        percent(flag["precision"]),
        percent(flag["f1"]),
        percent(figures["stance"]["accuracy"]),
        str(figures["indicators"]["macro_f1"]),
        percent(among["warns"]),
        percent(among["neutral"]),
    ]


def _expected_precision(metrics: Mapping[str, Any], prior: float) -> str:
    """Precision of the flag if the share of texts of level 2 or 3 were `prior`, from test recall and false alarms."""
    test = metrics["test"]
    positives = test["flag"]["positives"]
    right = test["flag"]["recall"]["hits"]
    wrong = test["flag"]["precision"]["total"] - right
    harmless = test["texts"] - positives
    if not positives or not harmless or not right + wrong:
        return "–"
    recall, false = right / positives, wrong / harmless
    return f"{100 * recall * prior / (recall * prior + false * (1 - prior)):.0f} %"


def model_card(
    name: str, facts: Mapping[str, Any], metrics: Mapping[str, Any], seconds: float, points: Sequence[Mapping[str, Any]]
) -> str:
    """The card of a model as Markdown."""
    splits = {
        "dev": "réglage",
        "dev_unseen_writers": "réglage, rédacteurs jamais vus",
        "test": "test",
        "test_unseen_writers": "test, rédacteurs jamais vus",
    }
    summary = [_summary(label, metrics[split]) for split, label in splits.items() if split in metrics]
    labels = metrics["test"]["indicators"]["labels"]
    base = facts["base_rate"]
    thresholds = [
        [INDICATOR_NAMES[label], *(f"{point['indicators'][label]:.2f}" for point in points)] for label in INDICATOR_NAMES
    ]
    by_indicator = [
        [INDICATOR_NAMES[name], str(found["support"]), percent(found["recall"]), percent(found["precision"]), str(found["f1"])]
        for name, found in labels.items()
    ]
    by_point = [[point, percent(found["recall"]), percent(found["precision"])] for point, found in metrics["points"].items()]
    return f"""# Carte du modèle {name}

## Usage prévu
Trier des offres et publications de bien-être en français : relever, passages à l'appui, des signes à examiner.
Une personne lit et décide toujours. Le modèle ne dit jamais qu'une personne ou un groupe est une secte, ne juge ni
croyance ni religion, et ne doit fonder aucune décision automatique, aucun score de personne, aucune publication.

## Données
Corpus écrit et étiqueté par des modèles de langue d'après le guide d'annotation ; aucune personne ne l'a encore relu.
Textes : {facts["texts"]["train"]} pour apprendre, {facts["texts"]["dev"]} pour régler, {facts["texts"]["test"]} pour mesurer.
Empreinte du corpus : `{facts["corpus_sha256"][:16]}`. Graine : {facts["seed"]}.

## Méthode
Régressions logistiques sur mots et suites de mots, suites de caractères, classes de mots et leurs rencontres dans une
phrase, et vecteurs de phrases (USE multilingue 3) ; une lecture du texte entier et une de chaque phrase, pondérées
ensemble sur des rédacteurs non vus. Entraînement : {seconds:.0f} s.

## Ce qui a été mesuré
Drapeau : niveau 2 ou 3, au point « balanced ». Intervalles à 95 % (Wilson ; bootstrap pour F1).

{_table(_SUMMARY_HEADER, summary)}

### Points de fonctionnement (test)
{_table(["point", "rappel", "précision"], by_point)}

### Indicateurs (test)
{_table(["indicateur", "effectif", "rappel", "précision", "F1"], by_indicator)}

### Passages
Signes justement trouvés dont un passage recouvre l'annotation : {percent(metrics["test"]["evidence"]["overlap"])} ;
longueur médiane : {metrics["test"]["evidence"]["median_words"]} mots.

## Calibration
Le score de risque est la probabilité qu'un relecteur place le texte au niveau 2 ou 3, **à la fréquence du corpus
d'apprentissage : {100 * base:.0f} %**. Score de Brier (test) : {metrics["test"]["flag"]["brier"]}. Courbe : `calibration.png`.
Sur un flux réel, ces textes sont plus rares ; `--prior` réajuste le score. Un score de 0,50 vaut
{100 * with_prior(0.5, base, 0.05):.0f} % à une fréquence de 5 %. Précision à attendre du drapeau « balanced » :
{_expected_precision(metrics, 0.01)} à 1 %, {_expected_precision(metrics, 0.05)} à 5 %,
{_expected_precision(metrics, 0.15)} à 15 %.

## Seuils
{_table(["indicateur", *OPERATING_POINTS], thresholds)}

## Limites
- Corpus écrit par peu de mains, étiqueté par des modèles : les chiffres ci-dessus disent l'accord avec ces étiquettes.
- L'ironie, la citation longue et les récits ambivalents restent les erreurs les plus probables.
- Une longue page est lue par fenêtres ; un passage isolé dans une très longue page pèse moins.
- Seul le français est jugé. Un texte de moins de huit mots n'est jugé que s'il parle de soin ou de croyance.
- Une phrase dangereuse isolée dans un texte par ailleurs anodin est souvent manquée (docs/modele.md).
"""
