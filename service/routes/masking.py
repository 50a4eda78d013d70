"""`/masque`: hide personal data on every page that a person opens, or show it; kept with their account."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from service.access import AnalystDep, after_sign_in
from service.pages import HOME
from service.routes.queue import FormDep, field_of
from service.state import StateDep
from service.workplace.people import set_masks

router = APIRouter(include_in_schema=False)


@router.post("/masque")
def choose(request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep the setting, and go back to the page that it was changed on; a script is answered in JSON."""
    masks = field_of(form, "masques") == "1"
    set_masks(state.engine, person, masks=masks)
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"masks": masks})
    return RedirectResponse(after_sign_in(field_of(form, "suite")[:4_000], HOME), 303)
