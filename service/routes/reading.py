"""`/relecture`: blind readings, one after the other, each reader's quality, and the golden texts."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy import Connection, func, select

from model.errors import VigieError
from model.labels import CHANNELS
from service.access import AdministratorDep, AnalystDep
from service.pages import PageError, instant, render
from service.routes.sampling import FormDep, as_share
from service.state import State, StateDep
from service.workplace import forms
from service.workplace.agreement import quality
from service.workplace.audit import record_alone
from service.workplace.choices import ChoiceError, choice, choose
from service.workplace.claims import Claim, Taken, claim, claim_of
from service.workplace.decided import Kind, decision_of_request, decisions_of
from service.workplace.decisions import decide
from service.workplace.draws import (
    Reading,
    find_reading,
    give_up,
    next_reading,
    put_back,
    stuck_readings,
    text_of_reading,
    waiting_of,
)
from service.workplace.golden import ReadingError, drop_golden, make_golden
from service.workplace.items import Item, find_item
from service.workplace.masking import hidden_text, hidden_texts
from service.workplace.people import Person
from service.workplace.plots import quality_figure
from service.workplace.schema import GOLDEN, ITEMS, USERS
from service.workplace.seen import note_seen, unseen_of
from service.workplace.textpage import GUIDE

router = APIRouter(include_in_schema=False)

_CHANNELS: Final = {label.id: label.name for label in CHANNELS}
_START: Final = 160
_CLOSED: Final = "Cette lecture est faite, ou elle est confiée à quelqu'un d'autre."


@router.get("/relecture", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """How many blind readings wait for the person, and how their own compare with what was agreed on."""
    return _show(request, state, person)


def _show(request: Request, state: State, person: Person, wrong: str = "", status: int = 200) -> HTMLResponse:
    with state.engine.connect() as connection:
        waiting = waiting_of(connection, person)
        shown = {
            "waiting": waiting.mine,
            "others": waiting.others,
            "own": quality_figure(quality(connection, person)),
            "golden": connection.execute(select(func.count()).select_from(GOLDEN)).scalar_one(),
            "stuck": len(stuck_readings(connection)) if person.may("administrator") else 0,
        }
        shares = [(name, 100 * choice(connection, name)) for name in ("second_share", "golden_share")]
    values = {name: f"{share:g}".replace(".", ",") for name, share in shares}
    said = {name for name in ("faite", "vide", "parts", "ferme", "rendue") if name in request.query_params}
    return render(request, "reading.html", person, status, **shown, values=values, wrong=wrong, said=said)


@router.post("/relecture/suivante")
def following(state: StateDep, person: AnalystDep) -> Response:
    """Open the next blind reading."""
    return _follow(state, person)


def _follow(state: State, person: Person, note: str = "") -> Response:
    reading = next_reading(state.engine, person)
    if reading is not None:
        return RedirectResponse(f"/relecture/{reading.id}{note}", 303)
    return RedirectResponse("/relecture" + (note or "?vide=1"), 303)


@router.post("/relecture/parts")
def set_shares(
    request: Request,
    state: StateDep,
    person: AdministratorDep,
    second_share: Annotated[str, Form()] = "",
    golden_share: Annotated[str, Form()] = "",
) -> Response:
    """Change the share of texts read twice, and of golden texts among those readings."""
    try:
        for name, value in (("second_share", second_share), ("golden_share", golden_share)):
            choose(state.engine, name, as_share(value), person)
    except ChoiceError as error:
        return _show(request, state, person, str(error), 422)
    return RedirectResponse("/relecture?parts=1", 303)


@router.get("/relecture/etalons", response_class=HTMLResponse)
def golden(request: Request, state: StateDep, person: AdministratorDep) -> HTMLResponse:
    """The golden texts."""
    return _golden(request, state, person)


def _golden(request: Request, state: State, person: Person, wrong: str = "", status: int = 200) -> HTMLResponse:
    start = func.substr(ITEMS.c.text, 1, _START).label("start")
    query = (
        select(GOLDEN.c.item_id, GOLDEN.c.made_at, USERS.c.name, ITEMS.c.decided_level, start)
        .join(ITEMS, ITEMS.c.id == GOLDEN.c.item_id)
        .join(USERS, USERS.c.id == GOLDEN.c.user_id)
        .order_by(GOLDEN.c.made_at.desc(), GOLDEN.c.item_id)
    )
    with state.engine.connect() as connection:
        rows = connection.execute(query).all()
        fresh = unseen_of(connection, [row.item_id for row in rows], person)
        starts = hidden_texts(connection, {row.item_id: row.start for row in rows}, person)
    if fresh:
        # Whoever looks through the list never reads one of them as an unknown text.
        with state.engine.begin() as connection:
            note_seen(connection, fresh, person)
    shown = {"rows": rows, "starts": starts, "wrong": wrong, "saved": "fait" in request.query_params}
    return render(request, "reading_golden.html", person, status, **shown)


@router.post("/relecture/etalons")
def add_golden(request: Request, state: StateDep, person: AnalystDep, item: Annotated[str, Form()] = "") -> Response:
    """Make a decided text a golden one."""
    try:
        with state.engine.begin() as connection:
            make_golden(connection, item.strip(), person)
    except ReadingError as error:
        if not person.may("administrator"):
            raise PageError(403, "Texte étalon refusé", str(error)) from error
        return _golden(request, state, person, str(error), 422)
    return RedirectResponse("/relecture/etalons?fait=1" if person.may("administrator") else "/relecture", 303)


@router.post("/relecture/etalons/{item_id}/retirer")
def remove_golden(state: StateDep, person: AdministratorDep, item_id: str) -> Response:
    """Take a text out of the golden ones."""
    with state.engine.begin() as connection:
        drop_golden(connection, item_id, person)
    return RedirectResponse("/relecture/etalons?fait=1", 303)


@router.get("/relecture/impossibles", response_class=HTMLResponse)
def stuck(request: Request, state: StateDep, person: AdministratorDep) -> HTMLResponse:
    """The second readings that nobody could make blind any more."""
    return _stuck(request, state, person)


def _stuck(request: Request, state: State, person: Person, wrong: str = "", status: int = 200) -> HTMLResponse:
    with state.engine.connect() as connection:
        found = stuck_readings(connection)
        starts = hidden_texts(connection, {one.item_id: one.start for one in found}, person)
    saved = "fait" in request.query_params
    return render(request, "reading_stuck.html", person, status, rows=found, starts=starts, wrong=wrong, saved=saved)


@router.post("/relecture/impossibles/{id}/renoncer")
def do_without(request: Request, state: StateDep, person: AdministratorDep, id: str) -> Response:
    """Do without a second reading that nobody could make."""
    try:
        with state.engine.begin() as connection:
            give_up(connection, id, person)
    except ReadingError as error:
        return _stuck(request, state, person, str(error), 409)
    return RedirectResponse("/relecture/impossibles?fait=1", 303)


@router.get("/relecture/{id}", response_class=HTMLResponse)
def read(request: Request, state: StateDep, person: AnalystDep, id: str) -> HTMLResponse:
    """A text to read blind: nothing of what the model or anybody says of it. Nothing is taken: drawing it did that."""
    with state.engine.connect() as connection:
        reading = find_reading(connection, id, person)
        item = find_item(connection, reading.item_id) if reading else None
        held = claim_of(connection, item.id) if item else None
    if reading is None or item is None:
        raise PageError(404, "Lecture close", _CLOSED)
    back = "1" if "retour" in request.query_params else ""
    return _read(request, state, person, reading, item, forms.Form(kind=_kind(reading), drawn=back), held)


def _kind(reading: Reading) -> Kind:
    return "golden" if reading.kind == "golden" else "second"


def _read(
    request: Request,
    state: State,
    person: Person,
    reading: Reading,
    item: Item,
    form: forms.Form,
    held: Claim | None,
    status: int = 200,
) -> HTMLResponse:
    with state.engine.connect() as connection:
        text = hidden_text(connection, item.id, item.text, person)
    record_alone(state.engine, person, "text.view", f"text:{item.id}", {"masked": person.masks})
    mine = held if held is not None and held.user_id == person.id else None
    shown = {"reading": reading, "item": item, "text": text, "form": form, "guide": GUIDE, "held": mine}
    done, channel = "faite" in request.query_params, _CHANNELS.get(item.channel or "", "")
    return render(request, "reading_blind.html", person, status, **shown, channel=channel, done=done)


def last_number(connection: Connection, item_id: str) -> int:
    """The number of a text's last record, 0 for none."""
    records = decisions_of(connection, item_id)
    return records[-1].number if records else 0


