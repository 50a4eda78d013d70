"""A text's page `/textes/{id}`: read, take, decide, take back, comment."""

from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import FormData

from model.labels import INDICATOR_IDS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.levels import level_of
from service.access import AnalystDep
from service.pages import PageError, instant, render
from service.routes.queue import FormDep, field_of, queue_address, said_of, text_address
from service.state import State, StateDep
from service.workplace.claims import Taken, claim, release
from service.workplace.comments import CommentError, add_comment
from service.workplace.decisions import ChangedError, DecisionError, decide, find_decision, withdraw
from service.workplace.filters import Filter
from service.workplace.forms import Form, again, read_verdict
from service.workplace.people import Person
from service.workplace.queue import claim_next
from service.workplace.sampling import drawn
from service.workplace.textpage import LEVEL_NAMES, NAMES, Whole, first_form, page_values, prediction_shown, thresholds, whole_of

router = APIRouter(include_in_schema=False)

_SAID: Final = {
    "retire": ("good", "La décision est retirée ; elle reste dans l'historique."),
    "pris": ("good", "Ce texte est à vous pour une demi-heure."),
    "rendu": ("good", "Ce texte est rendu."),
    "commente": ("good", "Le commentaire est enregistré."),
    "decide": ("good", "La décision est enregistrée."),
}


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
        done = find_decision(connection, query.get("fait", [""])[-1][:36])
    values = page_values(whole, person, masked="masque" in query)
    return render(
        request,
        "item.html",
        person,
        status,
        **values,
        form=form,
        wanted=wanted,
        mine=whole.claim is not None and whole.claim.user_id == person.id,
        held=whole.claim if whole.claim is not None and whole.claim.user_id != person.id else None,
        point=thresholds(prediction, artefact.points, artefact.version) if prediction else None,
        done=done if done is not None and done.user_id == person.id else None,
        said=said_of(query, _SAID),
        sheets=any(getattr(route, "path", "").startswith("/pratiques/{") for route in request.app.routes),
        open_address=text_address,
        address=queue_address,
    )


_BLIND: Final = "/relecture"


@router.get("/textes/{item_id}")
def show(item_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The text, what people and the model say of it, and the form to decide."""
    whole = _open(state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)
    query = parse_qs(request.url.query[:8_000])
    queue, token = (query.get(name, [""])[-1] for name in ("file", "tirage"))
    form = first_form(whole, start="partir" in query, queue=queue, drawn=token, masked="masque" in query)
    return _show(request, state, person, whole, form)


@router.post("/textes/{item_id}/decision")
def keep(item_id: str, request: Request, state: StateDep, person: AnalystDep, sent: FormDep) -> Response:
    """Keep a decision, then open the next text of the queue that the person works through."""
    whole = _open(state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)
    queue, token = field_of(sent, "file")[:4_000], field_of(sent, "drawn")
    before = first_form(whole, start=False, queue=queue, drawn=token, masked=False)
    with state.engine.connect() as connection:
        prediction = prediction_shown(connection, whole.item.id, field_of(sent, "said")[:100])
        drawn_by, share = drawn(connection, token or None, whole.item.id, person)
    try:
        verdict = read_verdict(sent, whole.item.text, "first", prediction, drawn_by, share)
        last = field_of(sent, "last")
        decided = decide(
            state.engine, whole.item.id, person, verdict, prediction, last=int(last) if last.isdecimal() else whole.last
        )
    except ValueError as error:
        return _show(request, state, person, whole, again(sent, whole.item.text, before, prediction, str(error)), 422)
    except Taken as taken:
        told = f"{taken.by} travaille sur ce texte jusqu'au {instant(taken.until)} : votre lecture n'a pas été enregistrée."
        return _show(request, state, person, whole, again(sent, whole.item.text, before, prediction, told), 409)
    except ChangedError as error:
        return _show(request, state, person, whole, again(sent, whole.item.text, before, prediction, str(error)), 409)
    except DecisionError as error:
        raise PageError(409, "Décision non enregistrée", str(error)) from error
    return _after(state, person, whole.item.id, queue, decided)


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
def take(item_id: str, request: Request, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Take a text, or keep it for half an hour more; a script is answered in JSON."""
    whole = _open(state, item_id, person)
    script = "application/json" in request.headers.get("accept", "")
    try:
        with state.engine.begin() as connection:
            held = claim(connection, whole.item.id, person)
    except Taken as taken:
        told = f"{taken.by} travaille sur ce texte jusqu'au {instant(taken.until)}."
        if script:
            return JSONResponse({"by": taken.by, "until": taken.until.isoformat(), "text": told}, 409)
        raise PageError(409, "Texte déjà pris", told) from taken
    if script:
        return JSONResponse(
            {"until": held.expires_at.isoformat(), "text": f"Ce texte est à vous jusqu'au {instant(held.expires_at)}."}
        )
    return _back(whole.item.id, form, dit="pris")


@router.post("/textes/{item_id}/liberation")
def give_back(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Give a text back."""
    with state.engine.begin() as connection:
        release(connection, item_id[:36], person)
    return _back(item_id[:36], form, dit="rendu")


@router.post("/textes/{item_id}/commentaires")
def comment(item_id: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep a comment."""
    whole = _open(state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)
    try:
        with state.engine.begin() as connection:
            add_comment(connection, whole.item.id, person, field_of(form, "text"))
    except CommentError as error:
        raise PageError(422, "Commentaire à corriger", str(error)) from error
    return _back(whole.item.id, form, dit="commente")


@router.get("/textes/{item_id}/filtres")
async def points(item_id: str, request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The level of a text at each operating point, with the model that serves now."""
    whole = await to_thread.run_sync(_open, state, item_id, person)
    if whole.blind:
        return RedirectResponse(_BLIND, 303)

    def read_all() -> list[Any]:
        return [state.reader(point).text(whole.item.text) for point in OPERATING_POINTS]

    with state.slots.place():
        found = await state.slots.run(read_all, state.settings.max_wait)
    values = page_values(whole, person, masked=False)
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
