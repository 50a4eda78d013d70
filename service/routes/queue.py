"""The queue's page `/file`: filter, sort, take, give back, assign, save a view."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.datastructures import FormData

from model.labels import CHANNELS, INDICATORS, LEVELS
from model.tables import load_tables
from service.access import AnalystDep
from service.pages import PageError, render
from service.routes import LOT_ACTIONS
from service.state import State, StateDep
from service.workplace.audit import record
from service.workplace.claims import claim_many, claimed_by, release, release_all
from service.workplace.decided import own_standing
from service.workplace.filters import SORTS, STATE_NAMES, STATES, Filter
from service.workplace.panels import lot_actions_of
from service.workplace.people import Person, list_people
from service.workplace.queue import assign, claim_next, counts_of, page_of, seen_by, values_of
from service.workplace.search import terms_of
from service.workplace.textpage import CHANNEL_NAMES, LEVEL_NAMES, NAMES
from service.workplace.views import ViewError, remove_view, save_view, views_of

router = APIRouter(include_in_schema=False)

_MOST_AT_ONCE: Final = 200
_SAID: Final = {
    "vide": ("plain", "Aucun texte libre ne reste avec ces filtres."),
    "pris": ("good", "un texte est à vous pour une demi-heure.|{n} textes sont à vous pour une demi-heure."),
    "rien": ("bad", "Aucun texte n'a pu être pris : d'autres personnes travaillent dessus, ou rien n'était coché."),
    "rendus": ("good", "un texte a été rendu.|{n} textes ont été rendus."),
    "pas-rendus": ("plain", "Aucun texte n'a été rendu : on ne rend que ceux que l'on a pris."),
    "attribues": ("good", "un texte a été attribué.|{n} textes ont été attribués."),
    "pas-attribues": ("bad", "Aucun texte n'a été attribué : cochez-en au moins un."),
    "commente": ("good", "votre lecture est gardée en commentaire de ce texte."),
    "vue": ("good", "La vue est enregistrée."),
    "vue-retiree": ("good", "La vue est retirée."),
}


async def _sent(request: Request) -> FormData:
    return await request.form()


FormDep = Annotated[FormData, Depends(_sent)]


def field_of(form: FormData, name: str) -> str:
    """The value of a field of a form, empty where it was not sent."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def queue_address(wanted: Filter, **more: Any) -> str:
    """The address of the queue with a filter and what is to be told there."""
    return (
        "/file?" + wanted.query() + "".join(f"&{urlencode({name: value})}" for name, value in more.items() if value is not None)
    )


def text_address(item_id: str, wanted: Filter | None, **more: Any) -> str:
    """The address of a text's page, opened from a queue (None: from elsewhere)."""
    given = {"file": wanted.query() if wanted else None, **more}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return f"/textes/{item_id}" + (f"?{query}" if query else "")


