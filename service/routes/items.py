"""A text's page `/textes/{id}`: read, take, decide, take back, comment."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import FormData

from model.labels import INDICATOR_IDS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.levels import level_of
from service.access import AdministratorDep, AnalystDep
from service.pages import PageError, instant, render
from service.routes import ITEM_PANELS
from service.routes.queue import FormDep, field_of, queue_address, said_of, text_address
from service.state import State, StateDep
from service.workplace.audit import record
from service.workplace.claims import Taken, claim, free, release, renew
from service.workplace.comments import CommentError, add_comment
from service.workplace.decided import decision_of_request, own_standing
from service.workplace.decisions import ChangedError, DecisionError, DisputedError, decide, find_decision, withdraw
from service.workplace.filters import Filter
from service.workplace.forms import Form, again, last_seen, read_verdict, typed
from service.workplace.panels import panels_of
from service.workplace.people import Person
from service.workplace.queue import claim_next
from service.workplace.sampling import drawn
from service.workplace.textpage import (
    LEVEL_NAMES,
    NAMES,
    Whole,
    first_form,
    note_opened,
    page_values,
    prediction_shown,
    thresholds,
    whole_of,
)

router = APIRouter(include_in_schema=False)

_SAID: Final = {
    "retire": ("good", "La décision est retirée ; elle reste dans l'historique."),
    "pris": ("good", "Ce texte est à vous pour une demi-heure."),
    "rendu": ("good", "Ce texte est rendu."),
    "libere": ("good", "Ce texte est libre ; la personne qui le tenait le lit dans les commentaires et sur sa page."),
    "commente": ("good", "Le commentaire est enregistré."),
    "decide": ("good", "La décision est enregistrée."),
}
#: What opening a text from the queue takes: others are open to be read, and are taken by their page's button.
_TO_READ: Final = frozenset({"new", "unsure"})
_BLIND: Final = "/relecture?ferme=1"
_DRAWN: Final = (
    "Depuis que vous l'avez ouvert, ce texte a été lu par quelqu'un d'autre et attend une seconde lecture à l'aveugle. "
    "Votre lecture n'a pas été enregistrée : ce que vous avez vu ici ne vous permet pas de faire cette lecture-là."
)


@router.get("/textes/niveau")
def level(request: Request, person: AnalystDep) -> Response:
    """The level that a stance, indicators and targets give by the guide, and what decides it."""
    query = parse_qs(request.url.query[:4_000])
    stance = query.get("stance", [""])[-1]
    if stance not in STANCE_IDS:
        return JSONResponse({"level": None, "text": "Dites d'abord ce que fait l'auteur."})
    signs = [sign for sign in query.get("signe", []) if sign in INDICATOR_IDS]
    found = level_of(stance, signs, [target for target in query.get("vise", []) if target in TARGET_IDS])
    why = f" ({', '.join(NAMES[reason] for reason in found.reasons)})" if found.reasons else ""
    return JSONResponse({"level": found.value, "text": f"Niveau {found.value} : {LEVEL_NAMES[found.value]}{why}"})


def _open(state: State, item_id: str, person: Person) -> Whole:
    """The text, unless there is none or it must stay unseen."""
    whole = whole_of(state.engine, item_id[:36], person)
    if whole is None:
        raise PageError(404, "Texte introuvable", "Ce texte n'existe pas, ou plus.")
    return whole


def _show(request: Request, state: State, person: Person, whole: Whole, form: Form, status: int = 200) -> Response:
    query = parse_qs(request.url.query[:8_000])
    wanted = Filter.read(form.queue) if form.queue else None
    prediction = whole.prediction
    artefact = state.analyser.artefact
    with state.engine.connect() as connection:
        done = own_standing(connection, query.get("fait", [""])[-1][:36], person.id)
        panels = panels_of(ITEM_PANELS, connection, whole.item, person)
    note_opened(state.engine, whole, person)
    return render(
        request,
        "item.html",
        person,
        status,
        **page_values(whole, person),
        form=form,
        wanted=wanted,
        mine=whole.claim is not None and whole.claim.user_id == person.id,
        held=whole.claim if whole.claim is not None and whole.claim.user_id != person.id else None,
        point=thresholds(prediction, artefact.points, artefact.version) if prediction else None,
        done=done,
        said=said_of(query, _SAID),
        sheets=any(getattr(route, "path", "").startswith("/pratiques/{") for route in request.app.routes),
        panels=panels,
        open_address=text_address,
        address=queue_address,
    )


@router.get("/textes/{item_id}")
def show(item_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The text, what people and the model say of it, and the form to decide, open to who has taken the text."""
    whole = _open(state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)
    query = parse_qs(request.url.query[:8_000])
    queue, token = (query.get(name, [""])[-1] for name in ("file", "tirage"))
    form = first_form(whole, start="partir" in query, queue=queue, drawn=token, masked=person.masks)
    return _show(request, state, person, whole, form)


