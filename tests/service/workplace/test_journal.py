"""What people and programs do by the pages and the API is recorded; administrators look through it, each sees their own."""

import csv
import io
import json

import pytest
from sqlalchemy import Engine, text

from service.cases.cases import Words, create_case
from service.workplace.audit_list import Wanted, page_of
from service.workplace.choices import choose
from service.workplace.decisions import decide
from service.workplace.keys import create_key
from tests.service.workplace.audited import head, since, told, unguarded, write
from tests.service.workplace.conftest import PASSWORD, Place
from tests.service.workplace.made import add, prediction, verdict


def item(place: Place, words: str = "Appelez Odile au 01 99 00 12 34, elle guérit tout.") -> str:
    with place.engine.begin() as connection:
        return add(connection, prediction("isolation"), words)


def test_coming_in_and_going_out_are_recorded(each_place: Place) -> None:
    place = each_place
    client, before = place.client(), head(place.engine)
    wrong = {"login": "analyst", "password": "pas celui-là du tout"}
    assert client.post("/connexion", data=wrong).status_code == 403
    assert client.post("/connexion", data={"login": "ce que je tape", "password": PASSWORD}).status_code == 403
    assert client.post("/connexion", data={"login": "analyst", "password": PASSWORD}).status_code == 303
    rows = since(place.engine, before)
    id = place.people["analyst"].id
    assert [(row["action"], row["object"]) for row in rows] == [
        ("session.refused", f"account:{id}"),
        ("session.refused", "account:unknown"),
        ("session.open", f"account:{id}"),
    ]
    assert [row["actor"] for row in rows] == ["", "", id]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert "ce que je tape" not in str(rows)
    visitor, before = place.visitor("analyst"), head(place.engine)
    assert visitor.post("/deconnexion").status_code == 303
    assert told(place.engine, before) == [("session.close", f"account:{id}")]


def test_opening_a_text_is_recorded_each_time_with_whether_it_is_masked(each_place: Place) -> None:
    place = each_place
    id, visitor = item(place), place.visitor("analyst")
    before = head(place.engine)
    assert visitor.get(f"/textes/{id}").status_code == 200
    assert visitor.post("/masque", {"masques": "1", "suite": "/file"}).status_code == 303
    assert visitor.get(f"/textes/{id}").status_code == 200
    assert visitor.post("/masque", {"masques": "0", "suite": "/file"}).status_code == 303
    rows = since(place.engine, before)
    assert [row["action"] for row in rows] == ["text.view", "masking.on", "text.view", "masking.off"]
    assert [json.loads(row["details"]).get("masked") for row in rows] == [False, None, True, None]
    assert {row["actor"] for row in rows} == {place.people["analyst"].id}
    before = head(place.engine)
    assert visitor.get("/textes/inconnu").status_code == 404
    assert told(place.engine, before) == []


def test_blind_readings_arbitrations_and_cases_are_recorded_when_opened(place: Place) -> None:
    choose(place.engine, "second_share", 1.0, place.people["administrator"])
    id, other = item(place), place.person("lou")
    decide(place.engine, id, place.people["analyst"], verdict("isolation"), None)
    reader = place.visitor(other)
    opened = reader.post("/relecture/suivante")
    before = head(place.engine)
    assert reader.get(opened.headers["location"]).status_code == 200
    assert told(place.engine, before) == [("text.view", f"text:{id}")]
    decide(place.engine, id, other, verdict(kind="second", stance="neutral"), None)
    before = head(place.engine)
    assert place.visitor("reviewer").get(f"/arbitrage/{id}").status_code == 200
    case = create_case(place.engine, place.people["reviewer"], Words("Essai", "o", "Clairière"))
    assert place.visitor("reviewer").get(f"/dossiers/{case.name}").status_code == 200
    found = [one for one in told(place.engine, before) if not one[0].startswith("session")]
    assert found == [("text.view", f"text:{id}"), ("case.opened", f"case:{case.id}"), ("case.view", f"case:{case.id}")]


def test_work_on_several_texts_leaves_one_record_a_text(place: Place) -> None:
    ids = [item(place, f"Texte {number}") for number in range(3)]
    reviewer, lou = place.visitor("reviewer"), place.person("lou")
    before = head(place.engine)
    assert reviewer.post("/file/lot", {"action": "prendre", "item": ids}).status_code == 303
    assert reviewer.post("/file/lot", {"action": "rendre", "item": ids[:2]}).status_code == 303
    assert reviewer.post("/file/lot", {"action": "rendre-tout"}).status_code == 303
    assert reviewer.post("/file/lot", {"action": "attribuer", "item": ids, "user": lou.id}).status_code == 303
    expected = [
        *(("text.take", f"text:{id}") for id in ids),
        *(("text.release", f"text:{id}") for id in ids),
        *(("text.assign", f"text:{id}") for id in ids),
    ]
    assert told(place.engine, before) == expected
    before = head(place.engine)
    sent = {"action": "dossier", "item": ids, "case": "nouveau", "case_why": "Même annonce.", "case_title": "Essai"}
    assert reviewer.post("/file/lot", sent).status_code == 303
    rows = since(place.engine, before)
    assert [row["action"] for row in rows] == ["case.opened", "case.added", "case.added", "case.added"]
    assert {json.loads(row["details"])["text"] for row in rows[1:]} == set(ids)
    assert "Même annonce" not in str(rows)


