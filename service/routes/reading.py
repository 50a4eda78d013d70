"""`/relecture`: blind readings, one after the other, each reader's quality, and the golden texts."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection, func, select

from model.errors import VigieError
from model.labels import CHANNELS
from service.access import AdministratorDep, AnalystDep
from service.pages import PageError, instant, render
from service.routes.sampling import FormDep, as_share
from service.state import State, StateDep
from service.workplace import forms
from service.workplace.agreement import quality
from service.workplace.choices import ChoiceError, choice, choose
from service.workplace.claims import Taken, claim
from service.workplace.decided import Kind, decision_of_request, decisions_of
from service.workplace.decisions import decide
from service.workplace.items import Item, find_item
from service.workplace.people import Person
from service.workplace.plots import quality_figure
from service.workplace.reading import (
    DRAWN_GOLDEN,
    DRAWN_SECOND,
    Reading,
    ReadingError,
    drop_golden,
    find_reading,
    make_golden,
    next_reading,
    put_back,
    waiting_for,
)
from service.workplace.sampling import QUEUE, drawn
from service.workplace.schema import GOLDEN, ITEMS, USERS
from service.workplace.textpage import GUIDE

router = APIRouter(include_in_schema=False)

_CHANNELS: Final = {label.id: label.name for label in CHANNELS}
_START: Final = 160


@router.get("/relecture", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """How many blind readings wait for the person, and how their own compare with what was agreed on."""
    return _show(request, state, person)


def _show(request: Request, state: State, person: Person, wrong: str = "", status: int = 200) -> HTMLResponse:
    with state.engine.connect() as connection:
        waiting = waiting_for(connection, person)
        own = quality_figure(quality(connection, person))
        shares = [(name, 100 * choice(connection, name)) for name in ("second_share", "golden_share")]
        golden = connection.execute(select(func.count()).select_from(GOLDEN)).scalar_one()
    values = {name: f"{share:g}".replace(".", ",") for name, share in shares}
    query = request.query_params
    done, empty, saved = "faite" in query, "vide" in query, "parts" in query
    shown = {"waiting": waiting, "own": own, "values": values, "golden": golden, "wrong": wrong}
    return render(request, "reading.html", person, status, **shown, done=done, empty=empty, saved=saved)


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
    return render(request, "reading_golden.html", person, status, rows=rows, wrong=wrong, saved="fait" in request.query_params)


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
        drop_golden(connection, item_id)
    return RedirectResponse("/relecture/etalons?fait=1", 303)


@router.get("/relecture/{id}", response_class=HTMLResponse)
def read(request: Request, state: StateDep, person: AnalystDep, id: str, tirage: str = "") -> HTMLResponse:
    """A text to read blind: nothing of what the model or anybody says of it."""
    reading, item, last = _hold(state, person, id)
    form = forms.Form(kind=_kind(reading), last=last, drawn=tirage)
    return _read(request, person, reading, item, form)


def _kind(reading: Reading) -> Kind:
    return "golden" if reading.kind == "golden" else "second"


def _read(request: Request, person: Person, reading: Reading, item: Item, form: forms.Form, status: int = 200) -> HTMLResponse:
    shown = {"reading": reading, "item": item, "form": form, "guide": GUIDE, "channel": _CHANNELS.get(item.channel or "", "")}
    return render(request, "reading_blind.html", person, status, **shown, done="faite" in request.query_params)


def _hold(state: State, person: Person, id: str) -> tuple[Reading, Item, int]:
    """The reading, its text, taken for half an hour more, and the number of the text's last record."""
    with state.engine.begin() as connection:
        reading = find_reading(connection, id, person)
        if reading is None:
            raise PageError(404, "Lecture close", "Cette lecture est faite, ou elle est confiée à quelqu'un d'autre.")
        try:
            claim(connection, reading.item_id, person)
        except Taken as taken:
            raise taken_page(taken) from taken
        item = find_item(connection, reading.item_id)
        assert item is not None
        # Others may read a golden text meanwhile: that changes nothing for this reader.
        return reading, item, 0 if reading.kind == "golden" else last_number(connection, item.id)


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


@router.post("/relecture/{id}")
def save(request: Request, state: StateDep, person: AnalystDep, form: FormDep, id: str) -> Response:
    """Keep a blind reading and open the next one."""
    if already_kept(state, form, person):
        return _follow(state, person, "?faite=1")
    reading, item, last = _hold(state, person, id)
    token = str(form.get("drawn") or "")
    with state.engine.connect() as connection:
        policy, share = drawn(connection, token, item.id, person)
        usual = DRAWN_GOLDEN if reading.kind == "golden" else DRAWN_SECOND
        if policy == QUEUE:
            policy, share = usual, float(choice(connection, usual))
    shown = _number(form.get("last"))
    try:
        verdict = forms.read_verdict(form, item.text, _kind(reading), None, policy, share)
        decide(state.engine, item.id, person, verdict, None, last=None if reading.kind == "golden" else shown)
    except Taken as taken:
        raise taken_page(taken) from taken
    except (ValueError, VigieError) as error:
        before = forms.Form(kind=_kind(reading), last=last, drawn=token)
        return _read(request, person, reading, item, forms.again(form, item.text, before, None, str(error)), 422)
    return RedirectResponse("/a-etiqueter?faite=1", 303) if policy != usual else _follow(state, person, "?faite=1")


def _number(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 18 else 0


@router.post("/relecture/{id}/rendre")
def give_back(state: StateDep, person: AnalystDep, id: str) -> Response:
    """Stop here: the text goes to somebody else."""
    with state.engine.begin() as connection:
        reading = find_reading(connection, id, person)
        if reading is not None:
            put_back(connection, reading, person)
    return RedirectResponse("/relecture", 303)
