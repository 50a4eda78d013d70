"""The labels of the annotation guide: one table each for indicators, stances, levels, channels and targets.

Everything that names a label (code, API, pages, model card, corpus check) reads these tables. The meanings are those of
the annotation guide, sections 1 to 3; identifiers are frozen by the contract.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Label:
    """One value that a text or passage can carry: identifier, French label, French definition in one sentence."""

    id: str
    name: str
    definition: str


INDICATORS: Final[tuple[Label, ...]] = (
    Label(
        "miracle_cure",
        "promesse de guérison",
        "Promet ou laisse attendre qu'une maladie ou un trouble sera guéri, soigné, traité ou éliminé.",
    ),
    Label(
        "breaking_with_medicine",
        "rupture avec la médecine",
        "Invite à arrêter, refuser, retarder, remplacer ou cacher un traitement, un vaccin, un diagnostic ou un suivi.",
    ),
    Label(
        "medicine_disparagement",
        "dénigrement de la médecine",
        "Discrédite soignants, médicaments, vaccins, hôpitaux ou autorités : poison, mensonge, complot.",
    ),
    Label(
        "mystical_discourse",
        "discours mystique",
        "Explique ou soigne par des forces spirituelles ou invisibles : énergies, chakras, karma, guides, lignée.",
    ),
    Label(
        "pseudo_science",
        "caution pseudo-scientifique",
        "Emprunte les mots ou le prestige de la science sans base : quantique, fréquences, mémoire cellulaire.",
    ),
    Label(
        "undue_influence",
        "emprise",
        "Installe une autorité ou une dépendance : seul recours, peur entretenue, obéissance, malade rendu coupable.",
    ),
    Label(
        "isolation",
        "rupture avec l'entourage",
        "Pousse à s'éloigner de la famille, des amis, de l'école ou du travail, ou à garder le secret envers eux.",
    ),
    Label(
        "financial_pressure",
        "pression financière",
        "Exige ou presse de payer : prix exorbitant, paiement d'avance, fausse urgence, achats en cascade.",
    ),
    Label(
        "misleading_title",
        "titre ou caution trompeurs",
        "Se pare d'un titre ou d'une autorité de santé qu'il n'a pas, ou d'un titre réel pour une pratique illusoire.",
    ),
    Label(
        "unrecognised_training",
        "formation non reconnue",
        "Vend ou vante au lecteur une formation à une pratique de soin non reconnue.",
    ),
    Label(
        "vulnerable_target",
        "public vulnérable",
        "Adresse une offre non reconnue à des personnes fragiles en annonçant un effet sur ce qui les fragilise.",
    ),
    Label(
        "physical_danger",
        "danger pour le corps",
        "Propose une pratique ou un produit dangereux : jeûne prolongé ou sec, purge, substance toxique, privation.",
    ),
)

STANCES: Final[tuple[Label, ...]] = (
    Label("promotes", "promeut", "Vend, propose, recommande ou témoigne en faveur d'une pratique non reconnue."),
    Label("warns", "met en garde", "Critique, alerte, enquête, témoigne comme victime ou parodie, sans rien vendre."),
    Label("neutral", "neutre", "Soin reconnu, information, question, ou texte sans rapport avec la santé."),
)

TARGETS: Final[tuple[Label, ...]] = (
    Label("illness", "maladie visée", "Un diagnostic ou un trouble durable est nommé."),
    Label("serious_illness", "maladie grave visée", "Une maladie grave au sens du guide est nommée."),
    Label("minor", "enfant visé", "L'offre ou la promesse vise un enfant."),
)

LEVELS: Final[tuple[Label, ...]] = (
    Label("0", "aucun signal", "Met en garde, neutre, ou offre prudente sans aucun signe."),
    Label("1", "à surveiller", "Un ou deux signes faibles, sans maladie visée."),
    Label("2", "à examiner", "Un signe grave, un signe faible avec une maladie visée, ou trois signes faibles."),
    Label("3", "prioritaire", "Un danger proche."),
)

CHANNELS: Final[tuple[Label, ...]] = (
    Label("ad", "annonce", "Petite annonce ou publicité."),
    Label("directory", "annuaire", "Fiche d'annuaire."),
    Label("website", "site", "Page ou extrait de page."),
    Label("social_post", "publication", "Publication sur un réseau social."),
    Label("comment", "commentaire", "Commentaire ou message de forum."),
    Label("newsletter", "lettre d'information", "Newsletter ou courriel collectif."),
    Label("video_transcript", "transcription", "Extrait de vidéo ou d'audio retranscrit."),
    Label("message", "message", "Message privé, SMS, messagerie."),
)

INDICATOR_IDS: Final = tuple(label.id for label in INDICATORS)
STANCE_IDS: Final = tuple(label.id for label in STANCES)
TARGET_IDS: Final = tuple(label.id for label in TARGETS)
CHANNEL_IDS: Final = tuple(label.id for label in CHANNELS)
INDICATOR_NAMES: Final = {label.id: label.name for label in INDICATORS}

#: The operating points, from recall first to precision first; their thresholds are learned and live in the artefact.
OPERATING_POINTS: Final = ("triage", "balanced", "strict")
DEFAULT_OPERATING_POINT: Final = "balanced"
