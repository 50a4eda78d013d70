"""Predict one text, several, or a stream. CPU work runs in the slots of the process, never on the event loop."""

from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from model.records import OperatingPointName, Prediction
from service.database import store_text
from service.problems import ApiError
from service.reading import Reader, encoded
from service.schemas import BatchBody, BatchResponse, PredictBody
from service.state import StateDep
from service.streaming import NDJSON, Conversation, while_connected

router = APIRouter(prefix="/v1/predict", tags=["prédiction"])
_JSON = "application/json"


@router.post("", response_model=Prediction, summary="Analyser un texte")
async def predict(body: PredictBody, request: Request, state: StateDep) -> Response:
    """Analyse un texte. Il n'est conservé que si `store` vaut true."""
    reader = state.reader(body.operating_point, body.prior)

    async def work() -> Response:
        with state.slots.place():
            prediction, content = await state.slots.run(partial(_read, reader, body.text, body.id), state.settings.max_wait)
        if body.store and prediction.status != "error":
            content = await to_thread.run_sync(_keep, state, body, prediction)
        return Response(content, media_type=_JSON)

    return await while_connected(request, state, work)


def _read(reader: Reader, text: str, id: str | None) -> tuple[Prediction, bytes]:
    prediction = reader.text(text, id)
    return prediction, encoded(prediction)


def _keep(state: StateDep, body: PredictBody, prediction: Prediction) -> bytes:
    try:
        kept = store_text(state.engine, body.text, prediction.model_dump(mode="json"), body.id)
    except KeyError as error:
        raise ApiError(409, f"L'identifiant « {body.id} » est déjà celui d'un autre texte.") from error
    return encoded(prediction.model_copy(update={"id": kept}))


@router.post("/batch", response_model=BatchResponse, summary="Analyser plusieurs textes")
async def predict_batch(body: BatchBody, request: Request, state: StateDep) -> Response:
    """Analyse plusieurs textes ; une erreur sur l'un n'arrête pas les autres."""
    most = state.settings.max_items
    if len(body.items) > most:
        raise ApiError(413, f"{len(body.items)} éléments ; la limite est de {most}. Utilisez /v1/predict/stream.")
    reader = state.reader(body.operating_point, body.prior)

    async def work() -> Response:
        # Only the first text may be told that its wait is too long: what was begun is finished.
        longest: float | None = state.settings.max_wait
        results = []
        with state.slots.place():
            for item in body.items:
                results.append(await state.slots.run(partial(_item, reader, item), longest))
                longest = None
        return Response(b'{"results":[' + b",".join(results) + b"]}", media_type=_JSON)

    return await while_connected(request, state, work)


def _item(reader: Reader, item: Any) -> bytes:
    return encoded(reader.item(item))


@router.post(
    "/stream",
    summary="Analyser un flux NDJSON",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}, "description": "Une prédiction par ligne, dans l'ordre reçu."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"type": "string"}, "example": '{"id": "1", "text": "Séance 60 €"}\n'}},
        }
    },
)
async def predict_stream(state: StateDep, operating_point: Annotated[OperatingPointName | None, Query()] = None) -> Response:
    """Une ligne JSON par texte, une ligne par réponse, en mémoire constante ; une ligne fautive n'arrête pas le flux."""
    return Conversation(state, state.reader(operating_point))
