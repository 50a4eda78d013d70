"""`/campagnes` and `/contacts`: texts that belong together, what joins them, and what people say of that."""

from dataclasses import replace
from datetime import date
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from model.labels import CHANNELS, LEVELS, STANCES
from model.tables import load_tables
from service.access import AnalystDep
from service.campaigns import lists, view
from service.campaigns.contacts import KIND_NAMES
from service.campaigns.graph import families_of, picture, shown_value
from service.campaigns.links import (
    Campaign,
    CampaignError,
    describe,
    find_campaign,
    merge,
    say_contact,
    say_link,
    take_out,
)
from service.campaigns.spread import MOST, candidates_of
from service.campaigns.work import count_unlinked
from service.cases.pages import NEW, open_cases
from service.pages import PageError, render
from service.routes.queue import FormDep, field_of
from service.state import State, StateDep
from service.workplace.audit import record_alone
from service.workplace.figures import Bar, columns
from service.workplace.people import Person
from service.workplace.queue import values_of

router = APIRouter()

LEVEL_NAMES: Final = {int(level.id): level.name for level in LEVELS}
STANCE_NAMES: Final = {one.id: one.name for one in STANCES}
CHANNEL_NAMES: Final = {one.id: one.name for one in CHANNELS}
STATE_NAMES: Final = {"suggested": "suggéré", "confirmed": "confirmé", "rejected": "rejeté"}
CONTACT_STATES: Final = {
    "links": "relie les textes qui l'ont",
    "common": "ne relie rien : trop de textes sans autre lien l'ont",
    "ignored": "ne relie rien : une personne l'a écarté",
    "kept": "relie les textes qui l'ont : une personne l'a dit",
}
EVENT_NAMES: Final = {
    "merged": "une autre campagne y a été réunie, par un lien trouvé",
    "parted": "détachée d'une autre campagne, faute de lien",
    "left": "des textes n'y tiennent plus par aucun lien",
    "common": "un contact est mis de côté : trop de textes sans autre lien l'ont",
    "link": "un lien a été confirmé, rejeté ou remis",
    "contact": "un contact a été écarté ou remis",
    "taken_out": "des textes en ont été séparés",
    "joined": "deux campagnes ont été réunies",
    "described": "nom ou note changés",
    "decided": "un texte a été décidé depuis la campagne",
}
_SAID: Final = {
    "lien": "Ce que vous avez dit des liens est enregistré.",
    "separe": "Les textes cochés sont séparés de cette campagne.",
    "reunie": "Les deux campagnes sont réunies.",
    "decrite": "Le nom et la note sont enregistrés.",
    "contact": "Ce que vous avez dit du contact est enregistré.",
}
LONGEST: Final = 200


def wanted_of(query: dict[str, list[str]]) -> lists.Wanted:
    """What an address asks of the list; what cannot be read is left aside."""

    def one(name: str) -> str:
        return query.get(name, [""])[-1][:LONGEST].replace("\x00", "").strip()

    def day(name: str) -> date | None:
        try:
            return date.fromisoformat(one(name)) if one(name) else None
        except ValueError:
            return None

    page = one("page")
    return lists.Wanted(
        q=one("q"),
        niveau=int(one("niveau")) if one("niveau") in ("1", "2", "3") else None,
        pratique=one("pratique") if one("pratique") in practice_names() else "",
        source=one("source"),
        theme=one("theme"),
        region=one("region"),
        du=day("du"),
        au=day("au"),
        tri=one("tri") if one("tri") in lists.SORTS else "niveau",
        page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
    )


def practice_names() -> dict[str, str]:
    """The names of the practices, by identifier."""
    return {practice.id: practice.name for practice in load_tables().practices}


def _query(wanted: lists.Wanted) -> str:
    return urlencode({name: getattr(wanted, name) for name in wanted.__slots__ if getattr(wanted, name)})


def common_values(person: Person) -> dict[str, Any]:
    """What every page of this part shows."""
    return {
        "level_names": LEVEL_NAMES,
        "stance_names": STANCE_NAMES,
        "channel_names": CHANNEL_NAMES,
        "kind_names": KIND_NAMES,
        "state_names": STATE_NAMES,
        "contact_states": CONTACT_STATES,
        "practice_names": practice_names(),
        "show": lambda value: shown_value(value, person.masks),
    }


