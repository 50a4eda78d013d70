"""`/arbitrage`: the texts on which two readings differ; a third person sees both and decides."""

from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from model.errors import VigieError
from service.access import ReviewerDep
from service.pages import PageError, render
from service.routes.reading import already_kept, last_number, renewed, taken_page
from service.routes.sampling import FormDep
from service.state import State, StateDep
from service.workplace import forms
from service.workplace.arbitration import disputed_pair, disputes, disputes_of_others, lines, may_adjudicate, stretches
from service.workplace.audit import record_alone
from service.workplace.claims import Claim, Taken, claim, claim_of, release
from service.workplace.decided import Decided, Mark, Verdict
from service.workplace.decisions import ChangedError, decide
from service.workplace.golden import make_golden
from service.workplace.items import Item, find_item
from service.workplace.masking import hidden_text, hidden_texts, hide
from service.workplace.people import Person
from service.workplace.sampling import drawn
from service.workplace.textpage import GUIDE

router = APIRouter(include_in_schema=False)

#: `drawn_by` of an adjudication taken from the list.
_DRAWN: Final = "disputes"
#: What an administrator who is one of the two readers has to write, at least, in characters.
_NOTE_LEAST: Final = 10
_OVER: Final = "Ce texte n'attend pas d'arbitrage, ou quelqu'un vient de le rendre."


@dataclass(frozen=True, slots=True)
class _Opened:
    """A disputed text: its two readings, the number of its last record, who works on it, whether the person read it too."""

    item: Item
    pair: tuple[Decided, Decided]
    last: int
    held: Claim | None
    reader: bool


@router.get("/arbitrage", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: ReviewerDep) -> HTMLResponse:
    """The texts that the person may adjudicate."""
    with state.engine.connect() as connection:
        found = disputes(connection, person)
        starts = hidden_texts(connection, {one.item_id: one.start for one in found}, person)
        own, alone = disputes_of_others(connection, person)
    done = "fait" in request.query_params
    return render(request, "arbitration.html", person, found=found, starts=starts, own=own, alone=alone, done=done)


@router.get("/arbitrage/{id}", response_class=HTMLResponse)
def open_one(request: Request, state: StateDep, person: ReviewerDep, id: str, tirage: str = "") -> HTMLResponse:
    """A text with its two readings side by side, and the form to decide, for who has taken it: to look takes nothing."""
    opened = _find(state, person, id)
    return _open(request, state, person, opened, _form(opened, tirage))


def _form(opened: _Opened, token: str) -> forms.Form:
    marks = {*opened.pair[0].indicators, *opened.pair[1].indicators}
    passages = forms.passages_of(opened.item.text, marks, ())
    return forms.Form(kind="adjudication", last=opened.last, drawn=token, passages=passages)


def _open(request: Request, state: State, person: Person, opened: _Opened, form: forms.Form, status: int = 200) -> HTMLResponse:
    item, pair, held = opened.item, opened.pair, opened.held
    with state.engine.connect() as connection:
        text = hidden_text(connection, item.id, item.text, person)
    record_alone(state.engine, person, "text.view", f"text:{item.id}", {"masked": person.masks})
    values = {
        "item": item,
        "lines": lines(*pair, text),
        "notes": tuple(hide(one.note, masked=person.masks) for one in pair),
        "pieces_of": stretches(*pair, text),
        "form": _as_shown(form, text),
        "guide": GUIDE,
        "reader": opened.reader,
        "note_least": _NOTE_LEAST,
        "mine": held if held is not None and held.user_id == person.id else None,
        "other": held if held is not None and held.user_id != person.id else None,
    }
    return render(request, "arbitration_item.html", person, status, **values)


def _as_shown(form: forms.Form, text: str) -> forms.Form:
    """The form with its passages as the person sees the text."""
    chosen = {(one.label, one.start, one.end): one.checked for one in form.passages}
    marks = {Mark(start, end, label) for label, start, end in chosen}
    checked = {Mark(start, end, label) for (label, start, end), ticked in chosen.items() if ticked}
    return replace(form, passages=forms.passages_of(text, marks, checked))


