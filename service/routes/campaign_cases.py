"""Texts of a campaign, chosen or all of them, put in a case that is open or new."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from service.access import AnalystDep
from service.campaigns.links import items_of
from service.cases.cases import CaseError
from service.cases.contents import hidden_among
from service.cases.pages import put_in_case
from service.pages import PageError
from service.routes.campaigns import open_campaign
from service.routes.queue import FormDep, field_of
from service.state import StateDep

router = APIRouter(include_in_schema=False)


@router.post("/campagnes/{campaign_id}/dossier")
def add_to_case(campaign_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Put the ticked texts, or every text that is not blind for the person, in a case; leads to the case."""
    case, why, title = (field_of(form, name) for name in ("case", "case_why", "case_title"))
    try:
        with state.engine.begin() as connection:
            campaign = open_campaign(connection, campaign_id)
            members = items_of(connection, campaign.id)
            blind = hidden_among(connection, members, person)
            seen = [id for id in members if id not in blind]
            if field_of(form, "etendue") == "tout":
                chosen = seen
            else:
                chosen = [str(value)[:36] for value in form.getlist("texte")]
                if not set(chosen) <= set(seen):
                    raise CaseError("Textes : l'un d'eux n'est pas, ou plus, dans cette campagne. Rechargez la page.")
            name, added = put_in_case(connection, person, case, chosen, why, title)
    except CaseError as error:
        raise PageError(422, "Textes non ajoutés", str(error)) from error
    told = "campagne" if blind and field_of(form, "etendue") == "tout" else "textes"
    return RedirectResponse(f"/dossiers/{name}?dit={told}&n={added}#textes", 303)