def test_what_a_key_does_names_the_key_and_who_made_it(place: Place) -> None:
    item(place)
    person, before = place.people["administrator"], head(place.engine)
    key = create_key(place.engine, person, "collecteur", ["export"])
    made = since(place.engine, before)[0]
    assert made["action"] == "key.create"
    before = head(place.engine)
    answer = place.client().get("/v1/export?q=Odile", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    asked, ended = since(place.engine, before)
    assert (asked["action"], asked["actor"], asked["means"]) == ("export.ask", person.id, "key")
    assert f"key:{asked['means_id']}" == made["object"]
    assert (ended["action"], ended["object"]) == ("export.end", asked["object"])
    assert json.loads(ended["details"]) == {"state": "done", "texts": 1}
    assert "Odile" not in str((asked, ended)), "ce qui est cherché peut être un nom"


def test_a_setting_that_changes_is_recorded_with_its_value(place: Place) -> None:
    before = head(place.engine)
    choose(place.engine, "second_share", 0.5, place.people["administrator"])
    choose(place.engine, "second_share", 0.5, place.people["administrator"])
    (row,) = since(place.engine, before)
    assert (row["action"], row["object"], json.loads(row["details"])) == (
        "setting.change",
        "setting:second_share",
        {"value": 0.5},
    )


def test_the_model_that_serves_is_recorded(place: Place) -> None:
    with place.engine.connect() as connection:
        served = connection.execute(text("select means from audit_records where action = 'model.serves'")).scalars().all()
    assert served
    assert set(served) == {"service"}


def test_the_journal_is_for_administrators_and_one_s_own_for_each(place: Place) -> None:
    id = item(place)
    place.visitor("analyst").get(f"/textes/{id}")
    for path in ("/journal", "/journal/export?format=csv"):
        assert place.visitor("reviewer").get(path).status_code == 403
        assert place.client().get(path).status_code == 303
    assert place.visitor("reviewer").post("/journal/verification").status_code == 403
    mine = place.visitor("analyst").get("/compte/journal").text
    assert f"text:{id}" in mine
    others = place.visitor("reviewer").get("/compte/journal").text
    assert f"text:{id}" not in others
    assert f"text:{id}" in place.visitor("analyst").get("/compte").text


def test_one_s_own_journal_tells_no_golden_text(place: Place) -> None:
    """Readings of a golden text and of any other leave the same words."""
    choose(place.engine, "second_share", 0.0, place.people["administrator"])
    ids, analyst = [item(place, f"Texte {number}") for number in range(2)], place.people["analyst"]
    before = head(place.engine)
    decide(place.engine, ids[0], analyst, verdict("isolation", kind="golden"), None)
    decide(place.engine, ids[1], analyst, verdict("isolation", kind="second"), None)
    first, second = (
        {name: row[name] for name in ("action", "actor", "means")} | {"details": sorted(json.loads(row["details"]))}
        for row in since(place.engine, before)
    )
    assert first == second


def test_details_are_told_in_plain_words(place: Place) -> None:
    id = item(place)
    place.visitor("analyst").get(f"/textes/{id}")
    page = place.visitor("administrator").get(f"/journal?objet={id}").text
    assert "masqué : <code>non</code>" in page
    assert "texte ouvert" in page


def test_an_address_that_holds_anything_is_answered(place: Place) -> None:
    administrator = place.visitor("administrator")
    for query in ("avant=abc", "avant=99999999999", "apres=-1", "depuis=hier", "depuis=0001-01-01&jusqua=9999-12-31", "action=x"):
        assert administrator.get(f"/journal?{query}").status_code == 200, query
    assert administrator.get("/journal?objet=%00%27%22%3Cscript%3E&personne=%00").status_code == 200
    assert administrator.get("/journal/export?format=pdf").status_code == 422
    assert "NUMÉRO:EMPREINTE" in administrator.post("/journal/verification", {"since": "x"}).text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("personne=u1", {1, 4, 7}),
        ("objet=text:4", {4}),
        ("objet=4", {4}),
        ("action=text.view", set(range(9))),
        ("action=text&personne=u2&objet=5", {5}),
        ("action=text&personne=u1&objet=5", set()),
        ("action=session", set()),
        ("depuis=2100-01-01", set()),
        ("jusqua=2000-01-01", set()),
    ],
)
def test_the_filters_find(engine: Engine, query: str, expected: set[int]) -> None:
    write(engine, 9)
    with engine.connect() as connection:
        rows = page_of(connection, Wanted.read(query), 100)
    assert {row.object for row in rows if row.object != "journal:audit"} == {f"text:{number}" for number in expected}


