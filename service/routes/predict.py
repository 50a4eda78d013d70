"""Predict one text, several, or a stream. CPU work runs in worker threads, never on the event loop."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from model.records import OperatingPointName, Prediction, Problem
from service.database import store_text
from service.problems import ApiError
from service.schemas import BatchBody, BatchResponse, PredictBody, PredictItem
from service.state import State, StateDep

router = APIRouter(prefix="/v1/predict", tags=["prédiction"])
NDJSON: Final = "application/x-ndjson"


class _Duplex(StreamingResponse):
    """An answer that is sent while the request still arrives.

    The usual one watches for a disconnect by reading the request, and so would swallow the lines that are to be answered.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


def invalid_item(state: State, id: str | None, message: str, point: OperatingPointName | None = None) -> Prediction:
    """The prediction of an item that is not a text: status `error`, code `invalid_text`."""
    prediction = Prediction(
        id=id,
        status="error",
        model_version=state.analyser.artefact.version,
        operating_point=point or state.settings.operating_point,
        error=Problem(code="invalid_text", message=message),
    )
    state.metrics.count(prediction)
    return prediction


def _predict_item(state: State, item: Any, point: OperatingPointName | None = None, prior: float | None = None) -> Prediction:
    try:
        checked = PredictItem.model_validate(item)
    except ValidationError as error:
        given = item.get("id") if isinstance(item, dict) else None
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "élément"
        message = f'Champ « {place} » : un objet {{"id"?: chaîne, "text": chaîne}} est attendu ({fault["type"]}).'
        return invalid_item(state, given if isinstance(given, str) and given.isprintable() else None, message, point)
    return state.predict(checked.text, checked.id, point, prior)


@router.post("", response_model=Prediction, summary="Analyser un texte")
def predict(body: PredictBody, state: StateDep) -> Prediction:
    """Analyse un texte. Il n'est conservé que si `store` vaut true."""
    prediction = state.predict(body.text, body.id, body.operating_point, body.prior)
    if not body.store or prediction.status == "error":
        return prediction
    try:
        kept = store_text(state.engine, body.text, prediction.model_dump(mode="json"), body.id)
    except KeyError as error:
        raise ApiError(409, f"L'identifiant « {body.id} » est déjà celui d'un autre texte.") from error
    return prediction.model_copy(update={"id": kept})


@router.post("/batch", response_model=BatchResponse, summary="Analyser plusieurs textes")
def predict_batch(body: BatchBody, state: StateDep) -> BatchResponse:
    """Analyse plusieurs textes ; une erreur sur l'un n'arrête pas les autres."""
    most = state.settings.max_items
    if len(body.items) > most:
        raise ApiError(413, f"{len(body.items)} éléments ; la limite est de {most}. Utilisez /v1/predict/stream.")
    return BatchResponse(results=[_predict_item(state, item, body.operating_point, body.prior) for item in body.items])


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
async def predict_stream(
    request: Request, state: StateDep, operating_point: Annotated[OperatingPointName | None, Query()] = None
) -> StreamingResponse:
    """Une ligne JSON par texte, une ligne par réponse, en mémoire constante ; une ligne fautive n'arrête pas le flux."""
    predict_one = partial(_predict_line, state, point=operating_point)
    return _Duplex(_answers(request, state.settings.max_line_bytes, predict_one), media_type=NDJSON)


async def _answers(request: Request, most: int, predict_one: Callable[[int, bytes], str]) -> AsyncIterator[str]:
    # One text of a stream at a time: memory stays flat, and a slow reader slows the work down, not the server.
    limiter = CapacityLimiter(1)
    number = 0
    async for line in _lines(request, most):
        number += 1
        if line is not None and not line.strip():
            continue
        content = line if line is not None else b""
        if line is None:
            yield await to_thread.run_sync(partial(predict_one, -number, content), limiter=limiter)
        else:
            yield await to_thread.run_sync(partial(predict_one, number, content), limiter=limiter)


async def _lines(request: Request, most: int) -> AsyncIterator[bytes | None]:
    """The lines of a body as they arrive; None for a line over `most` bytes, whose content is dropped."""
    buffer = bytearray()
    dropping = False
    try:
        async for piece in request.stream():
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                part = piece[start:end]
                start = end + 1
                if dropping or len(buffer) + len(part) > most:
                    yield None
                else:
                    yield bytes(buffer + part)
                buffer.clear()
                dropping = False
            rest = piece[start:]
            if dropping or len(buffer) + len(rest) > most:
                dropping = True
                buffer.clear()
            else:
                buffer += rest
    except ClientDisconnect:
        return
    if dropping:
        yield None
    elif buffer:
        yield bytes(buffer)


def _predict_line(state: State, number: int, line: bytes, point: OperatingPointName | None) -> str:
    if number < 0:
        message = f"Ligne {-number} : plus de {state.settings.max_line_bytes} octets."
        prediction = invalid_item(state, None, message, point)
    else:
        try:
            prediction = _predict_item(state, json.loads(line), point)
        except (ValueError, RecursionError):
            prediction = invalid_item(state, None, f"Ligne {number} : JSON illisible (UTF-8 attendu).", point)
    return prediction.model_dump_json() + "\n"
