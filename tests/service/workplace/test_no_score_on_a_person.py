"""A level and a score are those of a text: nothing counts or ranks them by author, account or contact; nothing decides."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from model.records import Prediction
from service.campaigns.schema import CAMPAIGNS, CONTACTS
from service.campaigns.work import link_all
from service.database import METADATA
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from service.workplace.schema import DECISIONS, ITEMS
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import prediction

ROOT = Path(__file__).resolve().parents[3]
#: What says something of a text; beside who posted it, grouped, it would say something of a person.
JUDGED = re.compile(r"^(?:score|level|risk|doubt|stance|decided_level|indicator|prevalence|precision)$|niveau|risque")
PEOPLE = {"author", "auteur", "contact", "handle", "compte", "account_of"}
PHONE = "06 39 98 12 40"


def test_no_table_of_people_or_contacts_holds_a_judgement() -> None:
    """A campaign has the worst level of its texts: it is a set of texts, with no name of anybody in its table."""
    for table in METADATA.sorted_tables:
        names = set(table.columns.keys())
        if table.name in ("contacts", "item_contacts", "privacy_requests", "privacy_steps", "users"):
            assert not [name for name in names if JUDGED.search(name)], table.name
    assert not {"author", "contact"} & set(CAMPAIGNS.columns.keys())
    assert not {"level", "score"} & set(CONTACTS.columns.keys())


def _functions(path: Path) -> list[tuple[str, list[str], str]]:
    """Each function of a module: its name, what it groups by, and its code without comments."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [(one.func, one.args) for one in ast.walk(node) if isinstance(one, ast.Call)]
            named = [args for function, args in calls if isinstance(function, ast.Attribute) and function.attr == "group_by"]
            columns = [ast.unparse(argument) for args in named for argument in args]
            found.append((node.name, columns, ast.unparse(node)))
    return found


def test_no_query_judges_texts_grouped_by_who_posted_them() -> None:
    """Texts are counted by contact, to link them; no level nor score is taken of those of one author or contact."""
    functions = [(path, *one) for path in sorted((ROOT / "service").rglob("*.py")) for one in _functions(path)]
    grouping = [one for one in functions if one[2]]
    assert len(grouping) > 10, "la recherche trouve bien des regroupements"
    by_person = [one for one in grouping if re.search(r"\b(?:author|contact_id|handle|url)\b", " ".join(one[2]))]
    assert by_person
    for path, name, columns, code in by_person:
        judged = re.search(r"\b(?:level|score|risk|stance|decided_level|doubt)\b", code)
        assert not judged, f"{path.name}, {name} : group_by({columns})"


def _named(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every name of a JSON structure, with those above it."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in [(*path, str(name)), *_named(one, (*path, str(name)))]]
    if isinstance(value, list):
        return [found for one in value for found in _named(one, path)]
    return []


@pytest.fixture
def filled(place: Place) -> dict[str, str]:
    """Three offers of one account, of levels 0 and 2, linked by their number."""
    ids = {}
    for number, signs in enumerate((("miracle_cure",), ("miracle_cure", "medical_break"), ())):
        with place.engine.begin() as connection:
            text = f"Offre {number} : séances de lumière à Pau, {PHONE}, sur rendez-vous, places limitées cette semaine."
            received = Received(
                text, source="reseau", channel="ad", author="@lumiere_pau", url=f"https://reseau.example/lumiere_pau/{number}"
            )
            ids[str(number)] = add_item(connection, received).id
            start = text.index(PHONE)
            called = {
                "kind": "phone",
                "start": start,
                "end": start + len(PHONE),
                "text": PHONE,
                "value": {"e164": "+33639981240"},
            }
            said = prediction(*signs).model_dump(mode="json") | {"entities": [called]}
            keep_prediction(connection, ids[str(number)], Prediction.model_validate(said))
    link_all(place.engine)
    return ids


def test_no_answer_of_the_api_puts_a_judgement_under_a_person(place: Place, filled: dict[str, str]) -> None:
    administrator = place.visitor("administrator")
    answers = [administrator.get(path).json() for path in ("/v1/campaigns", "/v1/observatory", "/openapi.json")]
    answers += [json.loads(line) for line in administrator.get("/v1/export").text.splitlines()]
    campaign = answers[0]["campaigns"][0]["id"] if answers[0].get("campaigns") else None
    if campaign:
        answers.append(administrator.get(f"/v1/campaigns/{campaign}").json())
    names = [found for answer in answers for found in _named(answer)]
    assert len(names) > 100
    for found in names:
        above = {name for name in found[:-1] if name in PEOPLE}
        assert not (above and JUDGED.search(found[-1])), " > ".join(found)


def test_the_page_of_a_contact_lists_texts_and_sums_nothing_up(place: Place, filled: dict[str, str]) -> None:
    with place.engine.connect() as connection:
        id = connection.execute(select(CONTACTS.c.id).where(CONTACTS.c.kind == "phone")).scalar_one()
    page = place.visitor("analyst").get(f"/contacts/{id}").text
    head, _, table = page.partition("<table")
    facts = re.sub(r"<[^>]+>", " ", head[head.index("<h1") :])
    assert table
    assert not re.search(r"niveau|score|risque|moyenne|note", facts, re.IGNORECASE), facts
    assert table.count('data-label="Niveau"') == 3, "le niveau est celui de chaque texte"
    assert not re.search(r"moyen|total|maximum|cumul", table, re.IGNORECASE)


def test_the_columns_of_exports_are_about_texts(place: Place, filled: dict[str, str]) -> None:
    header = place.visitor("administrator").get("/v1/export?format=csv").text.splitlines()[0]
    assert "author" in header
    assert not re.search(r"author_(?:score|level|risk)|contact_(?:score|level)", header)


def test_no_decision_is_made_without_a_person(engine: Engine, people: dict[Role, Person]) -> None:
    """The table of decisions refuses one without a person, and reading a text by a model decides nothing."""
    assert not DECISIONS.c.user_id.nullable
    with engine.begin() as connection:
        id = add_item(connection, Received(f"Je guéris tout, {PHONE}.", source="essai")).id
        keep_prediction(connection, id, prediction("miracle_cure", "medical_break"))
        link_all_in = connection.execute(select(ITEMS.c.state, ITEMS.c.decided_level).where(ITEMS.c.id == id)).one()
    assert tuple(link_all_in) == ("new", None)
    link_all(engine)
    with engine.connect() as connection:
        assert connection.execute(select(DECISIONS.c.id)).first() is None


def test_nothing_is_sent_by_the_program() -> None:
    """No module of the service sends mail nor calls another site, but the identity provider that an operator sets up."""
    callers = r"(?:smtplib|email\.mime|requests|aiohttp|urllib\.request|httpx|ftplib)"
    senders = re.compile(rf"^\s*(?:import|from) {callers}\b", re.MULTILINE)
    paths = sorted((ROOT / "service").rglob("*.py"))
    assert [path.name for path in paths if senders.search(path.read_text("utf-8"))] == ["oidc.py"]
