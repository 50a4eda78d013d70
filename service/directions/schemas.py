"""What travels over HTTP about practices and directions."""

from typing import Annotated, Any

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.records import Prediction
from service.directions.routing import Question, Recipient
from service.directions.sheets import Sheet
from service.directions.situations import Situation
from service.directions.tables import Statement, load_directions
from service.schemas import PracticeInfo, Storable


class StatementInfo(BaseModel):
    """Who said what of a practice; `secondary`: read elsewhere than at an authority, an order, a court or Parliament."""

    who: str
    said: str
    link: str | None
    date: str | None
    to_verify: bool
    secondary: bool
    binds_physiotherapists_only: bool

    @classmethod
    def of(cls, one: Statement) -> "StatementInfo":
        """A statement as it travels."""
        return cls(
            who=one.who,
            said=one.said,
            link=one.link or None,
            date=one.date or None,
            to_verify=one.verify,
            secondary=one.secondary,
            binds_physiotherapists_only=one.binds_physiotherapists,
        )


class PracticeSheet(PracticeInfo):
    """A practice with what is known of it; `texts` (null unless a person or a key may see texts) counts those that name it."""

    family_name: str
    dangers: dict[str, str]
    claims: str | None
    claims_to_verify: bool
    statements: list[StatementInfo]
    recognised_for: list[str]
    related: list[str]
    texts: int | None = None

    @classmethod
    def of(cls, sheet: Sheet, texts: int | None = None) -> "PracticeSheet":
        """A sheet as it travels."""
        practice, tables = sheet.practice, load_directions()
        return cls(
            id=practice.id,
            name=practice.name,
            variants=list(practice.variants),
            family=practice.family,
            danger=list(practice.danger),
            source=practice.source or None,
            to_verify=practice.verify,
            family_name=tables.families.get(practice.family, practice.family),
            dangers={letter: tables.dangers[letter] for letter in practice.danger if letter in tables.dangers},
            claims=sheet.fact.claims if sheet.fact else None,
            claims_to_verify=sheet.fact.verify if sheet.fact else True,
            statements=[StatementInfo.of(one) for one in sheet.statements],
            recognised_for=list(sheet.titles),
            related=[one.id for one in sheet.related],
            texts=texts,
        )


class RouteRequest(BaseModel):
    """What to find directions for: a prediction, several that belong together, or a text that is kept."""

    model_config = ConfigDict(extra="forbid")

    prediction: Annotated[Prediction | None, Field(description="Une prédiction, telle que /v1/predict la donne.")] = None
    predictions: Annotated[list[Prediction] | None, Field(min_length=1, description="Plusieurs, qui vont ensemble.")] = None
    id: Annotated[Storable | None, Field(max_length=200, description="Identifiant d'un texte conservé.")] = None
    online: Annotated[bool, Field(strict=True, description="Le contenu est public et en ligne.")] = False
    victim: Annotated[bool, Field(strict=True, description="Une personne dit avoir subi un tort.")] = False
    urgency: Annotated[bool, Field(strict=True, description="Un danger immédiat est possible.")] = False
    public_agent: Annotated[bool, Field(strict=True, description="Qui signale est agent public.")] = False

    @model_validator(mode="after")
    def _one(self) -> "RouteRequest":
        if sum(value is not None for value in (self.prediction, self.predictions, self.id)) != 1:
            raise ValueError("« prediction », « predictions » ou « id » est attendu, un seul des trois")
        return self


class RecipientInfo(BaseModel):
    """Somebody to consider, and why; nothing is sent to them."""

    id: str
    name: str
    group: str
    takes: str
    how: str
    link: str | None
    phone: str | None
    legal_basis: str | None
    source: str | None
    source_date: str | None
    to_verify: bool
    reasons: list[str]

    @classmethod
    def of(cls, one: Recipient) -> "RecipientInfo":
        """A recipient as it travels."""
        optional = {name: getattr(one, name) or None for name in ("link", "phone", "legal_basis", "source", "source_date")}
        return cls(
            id=one.id,
            name=one.name,
            group=one.group,
            takes=one.takes,
            how=one.how,
            to_verify=one.verify,
            reasons=list(one.reasons),
            **optional,
        )


class QuestionInfo(BaseModel):
    """An article of law to look at, as a question; `handling`: about what is done with the text."""

    id: str
    article: str
    title: str
    asks: str
    penalty: str | None
    link: str | None
    to_verify: bool
    reasons: list[str]
    handling: bool

    @classmethod
    def of(cls, one: Question) -> "QuestionInfo":
        """A question as it travels."""
        return cls(
            id=one.id,
            article=one.article,
            title=one.title,
            asks=one.asks,
            penalty=one.penalty or None,
            link=one.link or None,
            to_verify=one.verify,
            reasons=list(one.reasons),
            handling=one.handling,
        )


class SituationInfo(BaseModel):
    """What decided, from the texts; `abroad` names the countries outside France that they come from."""

    practices: list[str]
    author_status: str
    orders: list[str]
    conditions: list[str]
    abroad: list[str] = []

    @classmethod
    def of(cls, one: Situation) -> "SituationInfo":
        """A situation as it travels."""
        return cls(
            practices=sorted(one.practices),
            author_status=one.author_status,
            orders=sorted(one.orders),
            conditions=sorted(one.conditions),
            abroad=list(one.abroad),
        )


class StepInfo(BaseModel):
    """Something to do."""

    title: str
    text: str
    to_verify: bool


class RouteResponse(BaseModel):
    """Whom to consider, questions of law, and advice where somebody may be in danger; a person decides, nothing is sent."""

    note: str
    situation: SituationInfo
    recipients: list[RecipientInfo]
    questions: list[QuestionInfo]
    advice: list[StepInfo] | None


_EXAMPLE: dict[str, Any] = {"texte conservé": {"value": {"id": "0199a3", "victim": False, "public_agent": True}}}
RouteBody = Annotated[RouteRequest, Body(openapi_examples=_EXAMPLE)]
