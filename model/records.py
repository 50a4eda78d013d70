"""The prediction that others rely on, field for field as the contract gives it; also the schema of the HTTP answers."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["ok", "unsupported_language", "error"]
OperatingPointName = Literal["triage", "balanced", "strict"]
StanceName = Literal["promotes", "warns", "neutral"]

SCORE_DECIMALS: Final = 4


class Record(BaseModel):
    """Base of the records: immutable, no field beyond those named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Record):
    """A range of the submitted text in code points, `end` excluded, and the characters there."""

    start: int = Field(ge=0, description="Premier caractère, en points de code du texte envoyé.")
    end: int = Field(ge=0, description="Caractère qui suit le dernier.")
    text: str = Field(description="Les caractères à cet endroit, tels qu'envoyés.")


class Evidence(Place):
    """A passage that shows an indicator."""

    source: Literal["model", "rule"]
    score: float = Field(ge=0, le=1)
    rule: str | None = Field(default=None, description="Nom de la règle, si `source` vaut `rule`.")


class IndicatorScore(Record):
    """One of the twelve indicators: calibrated score, whether it is present at this operating point, its passages."""

    id: str
    label: str
    score: float = Field(ge=0, le=1)
    present: bool
    evidence: list[Evidence]


class Risk(Record):
    """The probability that a reviewer would put the text at level 2 or 3, and the level by the guide's table."""

    score: float = Field(ge=0, le=1)
    level: int = Field(ge=0, le=3)
    label: str
    reasons: list[str]


class Stance(Record):
    """What the author does; the three scores sum to 1."""

    value: StanceName
    scores: dict[str, float]


class LanguageInfo(Record):
    """ISO 639-1 code of the language (`und` when nothing can be told) and the confidence in it."""

    code: str
    confidence: float = Field(ge=0, le=1)


class ContextCue(Place):
    """Something around a claim that changes how it reads."""

    kind: str


class AuthorInfo(Record):
    """What the author says to be, and where; practices next to a regulated title are something to look at, no proof."""

    status: Literal["regulated", "protected_title", "unregulated", "mixed", "unknown"]
    start: int | None = None
    end: int | None = None
    text: str | None = None
    title: str | None = Field(default=None, description="Identifiant du titre à cet endroit, dans la table des titres.")
    beside: list[str] = Field(
        default=[],
        description="Pratiques nommées près d'un titre réglementé ou protégé de l'auteur, non admises pour ce titre d'après la "
        "table (identifiants) : à vérifier.",
    )


class PracticeMention(Place):
    """A practice named in the text; a name alone is no sign."""

    id: str
    name: str


class EntityMention(Place):
    """A price, contact, identifier, title, illness, audience, place, person, address or date."""

    kind: str
    value: dict[str, Any] | None = None


class Problem(Record):
    """Why a text could not be analysed, or what to keep in mind about the analysis."""

    code: str
    message: str


class Prediction(Record):
    """Everything Vigie says of one text (contract, "Prediction")."""

    id: str | None = None
    status: Status
    analysis: Literal["full", "screen"] = "full"
    model_version: str
    operating_point: OperatingPointName
    language: LanguageInfo | None = None
    risk: Risk | None = None
    stance: Stance | None = None
    indicators: list[IndicatorScore] = []
    context: list[ContextCue] = []
    targets: list[str] = []
    author: AuthorInfo | None = None
    practices: list[PracticeMention] = []
    entities: list[EntityMention] = []
    warnings: list[Problem] = []
    error: Problem | None = None

    def present(self) -> list[str]:
        """Identifiers of the indicators present, in the guide's order."""
        return [indicator.id for indicator in self.indicators if indicator.present]
