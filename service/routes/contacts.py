"""`/contacts/{id}`: one contact, the texts that have it or name it, and whether it links them."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import select

from service.access import AnalystDep
from service.campaigns.components import campaigns_of
from service.campaigns.contacts import KIND_NAMES
from service.campaigns.links import CampaignError, find_campaign, say_common
from service.campaigns.schema import CONTACTS, ITEM_CONTACTS
from service.campaigns.view import MOST_TEXTS, rows_of
from service.pages import PageError, render
from service.routes.campaigns import common_values
from service.routes.queue import FormDep, field_of
from service.state import State, StateDep
from service.workplace.audit import record_alone
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEMS, USERS

router = APIRouter(include_in_schema=False)


@router.get("/contacts/{contact_id}", response_class=HTMLResponse)
def show(contact_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The contact's page."""
    told = parse_qs(request.url.query[:4_000]).get("dit", [""])[-1]
    return _show(request, state, person, contact_id[:36], "Ce que vous avez dit du contact est enregistré." if told else "")


def _show(request: Request, state: State, person: Person, contact_id: str, told: str = "", wrong: str = "") -> HTMLResponse:
    with state.engine.connect() as connection:
        query = select(CONTACTS, USERS.c.name.label("who")).outerjoin(USERS, USERS.c.id == CONTACTS.c.decided_by)
        contact = connection.execute(query.where(CONTACTS.c.id == contact_id)).mappings().first()
        if contact is None:
            raise PageError(404, "Contact introuvable", "Aucun texte n'a ce contact.")
        named = select(ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.role, ITEM_CONTACTS.c.state)
        named = named.where(ITEM_CONTACTS.c.contact_id == contact_id, ITEM_CONTACTS.c.item_id.not_in(hidden_from(person)))
        newest = list(connection.execute(named.order_by(ITEM_CONTACTS.c.item_id.desc()).limit(MOST_TEXTS)))
        roles = {row.item_id: (row.role, row.state) for row in newest}
        rows = rows_of(connection, select(ITEMS).where(ITEMS.c.id.in_(roles)).order_by(ITEMS.c.id.desc()), person)
        homes = campaigns_of(connection, roles)
        found = [find_campaign(connection, id) for id in sorted(set(homes.values()))]
    record_alone(state.engine, person, "contact.view", f"contact:{contact_id}", {"masked": person.masks})
    own = [
        row for row in rows if (roles[row.id][0] == "own" and roles[row.id][1] != "rejected") or roles[row.id][1] == "confirmed"
    ]
    return render(
        request,
        "contact.html",
        person,
        422 if wrong else 200,
        contact=contact,
        kind_name=KIND_NAMES[contact["kind"]],
        own=own,
        mentions=[row for row in rows if row not in own],
        homes=homes,
        campaigns={campaign.id: campaign for campaign in found if campaign is not None and campaign.texts > 1},
        most=MOST_TEXTS,
        told=told,
        wrong=wrong,
        **common_values(person),
    )


@router.post("/contacts/{contact_id}/etat")
def say(contact_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Say that a contact is nobody's own, or that it does link."""
    try:
        with state.engine.begin() as connection:
            say_common(connection, contact_id[:36], field_of(form, "etat"), person, field_of(form, "pourquoi"))
    except CampaignError as error:
        return _show(request, state, person, contact_id[:36], wrong=str(error))
    return RedirectResponse(f"/contacts/{contact_id[:36]}?dit=contact", 303)
