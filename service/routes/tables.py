"""Corrections in; labels, practices, model, health and metrics out."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError

from model.labels import CHANNELS, INDICATORS, LEVELS, STANCES, TARGETS, Label
from service.access import OPEN, KeyDep
from service.database import find_text
from service.problems import ApiError
from service.rates import allowances
from service.schemas import (
    FeedbackBody,
    FeedbackResponse,
    Health,
    LabelInfo,
    LabelsResponse,
    Limits,
    ModelResponse,
)
from service.settings import Settings
from service.state import StateDep
from service.workplace.corrections import take_in

router = APIRouter()


@router.post("/v1/feedback", response_model=FeedbackResponse, status_code=201, tags=["correction"], summary="Corriger")
def feedback(body: FeedbackBody, state: StateDep, person: KeyDep("review")) -> FeedbackResponse:  # type: ignore[valid-type]
    """Enregistre une correction et son texte, et les met devant une personne : un texte de la file, avec un commentaire.

    Demande une clé du droit `review`, ou d'être connecté.
    """
    text = body.text
    if body.id is not None:
        stored = find_text(state.engine, body.id)
        if stored is None:
            raise ApiError(404, f"Aucun texte conservé sous l'identifiant « {body.id} ».")
        text = stored.text
    if text is None:
        raise ApiError(422, "text : un texte est attendu.")
    if body.end is not None and body.end > len(text):
        raise ApiError(422, f"end : {body.end} dépasse la longueur du texte ({len(text)} points de code).")
    values = body.model_dump(exclude={"id", "text"})
    given = {"text_id": body.id, "text": body.text, "model_version": state.analyser.artefact.version}
    kept, item = take_in(state.engine, text, values | given, person)
    state.metrics.feedback.inc()
    return FeedbackResponse(id=kept, item=item)


def _shown(labels: tuple[Label, ...]) -> list[LabelInfo]:
    return [LabelInfo(id=label.id, name=label.name, definition=label.definition) for label in labels]


@router.get("/v1/labels", dependencies=[OPEN], response_model=LabelsResponse, tags=["tables"], summary="Étiquettes")
def labels() -> LabelsResponse:
    """Les étiquettes du guide d'annotation."""
    return LabelsResponse(
        indicators=_shown(INDICATORS),
        stances=_shown(STANCES),
        levels=_shown(LEVELS),
        targets=_shown(TARGETS),
        channels=_shown(CHANNELS),
    )


def limits_of(settings: Settings) -> Limits:
    """The limits that a service with these settings keeps."""
    allowed = allowances(settings)
    return Limits(
        max_characters=settings.max_characters,
        max_items=settings.max_items,
        max_body_bytes=settings.max_body_bytes,
        max_line_bytes=settings.max_line_bytes,
        rate_per_minute=allowed["address"] or None,
        account_rate_per_minute=allowed["account"] or None,
        key_rate_per_minute=allowed["key"] or None,
        timeout=settings.timeout,
        max_queue=settings.max_queue,
        max_wait=settings.max_wait,
        max_streams=settings.max_streams,
        stream_idle=settings.stream_idle,
    )


@router.get("/v1/model", dependencies=[OPEN], response_model=ModelResponse, tags=["tables"], summary="Modèle")
def model(state: StateDep) -> ModelResponse:
    """Le modèle qui sert : version, seuils, fréquence de base, limites, carte."""
    artefact = state.analyser.artefact
    manifest = artefact.manifest
    return ModelResponse(
        version=artefact.version,
        format=manifest["format"],
        operating_points=manifest["operating_points"],
        default_operating_point=state.settings.operating_point,
        base_rate=manifest["base_rate"],
        corpus_sha256=manifest["corpus_sha256"],
        texts=manifest["texts"],
        libraries=manifest["libraries"],
        limits=limits_of(state.settings),
        metrics=artefact.metrics(),
        card=artefact.card(),
    )


@router.get("/health/live", dependencies=[OPEN], response_model=Health, tags=["exploitation"], summary="Vivant")
async def live() -> Health:
    """Le processus répond."""
    return Health(status="ok")


@router.get("/health/ready", dependencies=[OPEN], response_model=Health, tags=["exploitation"], summary="Prêt")
def ready(state: StateDep) -> Health:
    """Le modèle est chargé et la base répond ; `warnings` dit si un modèle promu n'a pas pu être chargé."""
    try:
        with state.engine.connect() as connection:
            connection.execute(sql("SELECT 1"))
    except SQLAlchemyError as error:
        raise ApiError(503, "La base de données ne répond pas.", headers={"Retry-After": "5"}) from error
    problem = state.models.problem
    return Health(status="ok", model_version=state.analyser.artefact.version, warnings=[problem] if problem else [])


@router.get("/metrics", dependencies=[OPEN], tags=["exploitation"], summary="Mesures Prometheus", response_class=Response)
def metrics(state: StateDep) -> Response:
    """Compteurs, durées et ce qui attend, sans texte ni identifiant."""
    artefact = state.analyser.artefact
    counted = state.metrics.exposed() + state.gauges.exposed(artefact.version, artefact.folder)
    return Response(counted, media_type=CONTENT_TYPE_LATEST)
