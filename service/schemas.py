"""What travels over HTTP besides predictions: requests, with French examples, and the tables that others read."""

from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from model.labels import INDICATOR_IDS
from model.records import OperatingPointName, Prediction, StanceName

OFFER_EXAMPLE = (
    "Magnétiseuse à Saint-Rivel depuis 2011. Je soigne l'eczéma, le zona et la fibromyalgie en rééquilibrant vos "
    "énergies. Séance 60 €, sur rendez-vous."
)


def _storable(value: str) -> str:
    """A string that can be written back as UTF-8 and kept by any database."""
    if any("\ud800" <= character <= "\udfff" or character == "\x00" for character in value):
        raise ValueError("caractère invalide (demi-codet isolé ou caractère nul)")
    return value


Storable = Annotated[str, AfterValidator(_storable)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PredictItem(_Request):
    """One text to analyse."""

    text: Annotated[str, Field(description="Le texte, tel que reçu.")]
    id: Annotated[Storable | None, Field(max_length=200, description="Identifiant repris dans la réponse.")] = None


class PredictRequest(PredictItem):
    """One text to analyse, and how."""

    operating_point: Annotated[OperatingPointName | None, Field(description="Point de fonctionnement.")] = None
    prior: Annotated[float | None, Field(gt=0, lt=1, description="Fréquence de base à supposer pour `risk.score`.")] = None
    store: Annotated[bool, Field(strict=True, description="Conserver le texte et sa prédiction (non par défaut).")] = False


class BatchRequest(_Request):
    """Several texts; each item is checked by itself, so that one bad item spoils nothing."""

    items: Annotated[list[Any], Field(min_length=1, description='Objets {"id"?, "text"}.')]
    operating_point: OperatingPointName | None = None
    prior: Annotated[float | None, Field(gt=0, lt=1)] = None


class BatchResponse(BaseModel):
    """One prediction an item, in order."""

    results: list[Prediction]


class FeedbackRequest(_Request):
    """A correction: of a text (or of one kept under `id`), what is right for an indicator, the stance or the level."""

    text: Annotated[Storable | None, Field(max_length=20_000)] = None
    id: Annotated[Storable | None, Field(max_length=200, description="Identifiant d'un texte conservé.")] = None
    indicator: Annotated[str | None, Field(description="Identifiant d'un des douze indicateurs.")] = None
    present: Annotated[bool | None, Field(strict=True, description="Si l'indicateur est présent.")] = None
    stance: StanceName | None = None
    risk_level: Annotated[int | None, Field(strict=True, ge=0, le=3)] = None
    start: Annotated[int | None, Field(ge=0, description="Début du passage, en points de code.")] = None
    end: Annotated[int | None, Field(ge=1, description="Fin du passage, exclue.")] = None
    reviewer: Annotated[Storable | None, Field(max_length=200)] = None
    comment: Annotated[Storable | None, Field(max_length=5_000)] = None

    @model_validator(mode="after")
    def _whole(self) -> "FeedbackRequest":
        if (self.text is None) == (self.id is None):
            raise ValueError("« text » ou « id » est attendu, l'un des deux")
        if self.text is not None and not self.text.strip():
            raise ValueError("« text » est vide")
        if self.indicator is not None and self.indicator not in INDICATOR_IDS:
            raise ValueError(f"« indicator » : un de {', '.join(INDICATOR_IDS)} est attendu")
        if (self.indicator is None) != (self.present is None):
            raise ValueError("« indicator » et « present » vont ensemble")
        if self.indicator is None and self.stance is None and self.risk_level is None:
            raise ValueError("une valeur juste est attendue : « indicator » et « present », « stance » ou « risk_level »")
        if (self.start is None) != (self.end is None):
            raise ValueError("« start » et « end » vont ensemble")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("« start » doit être inférieur à « end »")
        return self


class FeedbackResponse(BaseModel):
    """The correction is on disk under this identifier; `item` is the text of the queue that shows it."""

    id: str
    item: str
    status: Literal["stored"] = "stored"


class LabelInfo(BaseModel):
    """A value of the guide: identifier, French name, French definition."""

    id: str
    name: str
    definition: str


class LabelsResponse(BaseModel):
    """All labels of the guide."""

    indicators: list[LabelInfo]
    stances: list[LabelInfo]
    levels: list[LabelInfo]
    targets: list[LabelInfo]
    channels: list[LabelInfo]


class PracticeInfo(BaseModel):
    """A practice of the gazetteer; its name in a text is no sign."""

    id: str
    name: str
    variants: list[str]
    family: str
    danger: list[str]
    source: str | None
    to_verify: bool


class Limits(BaseModel):
    """What the service accepts; sizes in characters, items or bytes; rate in requests a minute (null: none); times in seconds.

    `max_queue` (requests that wait), `max_streams` and the rate are those of one process.
    """

    max_characters: int
    max_items: int
    max_body_bytes: int
    max_line_bytes: int
    rate_per_minute: int | None
    account_rate_per_minute: int | None
    key_rate_per_minute: int | None
    timeout: float
    max_queue: int
    max_wait: float
    max_streams: int
    stream_idle: float


class ModelResponse(BaseModel):
    """The model that serves: version, thresholds, base rate, limits of the service, card in Markdown."""

    version: str
    format: str
    operating_points: dict[str, Any]
    default_operating_point: str
    base_rate: float
    corpus_sha256: str
    texts: dict[str, int]
    libraries: dict[str, str]
    limits: Limits
    metrics: dict[str, Any]
    card: str


class Health(BaseModel):
    """Whether the service lives, or is ready to answer."""

    status: Literal["ok"]
    model_version: str | None = None
    warnings: list[str] = []


PredictBody = Annotated[
    PredictRequest,
    Body(
        openapi_examples={
            "offre": {"summary": "Une offre", "value": {"id": "annonce-17", "text": OFFER_EXAMPLE}},
            "mise en garde": {
                "summary": "Une mise en garde",
                "value": {
                    "text": "« Jetez vos cachets », lui répétait son guérisseur. L'association rappelle qu'aucun "
                    "traitement ne s'arrête sans avis médical.",
                    "operating_point": "strict",
                },
            },
        }
    ),
]
BatchBody = Annotated[
    BatchRequest,
    Body(
        openapi_examples={
            "deux textes": {
                "value": {
                    "items": [
                        {"id": "a1", "text": OFFER_EXAMPLE},
                        {"id": "a2", "text": "Cours de yoga doux le mardi à 18 h, salle des fêtes."},
                    ]
                }
            }
        }
    ),
]
FeedbackBody = Annotated[
    FeedbackRequest,
    Body(
        openapi_examples={
            "indicateur absent": {
                "value": {
                    "text": "Je ne promets aucune guérison.",
                    "indicator": "miracle_cure",
                    "present": False,
                    "comment": "La promesse est niée.",
                }
            }
        }
    ),
]