@router.post("/textes/{item_id}/ouverture")
def open_from_queue(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Open a text from the queue: one that is to be read is taken, unless somebody else has it, which its page then says."""
    whole = _open(state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)
    if whole.item.state in _TO_READ:
        with suppress(Taken), state.engine.begin() as connection:
            claim(connection, whole.item.id, person)
    return _back(whole.item.id, form)


@router.post("/textes/{item_id}/decision")
def keep(item_id: str, request: Request, state: StateDep, person: AnalystDep, sent: FormDep) -> Response:
    """Keep a decision, then open the next text of the queue that the person works through.

    Only who has taken the text decides: it is taken here if it is free. What cannot be kept is shown again, to be kept.
    """
    whole = _open(state, item_id, person)
    queue, token = field_of(sent, "file")[:4_000], field_of(sent, "drawn")
    with state.engine.connect() as connection:
        known = decision_of_request(connection, field_of(sent, "request")[:64])
    if known is not None and (known.item_id, known.user_id) == (whole.item.id, person.id):
        return _after(state, person, whole.item.id, queue, known.id)
    if whole.blind:
        return _kept(request, person, whole, sent, "Ce texte attend une lecture à l'aveugle", _DRAWN)
    form = first_form(whole, start=False, queue=queue, drawn=token, masked=person.masks)
    with state.engine.connect() as connection:
        prediction = prediction_shown(connection, whole.item.id, field_of(sent, "said")[:100])
        drawn_by, share = drawn(connection, token or None, whole.item.id, person)
    try:
        with state.engine.begin() as connection:
            claim(connection, whole.item.id, person)
        verdict = read_verdict(sent, whole.item.text, "first", prediction, drawn_by, share)
        decided = decide(state.engine, whole.item.id, person, verdict, prediction, last=last_seen(sent))
    except Taken as taken:
        told = f"{taken.by} travaille sur ce texte jusqu'au {instant(taken.until)} : votre lecture n'a pas été enregistrée."
        return _kept(request, person, whole, sent, "Texte pris par quelqu'un d'autre", told)
    except DisputedError as error:
        return _kept(request, person, whole, sent, "Ce texte demande un arbitrage", str(error))
    except (ValueError, ChangedError) as error:
        whole = _open(state, item_id, person)
        if whole.blind:
            return _kept(request, person, whole, sent, "Ce texte attend une lecture à l'aveugle", _DRAWN)
        status = 409 if isinstance(error, ChangedError) else 422
        shown = again(sent, whole.item.text, replace(form, last=whole.last), prediction, str(error), masked=person.masks)
        return _show(request, state, person, whole, shown, status)
    except DecisionError as error:
        return _kept(request, person, whole, sent, "Décision non enregistrée", str(error))
    return _after(state, person, whole.item.id, queue, decided)


def _kept(request: Request, person: Person, whole: Whole, sent: FormData, title: str, told: str) -> Response:
    """What was typed and could not be kept as a decision, and what can be done with it: nothing is lost."""
    shown = typed(sent, whole.item.text)
    queue = field_of(sent, "file")[:4_000]
    values = {"title": title, "told": told, "typed": shown, "item": whole.item, "blind": whole.blind, "queue": queue}
    back = queue_address(Filter.read(queue)) if queue else "/file"
    return render(request, "item_kept.html", person, 409, **values, back=back)


def _after(state: State, person: Person, item_id: str, queue: str, decided: str) -> Response:
    """The next text of the queue, taken; the queue where none is left; the text itself where there is no queue."""
    if not queue:
        return RedirectResponse(text_address(item_id, None, fait=decided, dit="decide"), 303)
    wanted = Filter.read(queue)
    with state.engine.begin() as connection:
        following = claim_next(connection, wanted, person, item_id)
    if following is None:
        return RedirectResponse(queue_address(wanted, dit="vide", fait=decided), 303)
    return RedirectResponse(text_address(following, wanted, fait=decided), 303)


@router.post("/decisions/{decision_id}/retrait")
def take_back(decision_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take a decision back and open its text, for who may do so."""
    try:
        withdraw(state.engine, decision_id[:36], person, field_of(form, "request")[:64] or None)
    except DecisionError as error:
        raise PageError(409, "Décision non retirée", str(error)) from error
    with state.engine.begin() as connection:
        decided = find_decision(connection, decision_id[:36])
        assert decided is not None
        with suppress(Taken):
            claim(connection, decided.item_id, person)
    queue = field_of(form, "file")[:4_000]
    return RedirectResponse(text_address(decided.item_id, Filter.read(queue) if queue else None, dit="retire"), 303)


def _back(item_id: str, form: FormData, **more: Any) -> Response:
    queue = field_of(form, "file")[:4_000]
    return RedirectResponse(text_address(item_id, Filter.read(queue) if queue else None, **more), 303)


@router.post("/textes/{item_id}/prise")
def take(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take a text."""
    whole = _open(state, item_id, person)
    if whole.blind:
        raise PageError(
            409, "Lecture à l'aveugle", "Ce texte attend une lecture à l'aveugle : il vient par la page « Relecture »."
        )
    try:
        with state.engine.begin() as connection:
            claim(connection, whole.item.id, person)
    except Taken as taken:
        told = f"{taken.by} travaille sur ce texte jusqu'au {instant(taken.until)}."
        raise PageError(409, "Texte déjà pris", told) from taken
    return _back(whole.item.id, form, dit="pris")


@router.post("/textes/{item_id}/maintien")
def go_on(item_id: str, state: StateDep, person: AnalystDep) -> Response:
    """Keep a text of one's own for half an hour more; the page's script asks while the person works."""
    with state.engine.begin() as connection:
        held = renew(connection, item_id[:36], person)
    if held is None:
        told = "Ce texte n'est plus à vous : rendu, libéré par l'administration, ou resté une demi-heure sans rien. Reprenez-le."
        return JSONResponse({"text": told}, 409)
    told = f"Ce texte est à vous jusqu'au {instant(held.expires_at)}."
    return JSONResponse({"until": held.expires_at.isoformat(), "text": told})


@router.post("/textes/{item_id}/liberation")
def give_back(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Give a text of one's own back."""
    with state.engine.begin() as connection:
        release(connection, item_id[:36], person)
    return _back(item_id[:36], form, dit="rendu")


@router.post("/textes/{item_id}/liberation-forcee")
def set_free(item_id: str, state: StateDep, person: AdministratorDep, form: FormDep) -> Response:
    """Free a text that somebody else has; a comment tells them."""
    whole = _open(state, item_id, person)
    with state.engine.begin() as connection:
        held = free(connection, whole.item.id)
        if held is not None:
            record(connection, person, "text.free", f"text:{whole.item.id}", {"held_by": held.user_id})
        if held is not None and held.user_id != person.id:
            add_comment(connection, whole.item.id, person, f"Texte libéré par l'administration ; il était pris par {held.name}.")
    return _back(whole.item.id, form, dit="libere" if held else "rendu")


@router.post("/textes/{item_id}/commentaires")
def comment(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep a comment."""
    whole = _open(state, item_id, person)
    try:
        with state.engine.begin() as connection:
            add_comment(connection, whole.item.id, person, field_of(form, "text"))
    except CommentError as error:
        raise PageError(422, "Commentaire à corriger", str(error)) from error
    if whole.blind:
        # What was typed on a text that is shut since: it is kept, and read once the second reading is made.
        return RedirectResponse(queue_address(Filter.read(field_of(form, "file")[:4_000]), dit="commente"), 303)
    return _back(whole.item.id, form, dit="commente")


@router.get("/textes/{item_id}/filtres")
async def points(item_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The level of a text at each operating point, with the model that serves now."""
    whole = await to_thread.run_sync(_open, state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)

    await to_thread.run_sync(note_opened, state.engine, whole, person)

    def read_all() -> list[Any]:
        return [state.reader(point).text(whole.item.text) for point in OPERATING_POINTS]

    with state.slots.place():
        found = await state.slots.run(read_all, state.settings.max_wait)
    values = page_values(whole, person)
    queue = parse_qs(request.url.query[:8_000]).get("file", [""])[-1]
    return render(
        request,
        "points.html",
        person,
        item=whole.item,
        found=found,
        points=state.analyser.artefact.points,
        back=text_address(whole.item.id, Filter.read(queue) if queue else None),
        **{name: values[name] for name in ("names", "level_names", "point_names")},
    )
