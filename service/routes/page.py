"""The page: paste a text, see its level, its signs and its passages. Server-rendered, nothing needed from scripts."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from model.labels import INDICATORS, LEVELS, STANCES, TARGETS
from model.records import OperatingPointName, Prediction
from service.highlight import segments
from service.samples import SAMPLES
from service.state import State, StateDep
from service.streaming import while_connected

router = APIRouter(include_in_schema=False)

_POINTS = (
    ("triage", "large (triage)"),
    ("balanced", "équilibré (balanced)"),
    ("strict", "étroit (strict)"),
)
_NEARLY = 0.01
_CONTEXT = {
    "negation": "négation",
    "condition": "condition",
    "question": "question",
    "quotation": "citation",
    "reported_speech": "propos rapporté",
    "disclaimer": "clause de prudence",
    "facade_disclaimer": "clause de façade",
    "warning": "mise en garde",
    "satire": "satire",
    "testimony": "témoignage",
    "recognised_care": "soin reconnu",
    "person_at_risk": "personne en danger",
}
_AUTHOR = {
    "regulated": "profession de santé réglementée",
    "protected_title": "titre protégé",
    "unregulated": "activité non réglementée",
    "mixed": "titre réglementé à côté d'une activité non réglementée",
    "unknown": "non dit",
}


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(files("service").joinpath("templates"))),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    return environment


def _percent(value: float) -> str:
    """A probability for people: never a false certainty."""
    if value < _NEARLY:
        return "moins de 1\u00a0%"
    return "plus de 99\u00a0%" if value > 1 - _NEARLY else f"{100 * value:.0f}\u00a0%"


def _names() -> dict[str, str]:
    return {label.id: label.name for label in (*INDICATORS, *STANCES, *TARGETS)}


def _render(state: State, text: str, point: OperatingPointName, prediction: Prediction | None) -> HTMLResponse:
    html = (
        _templates()
        .get_template("page.html")
        .render(
            text=text,
            point=point,
            points=_POINTS,
            prediction=prediction,
            pieces=segments(text, prediction) if prediction else [],
            names=_names(),
            definitions={label.id: label.definition for label in INDICATORS},
            levels=LEVELS,
            context_names=_CONTEXT,
            author_names=_AUTHOR,
            samples=SAMPLES,
            version=prediction.model_version if prediction else state.analyser.artefact.version,
            limit=state.settings.max_characters,
        )
    )
    return HTMLResponse(html)


@router.get("/", response_class=HTMLResponse)
def show(request: Request, state: StateDep) -> HTMLResponse:
    """The empty page, or a sample text ready to be analysed (`?exemple=2`)."""
    chosen = request.query_params.get("exemple", "")
    index = int(chosen) - 1 if len(chosen) == 1 and chosen in "123456789" else -1
    text = SAMPLES[index].text if 0 <= index < len(SAMPLES) else ""
    return _render(state, text, state.settings.operating_point, None)


@router.post("/", response_class=HTMLResponse)
async def analyse(
    request: Request,
    state: StateDep,
    text: Annotated[str, Form()] = "",
    point: Annotated[OperatingPointName, Form()] = "balanced",
) -> Response:
    """The page with the analysis of the pasted text, which is not kept."""
    # Browsers send line breaks as CR LF; the reader pasted one character.
    received = text.replace("\r\n", "\n")
    reader = state.reader(point)

    def read_and_show() -> Response:
        return _render(state, received, point, reader.text(received))

    async def work() -> Response:
        with state.slots.place():
            return await state.slots.run(read_and_show, state.settings.max_wait)

    return await while_connected(request, state, work)
