"""Requests of the people whom texts are about: found however written, answered, erased or refused with a reason."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update
from typer.testing import CliRunner

from service.campaigns.schema import CONTACTS
from service.campaigns.work import link_all
from service.cases.cases import Words, create_case, find_case, move_case
from service.cases.contents import add_texts
from service.cases.records import add_note
from service.cases.schema import CASE_NOTES, CASES
from service.cli import app
from service.database import TEXTS, store_text
from service.privacy.answers import access, as_json, as_page
from service.privacy.contacts import ContactError, read_contact
from service.privacy.erasure import erase
from service.privacy.held import Held, find_held
from service.privacy.purge import purge
from service.privacy.reexamination import contest, reexamined
from service.privacy.requests import (
    Asked,
    RequestError,
    close_request,
    extend,
    months_later,
    need_request,
    open_request,
    prove,
    requests_of,
    steps_of,
)
from service.privacy.retention import make_plan
from service.privacy.schema import REQUESTS
from service.settings import Settings, load_settings
from service.workplace.audit_schema import AUDIT
from service.workplace.choices import choose
from service.workplace.comments import add_comment
from service.workplace.filters import Filter
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from service.workplace.queue import page_of
from service.workplace.schema import COMMENTS, DECISIONS, ITEMS
from service.workplace.times import local_day, now
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import prediction, say

PHONE = "06 39 98 12 40"
OFFER = f"Aurélia Kerbrat, énergéticienne. Je guéris le cancer, jetez vos comprimés. {PHONE}, aurelia@clarte.example."
REPORT = "Ma mère Solange Huguenin a tout arrêté pour « aurélia », au +33 6 39 98 12 40. Appelez-moi : 06 39 98 00 11."
SPOKEN = "vous m'appelez au zéro six trente-neuf quatre-vingt-dix-huit douze quarante et voilà"
OTHER = "Cours de cuisine à Pau, 35 €, 06 39 98 99 99."


@pytest.fixture
def chosen(engine: Engine, tmp_path: Path) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(database_url=url, spool_dir=tmp_path / "attente", purged_file=tmp_path / "purged.jsonl")


@pytest.fixture
def texts(engine: Engine, people: dict[Role, Person]) -> dict[str, str]:
    """An offer, a report that gives its number, a video that says it, and a text of somebody else."""
    choose(engine, "second_share", 0.0, people["administrator"])
    listed = {
        "offer": Received(
            OFFER, source="reseau", channel="ad", author="@Aurelia_Clarte", url="https://reseau.example/aurelia_clarte/1"
        ),
        "report": Received(REPORT, source="forum", channel="comment", author="fille35"),
        "spoken": Received(SPOKEN, source="video", channel="video_transcript", author="@chaine"),
        "other": Received(OTHER, source="reseau", channel="ad", author="@cuisine"),
    }
    ids = {}
    for name, received in listed.items():
        with engine.begin() as connection:
            ids[name] = add_item(connection, received).id
            keep_prediction(connection, ids[name], prediction("miracle_cure") if name == "offer" else prediction())
    say(engine, ids["offer"], people["reviewer"], "miracle_cure", note=f"Déjà vue, {PHONE}.")
    return ids


def ask(engine: Engine, kind: str, contact: str, *, proof: str = "écrit depuis ce compte", person: Person | None = None) -> Asked:
    with engine.begin() as connection:
        asked = open_request(connection, person, kind, contact, local_day(now()))
        if proof:
            prove(connection, asked.id, person, proof)
        return need_request(connection, asked.id)


def held(engine: Engine, contact: str) -> Held:
    with engine.connect() as connection:
        return find_held(connection, read_contact(contact))


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        (PHONE, "phone", "+33639981240"),
        ("+33 (0)6 39 98 12 40", "phone", "+33639981240"),
        ("0033639981240", "phone", "+33639981240"),
        ("Aurelia@Clarte.example", "email", "aurelia@clarte.example"),
        ("aurelia (at) clarte (point) example", "email", "aurelia@clarte.example"),
        ("https://www.Reseau.example/Aurelia/?x=1", "url", "reseau.example/aurelia"),
        ("@Aurelia_Clarte", "handle", "aurelia_clarte"),
        ("Aurélia_Clarté", "handle", "aurelia_clarte"),
    ],
)
def test_a_contact_has_one_form(written: str, kind: str, value: str) -> None:
    found = read_contact(written)
    assert (found.kind, found.value) == (kind, value)
    assert read_contact(found.value if kind != "handle" else f"@{found.value}") == found


@pytest.mark.parametrize("written", ["", " ", "Aurélia Kerbrat", "12345", "x" * 400, "a\x00b"])
def test_a_name_alone_is_not_looked_for(written: str) -> None:
    with pytest.raises(ContactError, match="attendu"):
        read_contact(written)


@given(st.text(max_size=80))
def test_whatever_is_asked_is_read_or_refused(written: str) -> None:
    try:
        found = read_contact(written)
    except ContactError:
        return
    assert found.value


@pytest.mark.parametrize("written", [PHONE, "+33 6 39 98 12 40", "0639981240", "06.39.98.12.40"])
def test_a_number_is_found_however_it_is_written(engine: Engine, texts: dict[str, str], written: str) -> None:
    found = held(engine, written)
    assert set(found.ids) == {texts["offer"], texts["report"], texts["spoken"]}
    assert [place.name for place in found.places] == ["note d'une décision"]


@pytest.mark.parametrize("written", ["@aurelia_clarte", "Aurelia_Clarte", "reseau.example/aurelia_clarte"])
def test_an_account_is_found_as_author(engine: Engine, texts: dict[str, str], written: str) -> None:
    (one,) = held(engine, written).texts
    assert (one.id, one.author) == (texts["offer"], True)


def test_an_account_whose_name_is_a_word_is_not_that_word(engine: Engine, texts: dict[str, str]) -> None:
    """« aurélia », said in a text, is not the account @aurelia."""
    assert held(engine, "@aurelia").texts == ()


def test_everywhere_people_write_is_looked_at(engine: Engine, people: dict[Role, Person], texts: dict[str, str]) -> None:
    store_text(engine, OFFER, {"model_version": "m1"}, None)
    case = create_case(engine, people["reviewer"], Words("Essai", f"objet {PHONE}", "Aurélia", "victim"))
    with engine.begin() as connection:
        add_comment(connection, texts["other"], people["analyst"], f"voir {PHONE}")
        add_note(connection, case.id, people["reviewer"], f"appelée au {PHONE}", exported=False)
    names = {place.name for place in held(engine, PHONE).places}
    assert names == {"commentaire", "note d'une décision", "texte gardé par l'API", "objet de dossier", "note de dossier"}


def test_the_answer_is_due_within_a_month(engine: Engine) -> None:
    for received, due in (("2026-01-31", "2026-02-28"), ("2026-03-15", "2026-04-15"), ("2025-12-31", "2026-01-31")):
        assert months_later(date.fromisoformat(received), 1).isoformat() == due
    with engine.begin() as connection:
        asked = open_request(connection, None, "access", PHONE, date(2026, 1, 31))
        with pytest.raises(RequestError, match="à venir"):
            open_request(connection, None, "access", PHONE, local_day(now()) + timedelta(days=2))
        with pytest.raises(RequestError, match="Demande « vente »"):
            open_request(connection, None, "vente", PHONE, date(2026, 1, 31))
    assert asked.late(date(2026, 3, 1))
    assert not asked.late(date(2026, 2, 28))


def test_the_delay_is_given_more_once_and_in_time(engine: Engine) -> None:
    asked = ask(engine, "access", PHONE)
    with engine.begin() as connection:
        with pytest.raises(RequestError, match="attendu"):
            extend(connection, asked.id, None, " ")
        longer = extend(connection, asked.id, None, "3 000 textes")
        assert longer.due_on == months_later(asked.received_on, 3)
        with pytest.raises(RequestError, match="qu'une fois"):
            extend(connection, asked.id, None, "encore")


def test_nothing_is_given_nor_erased_before_it_is_sure_who_asks(engine: Engine, texts: dict[str, str], chosen: Settings) -> None:
    first, second = ask(engine, "access", PHONE, proof=""), ask(engine, "erasure", PHONE, proof="")
    with pytest.raises(RequestError, match="vérifié"):
        access(engine, first.id, None)
    with pytest.raises(RequestError, match="vérifié"):
        erase(engine, chosen, second.id, None)
    assert len(held(engine, PHONE).texts) == 3


def test_an_access_gives_texts_decisions_by_role_and_cases(
    engine: Engine, people: dict[Role, Person], texts: dict[str, str]
) -> None:
    case = create_case(engine, people["reviewer"], Words("Essai", "o", "Aurélia", "victim"))
    with engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [texts["offer"]], "annonce")
        add_comment(connection, texts["report"], people["analyst"], "vu avec Solange Huguenin")
    asked = ask(engine, "access", PHONE)
    answer = access(engine, asked.id, people["administrator"])
    assert {one["id"] for one in answer["texts"]} == {texts["offer"], texts["report"], texts["spoken"]}
    offer = next(one for one in answer["texts"] if one["id"] == texts["offer"])
    (decision,) = offer["decisions"]
    assert decision["by"] == "relecture"
    assert PHONE in decision["note"]
    assert offer["model"]["level_of_the_text"] == 2
    assert [one["number"] for one in answer["cases"]] == ["D-1"]
    for written in (as_json(answer), as_page(answer)):
        for hidden in ("Reviewer", "reviewer", "Analyst", "Solange", "Huguenin", "98 00 11", people["reviewer"].id):
            assert hidden not in written, hidden
        assert "06 39 98 12 40" in written
    assert json.loads(as_json(answer)) == answer
    with engine.connect() as connection:
        assert [step.kind for step in steps_of(connection, asked.id)] == ["opened", "proved", "exported"]
        viewed = connection.scalars(select(AUDIT.c.object).where(AUDIT.c.action == "text.view")).all()
    assert set(viewed) == {f"text:{one}" for one in (texts["offer"], texts["report"], texts["spoken"])}


def test_cases_are_withheld_with_a_reason(engine: Engine, people: dict[Role, Person], texts: dict[str, str]) -> None:
    case = create_case(engine, people["reviewer"], Words("Essai", "o", "Aurélia", "victim"))
    with engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [texts["offer"]], "annonce")
    asked = ask(engine, "access", PHONE)
    answer = access(engine, asked.id, None, "une procédure est en cours")
    assert answer["cases"] == []
    assert "D-1" not in as_page(answer)
    assert "une procédure est en cours" in as_page(answer)


def test_an_erasure_takes_out_all_that_is_found(
    engine: Engine, people: dict[Role, Person], texts: dict[str, str], chosen: Settings, tmp_path: Path
) -> None:
    link_all(engine)
    store_text(engine, OFFER, {"model_version": "m1"}, None)
    with engine.begin() as connection:
        add_comment(connection, texts["other"], people["analyst"], f"La même que {PHONE} ?")
    asked = ask(engine, "erasure", PHONE, person=people["administrator"])
    done = erase(engine, chosen, asked.id, people["administrator"])
    assert (done.erased, done.unsigned, dict(done.refused)) == (3, 0, {})
    assert held(engine, PHONE) == Held((), ())
    with engine.connect() as connection:
        assert list(connection.scalars(select(ITEMS.c.id))) == [texts["other"]]
        assert connection.scalars(select(COMMENTS.c.text)).one() == "La même que [effacé] ?"
        assert connection.execute(select(TEXTS.c.id)).first() is None
        assert "+33639981240" not in connection.scalars(select(CONTACTS.c.value)).all()
        assert steps_of(connection, asked.id)[-1].detail["erased"] == 3
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"Kerbrat" not in path.read_bytes(), path.name
    traces = [json.loads(line) for line in chosen.purged_file.read_text("utf-8").splitlines()]
    assert {trace["why"] for trace in traces} == {"request:1"}
    assert erase(engine, chosen, asked.id, None).erased == 0


def test_a_text_of_an_open_case_is_refused_with_the_reason_until_it_is_closed(
    engine: Engine, people: dict[Role, Person], texts: dict[str, str], chosen: Settings
) -> None:
    case = create_case(engine, people["reviewer"], Words("Essai", f"vue au {PHONE}", "Aurélia", "victim"))
    with engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [texts["offer"]], "annonce")
        add_note(connection, case.id, people["reviewer"], f"appelée au {PHONE}", exported=False)
    asked = ask(engine, "erasure", PHONE)
    done = erase(engine, chosen, asked.id, None)
    assert done.erased == 2
    assert "D-1" in done.refused[texts["offer"]]
    assert {place.name for place in held(engine, PHONE).places} >= {"note de dossier", "objet de dossier"}
    with engine.connect() as connection:
        found = find_case(connection, case.id)
    assert found
    move_case(engine, case.id, people["reviewer"], "closed", found.version)
    again = erase(engine, chosen, asked.id, None)
    assert (again.erased, dict(again.refused)) == (1, {})
    with engine.connect() as connection:
        assert connection.scalars(select(CASES.c.summary)).one() == "vue au [effacé]"
        assert connection.scalars(select(CASE_NOTES.c.text)).one() == "appelée au [effacé]"


def test_a_person_keeps_a_text_with_a_reason(engine: Engine, texts: dict[str, str], chosen: Settings) -> None:
    asked = ask(engine, "erasure", PHONE)
    with pytest.raises(RequestError, match="se motive"):
        erase(engine, chosen, asked.id, None, {texts["report"]: " "})
    done = erase(engine, chosen, asked.id, None, {texts["report"]: "témoignage d'une autre personne"})
    assert (done.erased, dict(done.refused)) == (2, {texts["report"]: "témoignage d'une autre personne"})
    with engine.connect() as connection:
        assert connection.execute(select(ITEMS.c.id).where(ITEMS.c.id == texts["report"])).first()


def test_a_text_that_others_posted_too_stays_without_this_author(engine: Engine, chosen: Settings) -> None:
    with engine.begin() as connection:
        for author in ("@aurelia_clarte", "@copieuse"):
            id = add_item(connection, Received("Cure de jus de sept jours, sans sucre.", source="reseau", author=author)).id
    asked = ask(engine, "erasure", "@aurelia_clarte")
    done = erase(engine, chosen, asked.id, None)
    assert (done.erased, done.unsigned) == (0, 1)
    with engine.connect() as connection:
        assert connection.execute(select(ITEMS.c.author).where(ITEMS.c.id == id)).scalar() is None
    assert held(engine, "@copieuse").ids == [id]
    assert held(engine, "@aurelia_clarte").ids == []


def test_a_contestation_is_looked_at_again_by_a_person_in_the_queue(
    engine: Engine, people: dict[Role, Person], texts: dict[str, str], chosen: Settings
) -> None:
    asked = ask(engine, "contestation", "@aurelia_clarte")
    with pytest.raises(RequestError, match="n'y est pas"):
        contest(engine, asked.id, None, {texts["other"]})
    assert contest(engine, asked.id, people["administrator"]) == 1
    assert contest(engine, asked.id, None) == 0
    wanted = Filter.read("tout=1&reexamen=1")
    with engine.connect() as connection:
        (row,) = page_of(connection, wanted, people["analyst"]).rows
        assert (row.id, row.contested) == (texts["offer"], asked.due_on)
        (one,) = reexamined(connection, asked)
    assert (one.done, one.before) == (False, 2)
    # Contested, it is kept whatever its age.
    with engine.begin() as connection:
        connection.execute(
            update(ITEMS).values(decided_at=now() - timedelta(days=4_000), received_at=now() - timedelta(days=4_000))
        )
        plan = make_plan(connection, chosen)
    assert {line.rule.id: dict(line.kept) for line in plan.lines if line.kept} == {"decided": {"contested": 1}}
    purge(engine, chosen)
    say(engine, texts["offer"], people["analyst"], stance="neutral")
    with engine.connect() as connection:
        (one,) = reexamined(connection, asked)
        assert page_of(connection, wanted, people["analyst"]).rows == []
    assert (one.done, one.before, one.after) == (True, 2, 0)
    assert one.words == "réexaminé : niveau 0"


def test_no_answer_without_words_and_none_after_it_is_closed(engine: Engine, texts: dict[str, str], chosen: Settings) -> None:
    asked = ask(engine, "erasure", PHONE)
    with engine.begin() as connection:
        with pytest.raises(RequestError, match="attendu"):
            close_request(connection, asked.id, None, "answered", "")
        close_request(connection, asked.id, None, "refused", "obligation légale ; recours rappelés")
        with pytest.raises(RequestError, match="close"):
            prove(connection, asked.id, None, "x")
        assert requests_of(connection)[0].state == "refused"
    with engine.connect() as connection:
        actions = connection.scalars(select(AUDIT.c.action).where(AUDIT.c.action.startswith("privacy."))).all()
    assert actions == ["privacy.request", "privacy.refused"]
    with pytest.raises(RequestError, match="close"):
        erase(engine, chosen, asked.id, None)


def test_a_closed_request_loses_its_contact_in_time(engine: Engine, chosen: Settings) -> None:
    asked = ask(engine, "access", PHONE)
    with engine.begin() as connection:
        close_request(connection, asked.id, None, "answered", f"envoyé à {PHONE}")
        connection.execute(update(REQUESTS).values(closed_at=now() - timedelta(days=4_000)))
    assert purge(engine, chosen).counts == {"requests": 1}
    with engine.connect() as connection:
        row = connection.execute(select(REQUESTS)).mappings().one()
        steps = steps_of(connection, asked.id)
    assert "639981240" not in str(dict(row))
    assert [step.kind for step in steps] == ["opened", "proved", "answered"]
    assert not any(step.detail for step in steps)


@pytest.fixture
def environment(base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """The command, on the database `base`."""
    named = {"DATABASE_URL": base.url.render_as_string(), "PURGED_FILE": tmp_path / "p.jsonl", "SPOOL_DIR": tmp_path / "s"}
    for name, value in named.items():
        monkeypatch.setenv(f"VIGIE_{name}", str(value))
    load_settings.cache_clear()
    yield CliRunner()
    load_settings.cache_clear()


def test_the_command_does_the_same(base: Engine, environment: CliRunner, tmp_path: Path) -> None:
    with base.begin() as connection:
        id = add_item(connection, Received(OFFER, source="reseau", author="@aurelia_clarte")).id

    def vigie(*words: str) -> Any:
        return environment.invoke(app, ["privacy", *words])

    assert "1 textes, 0 autres endroits" in vigie("find", PHONE).output
    assert "n° 1" in vigie("open", "access", PHONE).output
    assert "n° 2" in vigie("open", "contestation", "@aurelia_clarte").output
    assert "n° 3" in vigie("open", "erasure", PHONE, "--received", "2026-01-05").output
    assert "attendue" in str(vigie("open", "access", PHONE, "--received", "hier").exception)
    listed = vigie("list").output
    assert "EN RETARD" in listed
    assert len(json.loads(vigie("list", "--json").stdout)) == 3
    for number in "123":
        vigie("prove", number, "appel au numéro")
    target = tmp_path / "reponse.html"
    assert "1 textes" in vigie("access", "1", "-o", str(target)).output
    assert "<h1>" in target.read_text("utf-8")
    assert "existe" in str(vigie("access", "1", "-o", str(target)).exception)
    assert "1 textes à réexaminer" in vigie("contest", "2").output
    assert "deux mois" not in vigie("extend", "1", "complexe").output
    assert f"refusé : {id} : procès" in vigie("erase", "3", "--yes", "--keep", f"{id}=procès").output
    assert "1 textes effacés" in vigie("erase", "3", "--yes").output
    assert "close" in vigie("close", "3", "dit au téléphone").output


def sent(place: Place, path: str, **data: str) -> Any:
    return place.visitor("administrator").post(path, data)


def fill(place: Place) -> Mapping[str, str]:
    with place.engine.begin() as connection:
        received = Received(OFFER, source="reseau", channel="ad", author="@aurelia_clarte")
        id = add_item(connection, received).id
        keep_prediction(connection, id, prediction("miracle_cure"))
    return {"offer": id}


def test_the_pages_lead_from_a_request_to_its_answer(place: Place) -> None:
    ids = fill(place)
    today = local_day(now()).isoformat()
    wrong = sent(place, "/vie-privee", kind="access", contact="Aurélia Kerbrat", received_on=today)
    assert wrong.status_code == 422
    assert "Aurélia Kerbrat" in wrong.text, "ce qui était saisi reste"
    assert sent(place, "/vie-privee", kind="access", contact=PHONE, received_on="hier").status_code == 422
    where = sent(place, "/vie-privee", kind="access", contact=PHONE, received_on=today).headers["location"].partition("?")[0]
    assert sent(place, f"{where}/acces", format="html").status_code == 422, "l'identité n'est pas vérifiée"
    assert sent(place, f"{where}/identite", proof="appel").status_code == 303
    found = sent(place, f"{where}/recherche")
    assert f"/textes/{ids['offer']}" in found.text
    answer = sent(place, f"{where}/acces", format="html")
    assert "attachment" in answer.headers["content-disposition"]
    assert "jetez vos comprimés" in answer.text
    assert sent(place, f"{where}/acces", format="json").json()["format"] == "vigie-access-1"
    assert sent(place, f"{where}/issue", state="answered", words="remis en main propre").status_code == 303
    assert sent(place, f"{where}/issue", state="answered", words="encore").status_code == 422
    assert "répondue" in place.visitor("administrator").get("/vie-privee").text
    for role in ("analyst", "reviewer"):
        assert place.visitor(role).get("/vie-privee").status_code == 403
        assert place.visitor(role).get(where).status_code == 403
    assert place.visitor("administrator").get("/vie-privee/inconnue").status_code == 404


def test_the_pages_erase_and_contest(place: Place) -> None:
    ids = fill(place)
    today = local_day(now()).isoformat()
    where = (
        sent(place, "/vie-privee", kind="contestation", contact=PHONE, received_on=today).headers["location"].partition("?")[0]
    )
    assert sent(place, f"{where}/contestation").status_code == 303
    assert "contesté" in place.visitor("analyst").get("/file?tout=1&reexamen=1").text
    assert "À réexaminer avant le" in place.visitor("analyst").get(f"/textes/{ids['offer']}").text
    assert sent(place, f"{where}/delai", why="beaucoup de textes").status_code == 303
    where = sent(place, "/vie-privee", kind="erasure", contact=PHONE, received_on=today).headers["location"].partition("?")[0]
    sent(place, f"{where}/identite", proof="appel")
    assert sent(place, f"{where}/effacement").status_code == 303
    assert "1 textes effacés" in place.visitor("administrator").get(where).text
    with place.engine.connect() as connection:
        assert connection.execute(select(ITEMS.c.id)).first() is None


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_pages_are_accessible(browsed: Place, tmp_path: Path, width: int, dark: bool) -> None:
    fill(browsed)
    page = browsed.page("administrator", width=width, dark=dark)
    page.goto("/vie-privee")
    assert_accessible(page)
    page.get_by_label("Son compte ou son contact").fill(PHONE)
    for kind in ("effacement", "contestation", "accès"):
        page.goto("/vie-privee")
        page.get_by_label("Que demande la personne").select_option(label=kind)
        page.get_by_label("Son compte ou son contact").fill(PHONE)
        page.get_by_role("button", name="Enregistrer la demande").click()
        page.get_by_role("button", name="Chercher", exact=True).click()
        page.get_by_role("heading", name="Trouvé").wait_for()
        assert_accessible(page)
    asked = ask(browsed.engine, "access", PHONE)
    content = as_page(access(browsed.engine, asked.id, None))
    target = tmp_path / "reponse.html"
    target.write_text(content, "utf-8")
    page.goto(target.as_uri())
    assert_accessible(page)


def test_decisions_are_kept_with_figures_only(engine: Engine, texts: dict[str, str], chosen: Settings) -> None:
    asked = ask(engine, "erasure", "@aurelia_clarte")
    erase(engine, chosen, asked.id, None)
    with engine.connect() as connection:
        assert connection.execute(select(DECISIONS.c.id)).first() is None
