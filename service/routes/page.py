"""The page: paste a text, see its level, its signs and its passages. Server-rendered, nothing needed from scripts."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from model.labels import INDICATORS, LEVELS
from model.records import OperatingPointName, Prediction
from service.access import PersonDep
from service.highlight import segments
from service.pages import render
from service.samples import SAMPLES
from service.state import StateDep, state_of
from service.streaming import while_connected
from service.titles import BESIDE, NOT_ADMITTED, beside_of, title_of
from service.workplace.people import Person
from service.workplace.textpage import AUTHOR_NAMES, CONTEXT_NAMES, NAMES

router = APIRouter(include_in_schema=False)

_POINTS = (
    ("triage", "large (triage)"),
    ("balanced", "équilibré (balanced)"),
    ("strict", "étroit (strict)"),
)


def _render(
    request: Request, person: Person | None, text: str, point: OperatingPointName, prediction: Prediction | None
) -> HTMLResponse:
    state = state_of(request)
    return render(
        request,
        "page.html",
        person,
        text=text,
        point=point,
        points=_POINTS,
        prediction=prediction,
        pieces=segments(text, prediction) if prediction else [],
        names=NAMES,
        definitions={label.id: label.definition for label in INDICATORS},
        levels=LEVELS,
        context_names=CONTEXT_NAMES,
        author_names=AUTHOR_NAMES,
        title=title_of(prediction) if prediction else "",
        beside=beside_of(prediction) if prediction else (),
        beside_says=(BESIDE, NOT_ADMITTED),
        samples=SAMPLES,
        version=prediction.model_version if prediction else state.analyser.artefact.version,
        limit=state.settings.max_characters,
    )


@router.get("/", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: PersonDep) -> HTMLResponse:
    """The empty page, or a sample text ready to be analysed (`?exemple=2`)."""
    chosen = request.query_params.get("exemple", "")
    index = int(chosen) - 1 if len(chosen) == 1 and chosen in "123456789" else -1
    text = SAMPLES[index].text if 0 <= index < len(SAMPLES) else ""
    return _render(request, person, text, state.settings.operating_point, None)


@router.post("/", response_class=HTMLResponse)
async def analyse(
    request: Request,
    state: StateDep,
    person: PersonDep,
    text: Annotated[str, Form()] = "",
    point: Annotated[OperatingPointName, Form()] = "balanced",
) -> Response:
    """The page with the analysis of the pasted text, which is not kept."""
    # Browsers send line breaks as CR LF; the reader pasted one character.
    received = text.replace("\r\n", "\n")
    reader = state.reader(point)

    def read_and_show() -> Response:
        return _render(request, person, received, point, reader.text(received))

    async def work() -> Response:
        with state.slots.place():
            return await state.slots.run(read_and_show, state.settings.max_wait)

    return await while_connected(request, state, work)
