"""Deciding on several texts at once: those chosen in a campaign, and the near-duplicates of a text that was decided."""

import secrets
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from service.access import AnalystDep
from service.campaigns.extend import extend, extension_of
from service.campaigns.links import CampaignError, find_campaign
from service.campaigns.spread import CHOICES, candidates_of, spread
from service.pages import PageError, render
from service.routes.campaigns import common_values, open_campaign
from service.routes.queue import FormDep, field_of
from service.state import State, StateDep
from service.workplace.audit import record
from service.workplace.decided import REASONS
from service.workplace.forms import proposed
from service.workplace.people import Person
from service.workplace.seen import note_seen
from service.workplace.textpage import NAMES, pieces_of

router = APIRouter()


@router.get("/campagnes/{campaign_id}/decision", response_class=HTMLResponse, include_in_schema=False)
def show_spread(campaign_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The chosen texts, each in full with what the model proposes, and one answer for all."""
    chosen = parse_qs(request.url.query[:8_000]).get("texte", [])
    return _spread_page(request, state, person, campaign_id, chosen)


def _spread_page(
    request: Request, state: State, person: Person, campaign_id: str, chosen: list[str], wrong: str = ""
) -> HTMLResponse:
    try:
        with state.engine.connect() as connection:
            campaign = open_campaign(connection, campaign_id)
            found, blind = candidates_of(connection, campaign.id, chosen, person)
    except CampaignError as error:
        raise PageError(422, "Textes à choisir", str(error)) from error
    with state.engine.begin() as connection:
        note_seen(connection, [one.item.id for one in found], person)
        for one in found:
            record(connection, person, "text.view", f"text:{one.item.id}", {"campaign": campaign.id, "masked": person.masks})
    pieces = {
        one.item.id: pieces_of(one.item.text, proposed(one.prediction), one.prediction, masked=person.masks) for one in found
    }
    values = {"campaign": campaign, "found": found, "blind": blind, "pieces": pieces, "wrong": wrong, "choices": CHOICES}
    token = secrets.token_hex(13)
    status = 422 if wrong else 200
    return render(
        request, "campaign_decision.html", person, status, token=token, reasons=REASONS, **values, **common_values(person)
    )


@router.post("/campagnes/{campaign_id}/decision", response_class=HTMLResponse, include_in_schema=False)
def keep_spread(campaign_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Decide on each text that is still ticked; says what was done and what was left out."""
    with state.engine.connect() as connection:
        campaign = open_campaign(connection, campaign_id)
    ids = [str(value)[:36] for value in form.getlist("texte")]
    every = [str(value)[:36] for value in form.getlist("montre")]
    try:
        done = spread(
            state.engine,
            campaign.id,
            person,
            field_of(form, "reponse"),
            _chosen(form, ids),
            reason=field_of(form, "raison"),
            note=field_of(form, "note"),
            request=f"{field_of(form, 'jeton')[:26] or secrets.token_hex(13)}",
        )
    except CampaignError as error:
        return _spread_page(request, state, person, campaign_id, every or ids, str(error))
    return render(request, "campaign_decided.html", person, campaign=campaign, spread=done, **common_values(person))


def _chosen(form: FormData, ids: list[str]) -> dict[str, tuple[str, int]]:
    """The version of the model and the last record that were shown of each text."""
    chosen = {}
    for id in ids:
        last = field_of(form, f"dernier-{id}")
        chosen[id] = (field_of(form, f"version-{id}")[:100], int(last) if last.isdecimal() and len(last) < 18 else 0)
    return chosen


@router.get("/textes/{item_id}/extension", response_class=HTMLResponse, include_in_schema=False)
def show_extension(item_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """A decided text, and each of its near-duplicates with the same words marked."""
    return _extension_page(request, state, person, item_id[:36])


def _extension_page(request: Request, state: State, person: Person, item_id: str, wrong: str = "") -> HTMLResponse:
    try:
        with state.engine.connect() as connection:
            found = extension_of(connection, item_id, person)
            campaign = find_campaign(connection, found.source.campaign_id)
    except CampaignError as error:
        raise PageError(422, "Décision à étendre", str(error)) from error
    with state.engine.begin() as connection:
        note_seen(connection, [one.candidate.item.id for one in found.targets], person)
        for id in (item_id, *(one.candidate.item.id for one in found.targets)):
            record(connection, person, "text.view", f"text:{id}", {"masked": person.masks})
    source, holds = found.source.item, found.source.holds
    pieces = {source.id: pieces_of(source.text, holds.indicators, None, masked=person.masks)}
    for one in found.targets:
        item, said = one.candidate.item, one.candidate.prediction
        pieces[item.id] = pieces_of(item.text, one.marks, said, masked=person.masks)
    values = {"campaign": campaign, "found": found, "pieces": pieces, "wrong": wrong, "names": NAMES}
    token, status = secrets.token_hex(13), 422 if wrong else 200
    return render(request, "campaign_extension.html", person, status, token=token, **values, **common_values(person))


@router.post("/textes/{item_id}/extension", response_class=HTMLResponse, include_in_schema=False)
def keep_extension(item_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Carry the decision over to each text that is still ticked; says what was done and what was left out."""
    id = item_id[:36]
    chosen = _chosen(form, [str(value)[:36] for value in form.getlist("texte")][:100])
    token = field_of(form, "jeton")[:26] or secrets.token_hex(13)
    note, decision = field_of(form, "note"), field_of(form, "decision")[:36]
    try:
        done = extend(state.engine, id, person, chosen, decision=decision, note=note, request=token)
    except CampaignError as error:
        return _extension_page(request, state, person, id, str(error))
    with state.engine.connect() as connection:
        campaign = extension_of(connection, id, person).source.campaign_id
        found = find_campaign(connection, campaign)
    return render(request, "campaign_decided.html", person, campaign=found, spread=done, **common_values(person))