@router.get("/campagnes", response_class=HTMLResponse, include_in_schema=False)
def show_list(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The campaigns, filtered and sorted."""
    wanted = wanted_of(parse_qs(request.url.query[:4_000]))
    with state.engine.connect() as connection:
        found = lists.list_campaigns(connection, wanted, person)
        chiefs = lists.chief_contacts(connection, [one.id for one in found.campaigns])
        decided = lists.said_by_people(connection, found.campaigns, person)
        values = {name: values_of(connection, name) for name in ("source", "theme", "region")}
    last = max(1, -(-found.total // lists.PAGE))
    return render(
        request,
        "campaigns.html",
        person,
        wanted=wanted,
        found=found,
        values=values,
        chiefs=chiefs,
        decided=decided,
        last=last,
        sorts=lists.SORTS,
        waiting=count_unlinked(state.engine),
        before=f"/campagnes?{_query(replace(wanted, page=wanted.page - 1))}" if wanted.page > 1 else None,
        after=f"/campagnes?{_query(replace(wanted, page=wanted.page + 1))}" if wanted.page < last else None,
        **common_values(person),
    )


def open_campaign(connection: Connection, campaign_id: str) -> Campaign:
    """The campaign of an address.

    Raises:
        PageError: there is none.
    """
    campaign = find_campaign(connection, campaign_id[:36])
    if campaign is None:
        raise PageError(404, "Campagne introuvable", "Cette campagne n'existe pas, ou plus.")
    return campaign


@router.get("/campagnes/{campaign_id}", response_class=HTMLResponse, include_in_schema=False)
def show(campaign_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """One campaign; the address of one that was merged leads to the one that lives on."""
    with state.engine.connect() as connection:
        campaign = open_campaign(connection, campaign_id)
    if campaign.id != campaign_id:
        return RedirectResponse(f"/campagnes/{campaign.id}", 303)
    told = _SAID.get(parse_qs(request.url.query[:4_000]).get("dit", [""])[-1], "")
    record_alone(state.engine, person, "campaign.view", f"campaign:{campaign.id}", {"masked": person.masks})
    return _show(request, state, person, campaign, told=told)


def _show(request: Request, state: State, person: Person, campaign: Campaign, *, told: str = "", wrong: str = "") -> HTMLResponse:
    with state.engine.connect() as connection:
        rows, hidden = view.texts_of(connection, campaign.id, person)
        shown = {row.id: index for index, row in enumerate(rows, start=1)}
        links = view.links_of(connection, shown)
        ties = view.ties_of(connection, campaign.id)
        sums = view.sums_of(connection, rows)
        values = {
            "campaign": lists.shown_to(connection, campaign, person),
            "sums": sums,
            "crowded": view.crowded_of(connection, campaign.id),
            "events": view.events_of(connection, campaign.id),
            "mentions": view.mentioned_by(connection, campaign.id, person),
            "offered": open_cases(connection),
        }
    families = families_of(rows, links)
    months = [Bar(month, (count,)) for month, count in sums.months]
    plot = columns("mois", "Textes par mois", months, ("textes",)) if len(months) > 1 else None
    return render(
        request,
        "campaign.html",
        person,
        422 if wrong else 200,
        rows=rows,
        hidden=hidden,
        numbers=shown,
        links=links,
        ties=ties,
        families=families,
        graph=picture(families, ties, masked=person.masks),
        plot=plot,
        told=told,
        wrong=wrong,
        most=MOST,
        new=NEW,
        most_texts=view.MOST_TEXTS,
        event_names=EVENT_NAMES,
        **values,
        **common_values(person),
    )


def _act(request: Request, state: State, person: Person, campaign: Campaign, error: CampaignError) -> Response:
    return _show(request, state, person, campaign, wrong=str(error))


@router.post("/campagnes/{campaign_id}/description", include_in_schema=False)
def say_name(campaign_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Name the campaign, and keep a note."""
    with state.engine.begin() as connection:
        campaign = open_campaign(connection, campaign_id)
    try:
        with state.engine.begin() as connection:
            describe(connection, campaign.id, field_of(form, "nom"), field_of(form, "note"), person)
    except CampaignError as error:
        return _act(request, state, person, campaign, error)
    return RedirectResponse(f"/campagnes/{campaign.id}?dit=decrite", 303)


@router.post("/campagnes/{campaign_id}/liens", include_in_schema=False)
def say_links(campaign_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Confirm or reject the links that were ticked, or leave them to the program again."""
    chosen = [str(value).split(":") for value in form.getlist("lien")][:500]
    with state.engine.connect() as connection:
        campaign = open_campaign(connection, campaign_id)
    try:
        if not chosen:
            raise CampaignError("Liens : cochez au moins un lien.")
        with state.engine.begin() as connection:
            for link in chosen:
                kind, item, other = (*link, "", "", "")[:3]
                say = say_contact if kind == "c" else say_link
                say(connection, item, other, field_of(form, "etat"), person, field_of(form, "pourquoi"))  # type: ignore[arg-type]
    except CampaignError as error:
        return _act(request, state, person, campaign, error)
    return RedirectResponse(f"/campagnes/{campaign.id}?dit=lien", 303)


@router.post("/campagnes/{campaign_id}/textes", include_in_schema=False)
def choose_texts(campaign_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take the ticked texts out of the campaign, or open them to decide on them together."""
    with state.engine.connect() as connection:
        campaign = open_campaign(connection, campaign_id)
    chosen = [str(value)[:36] for value in form.getlist("texte")]
    try:
        if field_of(form, "action") == "decider":
            with state.engine.connect() as connection:
                candidates_of(connection, campaign.id, chosen, person)
            return RedirectResponse(f"/campagnes/{campaign.id}/decision?{urlencode({'texte': chosen}, doseq=True)}", 303)
        with state.engine.begin() as connection:
            take_out(connection, campaign.id, chosen, person, field_of(form, "pourquoi"))
    except CampaignError as error:
        return _act(request, state, person, campaign, error)
    return RedirectResponse(f"/campagnes/{campaign.id}?dit=separe", 303)


@router.post("/campagnes/{campaign_id}/reunion", include_in_schema=False)
def join_campaigns(campaign_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Join another campaign to this one, named by its identifier or its address."""
    with state.engine.connect() as connection:
        campaign = open_campaign(connection, campaign_id)
    other = field_of(form, "autre").strip().partition("?")[0].rstrip("/").rpartition("/")[2][:36]
    try:
        with state.engine.begin() as connection:
            kept = merge(connection, campaign.id, other, person, field_of(form, "pourquoi"))
    except CampaignError as error:
        return _act(request, state, person, campaign, error)
    return RedirectResponse(f"/campagnes/{kept}?dit=reunie", 303)
