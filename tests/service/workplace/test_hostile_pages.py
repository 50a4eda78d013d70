"""Every page with hostile words in every column that holds words: no script runs, no link leads astray, nothing overflows."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Page
from sqlalchemy import Engine, String, Text, func, insert, update

from service.campaigns.schema import CAMPAIGN_EVENTS, CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.cases.cases import Words, create_case
from service.cases.contents import add_texts
from service.cases.records import add_answer, add_note
from service.cases.schema import CASE_SENDINGS
from service.database import METADATA
from service.workplace.choices import choose
from service.workplace.comments import add_comment
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.keys import create_key
from service.workplace.receptions import RECEPTIONS
from service.workplace.schema import IMPORT_ERRORS, IMPORTS, VIEWS
from service.workplace.takeouts import ask, filter_of
from service.workplace.times import now
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import TEXT, prediction, say

pytestmark = pytest.mark.browser

#: Markup in and out of attributes, templates, a quote, a reversal of the reading, a word that does not end.
MARKUP = "\"'></textarea></title><script>pwned=1</script><img src=x onerror=pwned=1><svg onload=pwned=1>{{7*7}}"
HOSTILE = f"{MARKUP} \u202e\u2066javascript:pwned=1 " + "W" * 220
ADDRESS = "javascript:pwned=1//" + HOSTILE
#: Columns of words that the code reads, which hold only what it knows; all the others are spoilt.
KNOWN: dict[str, frozenset[str] | set[str] | None] = {
    "text": {"items", "texts", "feedback"},
    "id": None,
    "state": None,
    "kind": None,
    "sha256": None,
    "channel": None,
    "role": None,
    "stance": None,
    "status": None,
    "verdict": None,
    "drawn_by": None,
    "model_version": None,
    "author_status": None,
    "decided_stance": None,
    "operating_point": None,
    "reason": {"decisions"},
    "request": None,
    "withdraws": None,
    "decision_id": None,
    "band": None,
    "practice": None,
    "indicator": None,
    "origin": None,
    "audience": None,
    "way": None,
    "replaces": None,
    "into": None,
    "resembles": None,
    "token_hash": None,
    "key_hash": None,
    "login_hash": None,
    "csrf": None,
    "password_hash": None,
    "login": None,
    "how": None,
    "scope": None,
    "why": {"purged"},
    "name": {"choices", "sign_in_tries"},
    "query": None,
    "filter": None,
    "file": None,
    "content_sha256": None,
    "manifest_sha256": None,
    "seal_sha256": None,
    "file_sha256": None,
    "artefact": None,
    "previous": None,
    "champion": None,
    "challenger": None,
    "contact_kind": None,
    "audit_records": None,
}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{28}|\d+")
#: Pages of one kind (same address but for identifiers and values) that are looked at.
_OF_A_KIND = 2
_MOST = 120


def _texts(place: Place) -> list[str]:
    said = prediction("miracle_cure", "isolation")
    with place.engine.begin() as connection:
        ids = []
        for number in range(4):
            text = f"{TEXT} {HOSTILE} {number}"
            words: dict[str, Any] = {name: MARKUP[:60] for name in ("theme", "region")} | {
                name: MARKUP for name in ("author", "parent")
            }
            received = Received(text, external_id=f"{MARKUP}{number}", source=MARKUP, channel="ad", url=ADDRESS, **words)
            ids.append(add_item(connection, received, None).id)
            keep_prediction(connection, ids[-1], said)
            add_comment(connection, ids[-1], place.people["analyst"], HOSTILE)
    for id in ids[:2]:
        say(place.engine, id, place.people["reviewer"], "miracle_cure")
    return ids


def _case(place: Place, ids: list[str]) -> None:
    person = place.people["reviewer"]
    words = Words(MARKUP, HOSTILE, MARKUP, "relative", HOSTILE, (), ("miviludes",))
    case = create_case(place.engine, person, words)
    with place.engine.begin() as connection:
        add_texts(connection, case.id, person, ids[:2], HOSTILE)
        add_answer(connection, case.id, person, "2026-11-02", "mail", HOSTILE)
        add_note(connection, case.id, person, HOSTILE, exported=True)
        sent = {"recipient": MARKUP, "sent_on": date(2026, 11, 3), "reference": MARKUP}
        connection.execute(insert(CASE_SENDINGS).values(id="b" * 36, case_id=case.id, user_id=person.id, made_at=now(), **sent))


def _campaign(engine: Engine, ids: list[str], person: str) -> None:
    moment = now()
    campaign, contact = "c" * 36, "d" * 36
    event = {"campaign_id": campaign, "item_id": ids[0], "user_id": person, "made_at": moment, "detail": {}, "why": HOSTILE}
    counts = {"texts": 3, "level": 3, "places": 1, "cut": False, "first_at": moment, "last_at": moment, "made_at": moment}
    with engine.begin() as connection:
        connection.execute(insert(CAMPAIGNS).values(id=campaign, name=MARKUP, note=HOSTILE, **counts))
        connection.execute(insert(CAMPAIGN_ITEMS), [{"item_id": id, "campaign_id": campaign} for id in ids[:3]])
        connection.execute(insert(CONTACTS).values(id=contact, kind="handle", value=MARKUP, state="links", texts=3))
        said = {"decided_by": person, "decided_at": moment, "why": HOSTILE}
        tie = {"role": "own", "origin": "model", "start": 0, "end": 7, "state": "confirmed", **said}
        connection.execute(insert(ITEM_CONTACTS), [{"item_id": id, "contact_id": contact, **tie} for id in ids[:3]])
        link = {"item_id": ids[0], "other_id": ids[1], "kind": "copy", "likeness": 0.9, "state": "confirmed", **said}
        connection.execute(insert(ITEM_LINKS).values(link))
        connection.execute(insert(CAMPAIGN_EVENTS), [event | {"kind": kind} for kind in ("described", "joined", "link")])


def _rest(place: Place, ids: list[str]) -> None:
    moment, person = now(), place.people["administrator"]
    counts = {"read": 3, "added": 1, "duplicates": 1, "errors": 1, "rows": 3}
    options = {"file": "x.csv", "columns": {"text": MARKUP}, "found": [MARKUP, HOSTILE], "defaults": {}, "sheets": [MARKUP]}
    options["sheets_left"] = [MARKUP]
    one = {"name": MARKUP, "source": MARKUP, "user_id": person.id, "options": options, "message": HOSTILE, "started_at": moment}
    with place.engine.begin() as connection:
        for id, state in (("e" * 36, "failed"), ("f" * 36, "columns")):
            connection.execute(insert(IMPORTS).values(id=id, state=state, sha256=None, **one, **counts))
        fault = {"import_id": "e" * 36, "row": 2, "given_id": MARKUP, "field": MARKUP[:60], "message": HOSTILE}
        connection.execute(insert(IMPORT_ERRORS).values(fault))
        again = {
            "item_id": ids[0],
            "received_at": moment,
            "external_id": MARKUP,
            "source": MARKUP,
            "author": MARKUP,
            "url": ADDRESS,
        }
        connection.execute(insert(RECEPTIONS).values(again))
        view = {"user_id": person.id, "name": MARKUP, "query": "q=%3Cscript%3E&source=" + "x", "shared": True}
        connection.execute(insert(VIEWS).values(id="a" * 36, made_at=moment, **view))
    create_key(place.engine, person, "essai", ["import"])
    ask(place.engine, person, "csv", filter_of(""))


def _spoil(engine: Engine) -> int:
    """Put hostile words in every column that may hold words; how many columns were spoilt."""
    spoilt = 0
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            if table.name == "audit_records":  # nothing of it may change: its triggers see to that
                continue
            for column in table.columns:
                held = KNOWN.get(column.name, set())
                fixed = column.primary_key or column.foreign_keys or column.name.endswith("_id") or column.unique
                if fixed or held is None or table.name in held or not isinstance(column.type, String | Text):
                    continue
                words = ADDRESS if column.name == "url" else HOSTILE
                longest = getattr(column.type, "length", None) or len(words)
                connection.execute(update(table).values({column.name: words[:longest]}))
                spoilt += bool(connection.execute(func.count(column)).scalar())
    return spoilt


@pytest.fixture
def spoilt(browsed: Place) -> Place:
    """A workplace whose every column of words holds hostile ones."""
    choose(browsed.engine, "second_share", 0.0, browsed.people["administrator"])
    ids = _texts(browsed)
    _case(browsed, ids)
    _campaign(browsed.engine, ids, browsed.people["analyst"].id)
    _rest(browsed, ids)
    assert _spoil(browsed.engine) > 30
    return browsed


LOOK = """() => ({
  pwned: typeof pwned !== 'undefined',
  scripts: [...document.scripts].filter((one) => !one.src).length,
  handlers: [...document.querySelectorAll('*')]
    .filter((one) => one.getAttributeNames().some((name) => name.startsWith('on'))).length,
  links: [...document.querySelectorAll('[href],[src],[action]')].map((one) => one.href || one.src || one.action)
    .filter((one) => typeof one === 'string'),
  wide: document.documentElement.scrollWidth - window.innerWidth,
  turned: /[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.documentElement.textContent),
  injected: document.querySelectorAll('img[src=x],svg[onload]').length,
})"""


def _kind_of(address: str) -> str:
    parts = urlsplit(address)
    return _ID.sub("{id}", parts.path) + (
        "?" + ",".join(sorted(re.findall(r"(?:^|&)(\w+)=", parts.query))) if parts.query else ""
    )


def _walk(page: Page, base: str, client: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every page that links lead to from the queue, some of each kind, and what is seen of it."""
    waiting, seen, kinds = ["/file", "/file?tout=1", "/", "/compte"], set[str](), Counter[str]()
    while waiting and len(seen) < _MOST:
        address = waiting.pop(0)
        kind = _kind_of(address)
        if address in seen or kinds[kind] >= _OF_A_KIND:
            continue
        seen.add(address)
        kinds[kind] += 1
        head = client.get(address, follow_redirects=True)
        kept = "attachment" in head.headers.get("content-disposition", "")
        if kept or not head.headers.get("content-type", "").startswith("text/html"):
            continue
        assert head.status_code < 500, f"{address} : {head.status_code}"
        if head.status_code != 200:
            continue
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        look = page.evaluate(LOOK)
        yield address, look
        for link in look["links"]:
            if link.startswith(base) and "/static/" not in link:
                waiting.append(link.removeprefix(base).partition("#")[0] or "/")