def test_days_are_those_of_people_in_paris() -> None:
    day = Wanted.read("depuis=2026-07-01&jusqua=2026-07-01")
    values = [one.right.value for one in day.conditions()]
    assert values == ["2026-06-30T22:00:00", "2026-07-01T22:00:00"]


def _numbers(page: str) -> list[int]:
    return [int(part.split("<")[0]) for part in page.split('data-label="N°">')[1:]]


def _link(page: str, rel: str) -> str:
    found = page.split(f'rel="{rel}" href="')
    return found[1].split('"')[0].replace("&amp;", "&") if len(found) > 1 else ""


def test_pages_follow_one_another_without_gap_or_repetition(place: Place) -> None:
    write(place.engine, 750)
    with place.engine.connect() as connection:
        whole = [row.number for row in page_of(connection, Wanted(personne="u0"), 10_000)]
    administrator, pages, path = place.visitor("administrator"), [], "/journal?action=text&personne=u0"
    while path:
        page = administrator.get(path).text
        pages.append(_numbers(page))
        path = _link(page, "next")
    assert [number for numbers in pages for number in numbers] == whole
    assert [len(numbers) for numbers in pages[:-1]] == [100] * (len(pages) - 1)
    back = []
    while path := _link(page, "prev"):
        page = administrator.get(path).text
        back.append(_numbers(page))
    assert back == pages[-2::-1]


def test_what_is_exported_is_what_the_filters_find_and_taking_it_is_recorded(place: Place) -> None:
    write(place.engine, 20)
    administrator = place.visitor("administrator")
    before = head(place.engine)
    answer = administrator.get("/journal/export?format=csv&personne=u1")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {row["actor"] for row in rows} == {"u1"}
    lines = administrator.get("/journal/export?format=jsonl").text.splitlines()
    assert len(lines) == head(place.engine).number
    assert [one[0] for one in told(place.engine, before)] == ["journal.export", "journal.export"]


def test_the_page_checks_the_chain_and_shows_what_is_wrong(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    administrator = place.visitor("administrator")
    monkeypatch.setattr("service.routes.journal._CHECKED_AT_ONCE", 10)
    write(place.engine, 20)
    page = administrator.post("/journal/verification").text
    assert "Rien d'altéré" in page
    assert "Vérifier la suite" in page
    found = page.split('name="since" value="')[1].split('"')[0]
    assert found.startswith("10:")
    assert "Rien d'altéré" in administrator.post("/journal/verification", {"since": found}).text
    with unguarded(place.engine) as connection:
        was = connection.execute(text("select actor from audit_records where number = 4")).scalar()
        connection.execute(text("update audit_records set actor = 'x' where number = 4"))
    try:
        page = administrator.post("/journal/verification").text
        assert "Journal altéré" in page
        assert "N° 4 : son contenu n&#39;est plus" in page
    finally:
        with unguarded(place.engine) as connection:
            connection.execute(text("update audit_records set actor = :was where number = 4"), {"was": was})


def test_a_text_is_not_shown_where_its_opening_cannot_be_recorded(place: Place) -> None:
    id, visitor = item(place), place.visitor("analyst")
    with place.engine.begin() as connection:
        connection.execute(text("alter table audit_records rename to audit_elsewhere"))
    try:
        answer = visitor.get(f"/textes/{id}")
    finally:
        with place.engine.begin() as connection:
            connection.execute(text("alter table audit_elsewhere rename to audit_records"))
    assert answer.status_code == 500
    assert "Odile" not in answer.text
    assert "Odile" in place.visitor("analyst").get(f"/textes/{id}").text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_pages_are_accessible(browsed: Place, width: int, dark: bool) -> None:
    from tests.service.workplace.looks import assert_accessible

    id = item(browsed)
    browsed.visitor("analyst").get(f"/textes/{id}")
    page = browsed.page("administrator", width=width, dark=dark)
    page.goto(f"/journal?objet={id}")
    assert_accessible(page)
    page.get_by_role("button", name="Vérifier la chaîne").click()
    page.get_by_text("Rien d'altéré").wait_for()
    assert_accessible(page)
    own = browsed.page("analyst", width=width, dark=dark)
    for path in ("/compte/journal", "/compte"):
        own.goto(path)
        assert own.get_by_text("texte ouvert").first.is_visible()
        assert_accessible(own)