def taken_page(taken: Taken) -> PageError:
    """What a person is told whose text somebody else works on."""
    return PageError(409, "Texte pris", f"{taken.by} travaille sur ce texte, au plus tard jusqu'au {instant(taken.until)}.")


def already_kept(state: State, form: FormDep, person: Person) -> bool:
    """Whether this very form was received before and kept: a double click, or a page sent again."""
    with state.engine.connect() as connection:
        known = decision_of_request(connection, str(form.get("request") or ""))
    return known is not None and known.user_id == person.id


def renewed(held: Claim) -> JSONResponse:
    """What the script of a page is told that keeps its text for half an hour more."""
    told = f"Ce texte est à vous jusqu'au {instant(held.expires_at)}."
    return JSONResponse({"until": held.expires_at.isoformat(), "text": told})


@router.post("/relecture/{id}/prise")
def keep_on(state: StateDep, person: AnalystDep, id: str) -> JSONResponse:
    """Keep the text for half an hour more."""
    with state.engine.begin() as connection:
        reading = find_reading(connection, id, person)
        if reading is None:
            return JSONResponse({"text": _CLOSED}, 409)
        try:
            return renewed(claim(connection, reading.item_id, person))
        except Taken as taken:
            return JSONResponse({"text": f"{taken.by} travaille sur ce texte."}, 409)