@pytest.mark.parametrize("role", ["administrator", "analyst"])
def test_no_page_obeys_what_it_shows(spoilt: Place, role: Any) -> None:
    page = spoilt.page(role, width=390)
    page.set_default_navigation_timeout(90_000)
    dialogs: list[str] = []

    def dismiss(told: Dialog) -> None:
        dialogs.append(told.message)
        told.dismiss()

    page.on("dialog", dismiss)
    kinds: Counter[str] = Counter()
    faults: list[str] = []
    for address, look in _walk(page, spoilt.url, spoilt.visitor(role).client):
        kinds[_kind_of(address).partition("?")[0]] += 1
        abroad = [link for link in look["links"] if not link.startswith(("http://", "https://", "mailto:", "tel:"))]
        wrong = [name for name in ("pwned", "scripts", "handlers", "turned", "injected") if look[name]]
        if abroad or wrong or look["wide"] > 0:
            faults.append(f"{address} : {wrong} {abroad[:2]} {look['wide']} px de trop")
    assert not faults, "\n".join(faults)
    assert not dialogs
    assert len(kinds) > (20 if role == "administrator" else 14), sorted(kinds)


def test_the_pages_of_figures_and_days_hold_too(spoilt: Place) -> None:
    # Addresses that are typed rather than followed, with hostile values in what they ask.
    page = spoilt.page("administrator", width=390)
    page.set_default_navigation_timeout(90_000)
    yesterday = date.today() - timedelta(days=1)
    for path in (
        f"/file?q={MARKUP}&source={MARKUP}&theme={MARKUP}&auteur={MARKUP}",
        f"/observatoire?du={MARKUP}&dimension=source&valeur={MARKUP}",
        f"/campagnes?q={MARKUP}&source={MARKUP}",
        f"/apercu?du={yesterday}&au={MARKUP}",
        f"/export?{MARKUP}",
        f"/connexion?suite={MARKUP}",
        f"/journal?action={MARKUP}&objet={MARKUP}",
        f"/pratiques?q={MARKUP}",
    ):
        page.goto(path)
        look = page.evaluate(LOOK)
        assert not any(look[name] for name in ("pwned", "scripts", "handlers", "turned", "injected")), path
        assert look["wide"] <= 0, path
    spoilt.faults[:] = [one for one in spoilt.faults if "status of 4" not in one]  # a value refused is a page of status 4xx
