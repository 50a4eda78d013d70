"""`/arbitrage`: the texts on which two readings differ; a third person sees both and decides."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from model.errors import VigieError
from service.access import ReviewerDep
from service.pages import PageError, render
from service.routes.reading import already_kept, last_number, taken_page
from service.routes.sampling import FormDep
from service.state import State, StateDep
from service.workplace import forms
from service.workplace.arbitration import disputed_pair, disputes, lines, stretches
from service.workplace.claims import Taken, claim, release
from service.workplace.decided import Decided, Mark
from service.workplace.decisions import decide
from service.workplace.items import Item, find_item
from service.workplace.people import Person
from service.workplace.reading import make_golden
from service.workplace.sampling import drawn
from service.workplace.textpage import GUIDE

router = APIRouter(include_in_schema=False)

#: `drawn_by` of an adjudication taken from the list.
_DRAWN: Final = "disputes"


@router.get("/arbitrage", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: ReviewerDep) -> HTMLResponse:
    """The texts that the person may adjudicate."""
    with state.engine.connect() as connection:
        found = disputes(connection, person)
    return render(request, "arbitration.html", person, found=found, done="fait" in request.query_params)


@router.get("/arbitrage/{id}", response_class=HTMLResponse)
def open_one(request: Request, state: StateDep, person: ReviewerDep, id: str, tirage: str = "") -> HTMLResponse:
    """A text with its two readings side by side, and the form to decide."""
    item, pair, last = _hold(state, person, id)
    marks = {*pair[0].indicators, *pair[1].indicators}
    form = forms.Form(kind="adjudication", last=last, drawn=tirage, passages=forms.passages_of(item.text, marks, ()))
    return _open(request, person, item, pair, form)


def _open(
    request: Request, person: Person, item: Item, pair: tuple[Decided, Decided], form: forms.Form, status: int = 200
) -> HTMLResponse:
    return render(
        request,
        "arbitration_item.html",
        person,
        status,
        item=item,
        pair=pair,
        lines=lines(*pair, item.text),
        pieces_of=stretches(*pair, item.text),
        form=form,
        guide=GUIDE,
    )


def _hold(state: State, person: Person, id: str) -> tuple[Item, tuple[Decided, Decided], int]:
    """The text, its two readings and the number of its last record, taken for half an hour more."""
    with state.engine.begin() as connection:
        pair = disputed_pair(connection, id)
        item = find_item(connection, id)
        if pair is None or item is None:
            raise PageError(404, "Rien à arbitrer", "Ce texte n'attend pas d'arbitrage, ou quelqu'un vient de le rendre.")
        if person.id in (pair[0].user_id, pair[1].user_id):
            raise PageError(403, "Arbitrage réservé", "Vous avez fait l'une des deux lectures : une autre personne arbitre.")
        try:
            claim(connection, id, person)
        except Taken as taken:
            raise taken_page(taken) from taken
        return item, pair, last_number(connection, id)


@router.post("/arbitrage/{id}")
def save(request: Request, state: StateDep, person: ReviewerDep, form: FormDep, id: str) -> Response:
    """Keep the adjudication; the text may become a golden one."""
    if already_kept(state, form, person):
        return RedirectResponse("/arbitrage?fait=1", 303)
    item, pair, last = _hold(state, person, id)
    token = str(form.get("drawn") or "")
    with state.engine.connect() as connection:
        policy, share = drawn(connection, token, id, person)
    try:
        verdict = forms.read_verdict(form, item.text, "adjudication", None, policy if share is not None else _DRAWN, share)
        decide(state.engine, id, person, verdict, None, last=last)
    except Taken as taken:
        raise taken_page(taken) from taken
    except (ValueError, VigieError) as error:
        marks: set[Mark] = {*pair[0].indicators, *pair[1].indicators}
        before = forms.Form(kind="adjudication", last=last, drawn=token)
        shown = forms.passages_of(
            item.text, marks, {mark for mark in forms.ticked_marks(form) if mark.start < mark.end <= len(item.text)}
        )
        again = replace(forms.again(form, item.text, before, None, str(error)), passages=shown)
        return _open(request, person, item, pair, again, 422)
    if form.get("golden") and verdict.verdict != "unsure":
        with state.engine.begin() as connection:
            make_golden(connection, id, person)
    return RedirectResponse("/arbitrage?fait=1", 303)


@router.post("/arbitrage/{id}/rendre")
def give_back(state: StateDep, person: ReviewerDep, id: str) -> Response:
    """Leave the text to somebody else."""
    with state.engine.begin() as connection:
        release(connection, id, person)
    return RedirectResponse("/arbitrage", 303)
