"""The model card, generated from what was measured; in French, for those who will rely on the scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model.decide import OperatingPoint
from model.store import library_versions
from training import card_tables as tables
from training.card_tables import number, percent
from training.energy import CORE_WATTS, CORE_WATTS_RANGE, MEMORY_WATTS, Spent
from training.evaluate import BASE_RATES
from training.previous import Previous

_GIB: Final = 1 << 30

_USE: Final = """## Usage prévu

Trier des offres et publications de bien-être et de santé en français : relever, passages à l'appui, des signes à examiner,
pour qu'une personne formée lise d'abord ce qui presse. Une personne lit et décide toujours. Le modèle juge un texte, jamais
son auteur : il ne dit pas qu'une personne ou un groupe est une secte, ni qu'une pratique est illégale.

**Mésusages.**

- décision automatique (refus, retrait, sanction, signalement) sans lecture ; avis médical ; preuve devant un juge ;
- score d'une personne, d'un groupe ou d'une profession ; publication d'un score ou d'une liste ;
- jugement d'une croyance ou d'une religion ; surveillance de messages privés ;
- mesure de la fréquence des dérives à partir du nombre de textes signalés.

**Qui ne doit pas s'en servir.**

- qui n'a ni le temps de lire les textes signalés, ni personne pour le faire ;
- qui cherche à écarter des clients, des salariés ou des adhérents, ou à apprendre à écrire sans être relevé ;
- une victime ou un proche qui attend un avis sur sa situation : il lui faut une personne (Miviludes, associations d'aide,
  médecin)."""

_LIMITS: Final = """- L'ironie, la citation longue et les récits ambivalents restent les erreurs les plus probables.
- Une longue page est lue par fenêtres ; un passage isolé dans une très longue page pèse moins, et est souvent manqué.
- Seul le français est jugé. Un texte de moins de huit mots n'est jugé que s'il parle de soin ou de croyance.
- Une phrase dangereuse isolée dans un texte par ailleurs anodin est souvent manquée (docs/modele.md).
- Ni images, ni sons, ni liens : seul le texte est lu. Qui connaît les signes peut les contourner.
- Le français hors de France et les registres rares sont peu représentés : voir les tranches."""

_METHOD: Final = """Régressions logistiques sur mots et suites de mots, suites de caractères, suites de concepts (mots des tables
par leur classe, autres mots par leur racine), classes de mots, signaux (tournures à classes de mots) et indices de contexte, et
vecteurs de phrases lues dans leur contexte (multilingual-e5-small, poids sur 4 bits, calcul sur 8) ; une lecture du texte
entier, où stance et drapeau sont une seule régression à quatre issues, et une de chaque phrase, pondérées ensemble sur des
rédacteurs non vus, ce qui fait du score une probabilité. Des règles écrites à la main soutiennent le score là où elles
s'affirment. Le niveau vient de la table du guide, appliquée aux signes présents (docs/modele.md)."""

_POINTS: Final = """| point | à quoi il sert |
| --- | --- |
| `triage` | en manquer le moins possible : tri d'un lot lu par des personnes, longues pages ; fausses alertes nombreuses |
| `balanced` | par défaut : le meilleur équilibre entre signes manqués et signes de trop, sur des textes non appris |
| `strict` | peu de fausses alertes : quand chaque lecture coûte cher ; il manque beaucoup, et se taire ne dit rien |"""


@dataclass(frozen=True, slots=True)
class Model:
    """What a card tells of: a model's name, manifest facts, metrics, operating points, what it took, the one before."""

    name: str
    facts: Mapping[str, Any]
    metrics: Mapping[str, Any]
    points: Mapping[str, OperatingPoint]
    spent: Spent
    previous: Previous | None