def said_of(query: dict[str, list[str]], messages: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The message that an address asks for: kind and text, in the singular or the plural where it counts."""
    found = messages.get(query.get("dit", [""])[-1])
    if found is None:
        return None
    number = query.get("n", ["0"])[-1]
    count = int(number) if number.isdecimal() and len(number) < 10 else 0
    one, _, many = found[1].partition("|")
    return found[0], (many if many and count > 1 else one).format(n=count)


@router.get("/file")
def show(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """A page of the queue."""
    raw = request.url.query
    wanted, query = Filter.read(raw), parse_qs(raw[:4_000])
    after, before = (query.get(name, [""])[-1][:200] for name in ("apres", "avant"))
    with state.engine.connect() as connection:
        counts = counts_of(connection, wanted, person)
        page = page_of(connection, wanted, person, after=after, before=before, found=counts.total)
        done = own_standing(connection, query.get("fait", [""])[-1][:36], person.id)
        values: dict[str, Any] = {
            "page": page,
            "counts": counts,
            "views": views_of(connection, person),
            "themes": values_of(connection, "theme"),
            "sources": values_of(connection, "source"),
            "regions": values_of(connection, "region"),
            "mine": len(claimed_by(connection, person)),
            "lots": lot_actions_of(LOT_ACTIONS, connection, person),
        }
    return render(
        request,
        "queue.html",
        person,
        **values,
        wanted=wanted,
        people={other.id: other.name for other in list_people(state.engine)},
        sorts={name: title for name, (_, title) in SORTS.items()},
        states=STATES,
        state_names=STATE_NAMES,
        levels=LEVELS,
        level_names=LEVEL_NAMES,
        indicators=INDICATORS,
        channels=CHANNELS,
        channel_names=CHANNEL_NAMES,
        names=NAMES,
        practices=load_tables().practices,
        done=done,
        said=said_of(query, _SAID | {one.name: ("good", one.told) for one in values["lots"]}),
        unsearched=bool(wanted.q) and not terms_of(wanted.q),
        left_aside=Filter.left_aside(raw),
        replaced=partial(replace, wanted),
        address=queue_address,
        open_address=text_address,
    )


@router.post("/file/suivant")
def take_next(state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take the first free text of a filter and open it; `past` gives back a text of one's own and goes on after it."""
    wanted = Filter.read(field_of(form, "file"))
    past = field_of(form, "past")[:36] or None
    with state.engine.begin() as connection:
        if past:
            release(connection, past, person)
        found = claim_next(connection, wanted, person, past)
    return RedirectResponse(text_address(found, wanted) if found else queue_address(wanted, dit="vide"), 303)


@router.post("/file/lot")
def work_on_several(state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take, give back or assign the ticked texts, or all those of the page."""
    wanted = Filter.read(field_of(form, "file"))
    action = field_of(form, "action")
    field = "listed" if action == "page" else "item"
    given = [str(id)[:36] for id in form.getlist(field)][:_MOST_AT_ONCE]
    with state.engine.begin() as connection:
        # Those that do not exist, or that the person is to read blind, are left aside.
        ids = seen_by(connection, given, person)
        if action in ("page", "prendre"):
            mine = claim_many(connection, ids, person)
            _record_each(connection, person, "text.take", mine)
            done = len(mine)
            told = "pris" if done else "rien"
        elif action in ("rendre", "rendre-tout"):
            every = action == "rendre-tout"
            mine = claimed_by(connection, person) if every else [id for id in ids if release(connection, id, person)]
            _record_each(connection, person, "text.release", mine)
            done = release_all(connection, person) if every else len(mine)
            told = "rendus" if done else "pas-rendus"
        elif action == "attribuer":
            done = _assign(connection, state, person, form, ids)
            told = "attribues" if done else "pas-attribues"
        else:
            return _other(connection, wanted, person, form, action, ids)
    return RedirectResponse(queue_address(wanted, dit=told, n=done), 303)


def _other(connection: Connection, wanted: Filter, person: Person, form: FormData, action: str, ids: list[str]) -> Response:
    """What another module does with ticked texts."""
    found = next((one for one in lot_actions_of(LOT_ACTIONS, connection, person) if one.name == action), None)
    if found is None:
        raise PageError(400, "Demande incomplète", "Une action est attendue : prendre, rendre ou attribuer.")
    try:
        done = found.run(connection, ids, person, form)
    except ValueError as error:
        raise PageError(422, "Rien n'a été fait", str(error)) from error
    return RedirectResponse(queue_address(wanted, dit=found.name, n=done), 303)


def _assign(connection: Connection, state: State, person: Person, form: FormData, ids: list[str]) -> int:
    """Assign texts; people may take texts on themselves, reviewers may assign to anyone."""
    chosen = field_of(form, "user")[:36] or None
    if chosen != person.id and not person.may("reviewer"):
        raise PageError(403, "Accès réservé", "Attribuer un texte à quelqu'un d'autre demande le rôle « relecture ».")
    if chosen is not None and chosen not in {other.id for other in list_people(state.engine)}:
        raise PageError(400, "Personne inconnue", "Choisissez une personne de la liste.")
    for id in ids:
        record(connection, person, "text.assign", f"text:{id}", {"to": chosen})
    return assign(connection, ids, chosen)


def _record_each(connection: Connection, person: Person, action: str, ids: Sequence[str]) -> None:
    for id in ids:
        record(connection, person, action, f"text:{id}")


@router.post("/file/vues")
def keep_view(state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Save the filter under a name."""
    wanted = Filter.read(field_of(form, "file"))
    try:
        with state.engine.begin() as connection:
            save_view(connection, person, field_of(form, "name"), wanted, shared=bool(field_of(form, "shared")))
    except ViewError as error:
        raise PageError(422, "Vue à corriger", str(error)) from error
    return RedirectResponse(queue_address(wanted, dit="vue"), 303)


@router.post("/file/vues/{view_id}/retrait")
def drop_view(view_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Remove a saved view."""
    wanted = Filter.read(field_of(form, "file"))
    try:
        with state.engine.begin() as connection:
            remove_view(connection, view_id[:36], person)
    except ViewError as error:
        raise PageError(404, "Vue introuvable", str(error)) from error
    return RedirectResponse(queue_address(wanted, dit="vue-retiree"), 303)