def _find(state: State, person: Person, id: str) -> _Opened:
    with state.engine.connect() as connection:
        pair = disputed_pair(connection, id)
        item = find_item(connection, id)
        if pair is None or item is None:
            raise PageError(404, "Rien à arbitrer", _OVER)
        if not may_adjudicate(connection, id, person):
            raise PageError(403, "Arbitrage réservé", "Vous avez lu ce texte : une personne qui ne l'a pas lu arbitre.")
        reader = person.id in (pair[0].user_id, pair[1].user_id)
        return _Opened(item, pair, last_number(connection, id), claim_of(connection, id), reader)


@router.post("/arbitrage/{id}/prise")
def take(request: Request, state: StateDep, person: ReviewerDep, id: str, form: FormDep) -> Response:
    """Take the text, or keep it for half an hour more; the page's script is answered in JSON."""
    _find(state, person, id)
    try:
        with state.engine.begin() as connection:
            held = claim(connection, id, person)
    except Taken as taken:
        raise taken_page(taken) from taken
    if "application/json" in request.headers.get("accept", ""):
        return renewed(held)
    return RedirectResponse(f"/arbitrage/{id}", 303)


@router.post("/arbitrage/{id}")
def save(request: Request, state: StateDep, person: ReviewerDep, form: FormDep, id: str) -> Response:
    """Keep the adjudication; the text may become a golden one."""
    if already_kept(state, form, person):
        return RedirectResponse("/arbitrage?fait=1", 303)
    try:
        opened = _find(state, person, id)
        with state.engine.begin() as connection:
            held = claim(connection, id, person)
    except PageError as error:
        return _closed(request, state, person, id, form, error)
    except Taken as taken:
        return _closed(request, state, person, id, form, taken_page(taken))
    opened, token = replace(opened, held=held), str(form.get("drawn") or "")
    with state.engine.connect() as connection:
        policy, share = drawn(connection, token, id, person)
    try:
        verdict = forms.read_verdict(form, opened.item.text, "adjudication", None, policy if share is not None else _DRAWN, share)
        _check_note(opened, verdict)
        decide(state.engine, id, person, verdict, None, last=forms.last_seen(form))
    except Taken as taken:
        return _closed(request, state, person, id, form, taken_page(taken))
    except (ValueError, VigieError) as error:
        return _again(request, state, person, opened, form, error)
    if form.get("golden") and verdict.verdict != "unsure":
        with state.engine.begin() as connection:
            make_golden(connection, id, person)
    return RedirectResponse("/arbitrage?fait=1", 303)


def _check_note(opened: _Opened, verdict: Verdict) -> None:
    if opened.reader and len(verdict.note or "") < _NOTE_LEAST:
        raise ValueError(
            "Vous êtes l'une des deux personnes qui ont lu ce texte : dites en note comment vous vous êtes mis d'accord "
            f"({_NOTE_LEAST} caractères au moins)."
        )


def _again(request: Request, state: State, person: Person, opened: _Opened, form: FormData, error: Exception) -> HTMLResponse:
    """The form as it was sent, with what is wrong and both readings' passages."""
    text, token = opened.item.text, str(form.get("drawn") or "")
    sent = forms.again(form, text, _form(opened, token), None, str(error))
    marks = {*opened.pair[0].indicators, *opened.pair[1].indicators}
    ticked = {mark for mark in forms.ticked_marks(form) if mark.start < mark.end <= len(text)}
    shown = replace(sent, passages=forms.passages_of(text, marks, ticked))
    return _open(request, state, person, opened, shown, 409 if isinstance(error, ChangedError) else 422)


def _closed(request: Request, state: State, person: Person, id: str, form: FormData, error: PageError) -> HTMLResponse:
    """What was typed of a text that is not to be adjudicated by this person: nothing of it is lost."""
    with state.engine.connect() as connection:
        item = find_item(connection, id)
    if item is None:
        raise error
    told = f"{error.detail} Votre arbitrage n'a pas été enregistré."
    values = {"told": told, "typed": forms.typed(form, item.text), "back": "/arbitrage"}
    return render(request, "reading_closed.html", person, 409, **values)


@router.post("/arbitrage/{id}/rendre")
def give_back(state: StateDep, person: ReviewerDep, id: str) -> Response:
    """Leave the text to somebody else."""
    with state.engine.begin() as connection:
        release(connection, id, person)
    return RedirectResponse("/arbitrage", 303)