def model_card(model: Model) -> str:
    """The card of a model as Markdown."""
    sections = (
        f"# Carte du modèle {model.name}\n\n{_in_short(model)}",
        _USE,
        f"## Limites\n\n- {_who_labelled(model.facts)}\n{_LIMITS}",
        _data(model.facts),
        f"## Méthode\n\n{_METHOD}\n\n{_settings(model.facts)}",
        _results(model.metrics),
        _passages(model.metrics),
        _calibration(model),
        _operating_points(model),
        _first_look(model),
        _slices(model.metrics, "test", "## Tranches (test)"),
        _comparison(model),
        _resources(model),
        _slices(model.metrics, "dev", "## Annexe : tranches (réglage)"),
    )
    return "\n\n".join(sections) + "\n"


def _in_short(model: Model) -> str:
    unseen, base = "test_unseen_writers" in model.metrics, model.facts["base_rate"]
    found = model.metrics["test_unseen_writers" if unseen else "test"]
    whose = "écrits par d'autres que ceux dont le modèle a appris" if unseen else "que le modèle n'a pas appris"
    return f"""**En bref.**
Sur {found["texts"]} textes du test {whose}, au point `balanced`, le drapeau (niveau 2 ou 3) retrouve
{percent(found["flag"]["recall"])} des textes à signaler, et {percent(found["flag"]["precision"])} de ses signalements sont
justes ; la stance est juste pour {percent(found["stance"]["accuracy"])}. Ces textes sont du corpus, où {100 * base:.0f} %
sont de niveau 2 ou 3 : sur un flux réel, ils sont bien plus rares, et les fausses alertes bien plus nombreuses (voir « Points
de fonctionnement »)."""


def _who_labelled(facts: Mapping[str, Any]) -> str:
    people = facts["labelled_by"].get("person", 0) + facts["read_again_by"].get("person", 0)
    who = f"des personnes ont étiqueté ou relu {people} textes" if people else "aucune personne ne l'a encore relu"
    return (
        f"Corpus écrit et étiqueté par des modèles de langue d'après le guide d'annotation ; {who}. "
        "Tous les chiffres disent l'accord avec ces étiquettes, pas la vérité."
    )


def _data(facts: Mapping[str, Any]) -> str:
    names = {"train": "apprendre (train)", "dev": "régler (dev)", "test": "mesurer (test)"}
    rows = [(name, *(str(facts[what][split]) for what in ("texts", "flagged", "writers"))) for split, name in names.items()]
    readers = sum(facts["read_again_by"].values())
    return f"""## Données

{_who_labelled(facts)} {readers} textes ont été relus par un second lecteur (modèles de langue :
{facts["read_again_by"].get("model", 0)}).
Textes inventés, sans personne ni marque réelle ; carte des données : `data/annotated/README.md`.

{tables.table(("pour", "textes", "niveaux 2-3", "rédacteurs"), rows)}

Un même groupe de textes voisins reste dans une seule partie ; quelques rédacteurs ne sont que dans `dev` et `test` (« jamais
vus »). Empreinte du corpus (SHA-256) : `{facts["corpus_sha256"]}`."""


def _settings(facts: Mapping[str, Any]) -> str:
    values = ", ".join(
        f"`{name}` {number(value, 2) if isinstance(value, float) else value}" for name, value in facts["settings"].items()
    )
    rules = number(facts["rule_precision"], 3)
    return f"Réglages : {values}. Graine : {facts['seed']}. Précision mesurée d'une règle affirmée : {rules}."


def _results(metrics: Mapping[str, Any]) -> str:
    test = metrics["test"]
    return f"""## Ce qui a été mesuré

Drapeau : niveau 2 ou 3, au point `balanced`. Intervalles à 95 % (Wilson pour les parts ; rééchantillonnage pour F1). Les
seuils ont été choisis avec `dev` : seul `test` dit ce que vaut le modèle.

{tables.summary(metrics)}

Sur le test : niveau exact {percent(test["level"]["accuracy"])}, kappa quadratique
{number(test["level"]["quadratic_kappa"])} ; précision moyenne du drapeau {number(test["flag"]["average_precision"], 3)} ;
textes non jugés : {test["refused"]}.

### Indicateurs (test)

{tables.by_indicator(test)}

![Rappel et précision des indicateurs](indicateurs.png)"""