@router.post("/relecture/{id}")
def save(request: Request, state: StateDep, person: AnalystDep, form: FormDep, id: str) -> Response:
    """Keep a blind reading and open the next one; one that nobody waits for any more is shown again, to be kept."""
    if already_kept(state, form, person):
        return _follow(state, person, "?faite=1")
    back = "1" if form.get("drawn") else ""
    with state.engine.connect() as connection:
        reading = find_reading(connection, id, person)
        item_id = text_of_reading(connection, id)
        item = find_item(connection, item_id) if item_id else None
    if item is None:
        raise PageError(404, "Lecture close", _CLOSED)
    if reading is None:
        return _closed(request, person, item, form, "La première lecture a été retirée, ou quelqu'un d'autre a fait celle-ci.")
    try:
        with state.engine.begin() as connection:
            held = claim(connection, item.id, person)
    except Taken as taken:
        return _closed(request, person, item, form, f"{taken.by} travaille sur ce texte.")
    try:
        verdict = forms.read_verdict(form, item.text, _kind(reading), None, reading.drawn_by, reading.drawn_share)
        # Nothing on the page says which record was the last: a golden text would be told from any other by it.
        decide(state.engine, item.id, person, verdict, None)
    except Taken as taken:
        return _closed(request, person, item, form, f"{taken.by} travaille sur ce texte.")
    except (ValueError, VigieError) as error:
        before = forms.Form(kind=_kind(reading), drawn=back)
        again = forms.again(form, item.text, before, None, str(error), masked=person.masks)
        return _read(request, state, person, reading, item, replace(again, last=0), held, 422)
    return RedirectResponse("/a-etiqueter?faite=1", 303) if back else _follow(state, person, "?faite=1")


def _closed(request: Request, person: Person, item: Item, form: FormDep, why: str) -> HTMLResponse:
    """What was typed in a reading that is no longer to be made: nothing of it is lost."""
    told = f"{why} Votre lecture n'a pas été enregistrée : elle n'est plus à faire."
    return render(request, "reading_closed.html", person, 409, told=told, typed=forms.typed(form, item.text), back="")


@router.post("/relecture/{id}/rendre")
def give_back(state: StateDep, person: AnalystDep, id: str, form: FormDep) -> Response:
    """Leave the text to somebody else: it does not come back to this person."""
    with state.engine.begin() as connection:
        reading = find_reading(connection, id, person)
        if reading is not None:
            put_back(connection, reading, person)
    return _follow(state, person, "?rendue=1") if form.get("suivante") else RedirectResponse("/relecture?rendue=1", 303)