def _passages(metrics: Mapping[str, Any]) -> str:
    found, cut = metrics["test"]["evidence"], metrics["deletion"]
    return f"""## Passages (test)

« Montré » : un passage au moins touche l'annotation. « Tous les signes » compte un signe manqué comme non montré. F1 des
mots : accord, mot à mot, entre ce qui est montré et ce qui est annoté, moyenne par signe et par texte ; à droite, le même
entre deux annotateurs qui ont posé le même signe (textes annotés deux fois du corpus).

{tables.passages(found, metrics["annotators"])}

Longueur médiane d'un passage montré : {number(found["median_words"], 1)} mots ; annoté :
{number(found["annotated_median_words"], 1)} mots ; rapport {number(found["length_ratio"])}.

### Épreuve d'effacement

Les passages montrés d'un signe sont retirés du texte, et le texte noté à nouveau ; de même pour autant de mots tirés au sort
ailleurs. Le score devrait baisser dans le premier cas (visé : 95 %), et non dans le second (visé : moins de 20 % baissent de
plus de {number(cut["epsilon"])}). Retirer des mots déplace toujours un peu un score, les poids étant rapportés aux mots qui
restent ; la calibration est connue par tranches de 0,1, et un écart de moins d'une demi-tranche ne dit rien. {cut["cases"]}
cas tirés parmi {cut["found"]} signes trouvés de `dev` et `test` ; {cut["set_aside"]} écartés, le texte étant trop court.

{tables.deletion(cut)}"""


def _calibration(model: Model) -> str:
    metrics, base = model.metrics, model.facts["base_rate"]
    return f"""## Calibration

Le score de risque est la probabilité qu'un relecteur place le texte au niveau 2 ou 3, **à la fréquence du corpus
d'apprentissage : {number(100 * base, 1)} %**. `--prior` (commande), `prior` (HTTP) ou `VIGIE_PRIOR` le réajustent à une autre
fréquence ; ils ne changent ni les signes, ni le niveau, ni le drapeau. Le score d'un indicateur est la probabilité que le
texte porte ce signe, à sa fréquence dans le corpus.

{tables.prior_scores(base)}

### Score de risque

{tables.risk_bands(metrics)}

![Calibration du score de risque](calibration.png)

### Brier et erreur de calibration

Brier : écart quadratique moyen (0 : parfait), à comparer à celui de qui donnerait à tous la fréquence. ECE : écart moyen
entre score et part observée, par tranches. « ECE par hasard » : un score parfaitement calibré reste dessous 95 fois sur 100,
avec autant de textes ; un ECE plus haut est donc un vrai défaut.

{tables.calibration_summary(metrics, ("test", "test_unseen_writers"))}

### Indicateurs : score moyen → part observée, par tranche de score

Test :

{tables.indicator_bands(metrics["test"]["calibration"]["indicators"])}
{_unseen_bands(metrics)}
![Calibration des indicateurs](calibration-indicateurs.png)"""


def _unseen_bands(metrics: Mapping[str, Any]) -> str:
    if "test_unseen_writers" not in metrics:
        return ""
    bands = tables.indicator_bands(metrics["test_unseen_writers"]["calibration"]["indicators"])
    return f"\nTest, rédacteurs jamais vus :\n\n{bands}\n"


def _operating_points(model: Model) -> str:
    metrics = model.metrics
    unseen = metrics.get("points_unseen_writers")
    rates = " %, ".join(f"{100 * rate:.0f}" for rate in BASE_RATES)
    return f"""## Points de fonctionnement

{_POINTS}

### Ce qu'on peut attendre du drapeau

Précision à attendre si {rates} % des textes étaient de niveau 2 ou 3, d'après le rappel et les fausses alertes comptés ici ;
le rappel ne dépend pas de cette fréquence. Intervalles à 95 % (lois a posteriori de Jeffreys). Le corpus est plein de faux
amis choisis pour être difficiles : sur un flux ordinaire, la part de fausses alertes peut être moindre, ou autre.

Test :

{tables.points(metrics["points"])}
{f"{chr(10)}Test, rédacteurs jamais vus :{chr(10) * 2}{tables.points(unseen)}{chr(10)}" if unseen else ""}
### Seuils

{tables.thresholds({name: point.to_json() for name, point in model.points.items()})}"""


def _first_look(model: Model) -> str:
    return f"""## Premier regard

En lot, deux regards rapides laissent sans analyse entière les textes où ils ne voient rien à examiner (`--no-screen` analyse
tout). Perdu : ce que l'analyse entière aurait mis au niveau 2 ou 3, ou au niveau 1. « Au plus » : borne haute à 95 % (Clopper et
Pearson). Le corpus est plein de textes difficiles : d'un flux ordinaire, une part bien plus grande est laissée.

{tables.first_look(model.facts["first_look"], model.metrics.get("first_look", {}))}"""


def _slices(metrics: Mapping[str, Any], split: str, title: str) -> str:
    return f"""{title}

Au point `balanced`. « Fausses alertes » : textes signalés parmi les niveaux 0 et 1. Des tranches nombreuses et petites
s'écartent par hasard : ne retenir que des intervalles qui se séparent.

{tables.slices(metrics[split]["slices"])}"""


def _comparison(model: Model) -> str:
    title, before = "## Face au modèle précédent", model.previous
    if before is None:
        return f"{title}\n\nAucun modèle ne servait avant celui-ci, ou ses mesures ne sont plus lisibles."
    said = {
        True: "mesuré sur les mêmes textes de test, avec les mêmes étiquettes (même empreinte).",
        False: "**mesuré sur d'autres textes de test ou d'autres étiquettes (empreintes différentes) : les écarts ne disent pas "
        "lequel est le meilleur.**",
        None: "mesuré sur un autre corpus, sans empreinte de ses textes de test : **ils peuvent différer, les écarts sont "
        "indicatifs.**",
    }[before.same_texts(model.metrics, model.facts["corpus_sha256"], "test")]
    return f"""{title}

`{before.name}`, {said} Chiffres tels que chacun les a enregistrés ; « – » : non mesuré alors.

{tables.comparison(model.metrics, before)}"""


def _resources(model: Model) -> str:
    spent = model.spent
    low, high = (spent.watt_hours(watts) for watts in CORE_WATTS_RANGE)
    peak, memory = (
        f"{number(value / _GIB, 1)} Gio" if value else "non mesurée" for value in (spent.peak_bytes, spent.memory_bytes)
    )
    libraries = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    rows = (
        ("durée, mesures comprises", f"{spent.seconds:.0f} s"),
        ("temps de processeur", f"{spent.cpu_seconds:.0f} s"),
        ("mémoire de pointe, processus lancés compris", peak),
        ("énergie estimée", f"{number(spent.watt_hours())} Wh (de {number(low)} à {number(high)})"),
        ("processeur", f"{spent.processor}, {spent.cores} cœurs"),
        ("mémoire", memory),
        ("système", spent.system),
    )
    return f"""## Entraînement, machine, versions

{tables.table(("mesure", "valeur"), rows)}

Énergie : secondes de processeur × {CORE_WATTS:.0f} W par cœur occupé (de {CORE_WATTS_RANGE[0]:.0f} à
{CORE_WATTS_RANGE[1]:.0f} W selon les processeurs), plus mémoire de pointe × {number(MEMORY_WATTS, 4)} W par Gio (Lannelongue
et al., *Green Algorithms*, 2021), sans refroidissement ni disque ; une supposition, non une mesure. Durée, mémoire et énergie
varient d'une machine à l'autre et n'entrent pas dans le nom.

Versions : {libraries}. Le nom `{model.name}` finit par l'empreinte de tout ce qui décide d'une prédiction : corpus,
bibliothèques, tables, seuils, poids. Celle de chaque fichier est dans `manifest.json`, les chiffres de cette carte dans
`metrics.json`."""


__all__ = ["Model", "model_card"]
