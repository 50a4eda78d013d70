"""The pages of campaigns, over HTTP and in a browser."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select, update

from service.campaigns.contacts import contact_id
from service.campaigns.counting import count_anew
from service.campaigns.links import campaign_of
from service.campaigns.schema import CAMPAIGN_EVENTS
from service.campaigns.work import link_all
from service.cases.cases import find_case
from service.cases.contents import texts_of
from service.workplace.choices import choose
from service.workplace.claims import claim
from service.workplace.decided import Verdict
from service.workplace.decisions import decide
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.schema import DECISIONS, ITEMS, READINGS
from service.workplace.similar import index_all
from service.workplace.times import now
from tests.service.workplace.conftest import Place, Read
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.test_campaigns import add_texts

NUMBER = contact_id("phone", "+33639984107")
VALUE = {"value": {"e164": "+33639984107"}}
Fill = Callable[[Place, int], tuple[str, list[str]]]


@pytest.fixture
def fill(read: list[Read]) -> Fill:
    """`fill(place, count)` makes a campaign of so many texts of the corpus that give one number."""

    def make(place: Place, count: int) -> tuple[str, list[str]]:
        ids = []
        promoting = [one for one in read if one.prediction.stance and one.prediction.stance.value == "promotes"]
        for one in promoting[:count]:
            text = f"{one.annotated.text}\nTél. 06 39 98 41 07"
            with place.engine.begin() as connection:
                id = add_item(connection, Received(text, source="annonces", channel="ad")).id
                # The number is not among the entities of a prediction made without it.
                phone = {
                    "kind": "phone",
                    "start": len(text) - 14,
                    "end": len(text),
                    "text": text[-14:],
                    "value": {"e164": "+33639984107"},
                }
                said = one.prediction.model_dump(mode="json")
                keep_prediction(connection, id, type(one.prediction).model_validate(said | {"entities": [phone]}))
            ids.append(id)
        link_all(place.engine)
        with place.engine.connect() as connection:
            found = campaign_of(connection, ids[0])
        assert found
        assert found.texts == count
        return found.id, ids

    return make


def test_a_decision_spreads_to_the_chosen_texts_and_leaves_out_the_others(each_place: Place, fill: Fill) -> None:
    place = each_place
    campaign, ids = fill(place, 6)
    analyst = place.visitor("analyst")
    with place.engine.begin() as connection:
        claim(connection, ids[1], place.people["reviewer"])
        row = {"id": "r1", "item_id": ids[2], "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**row))
    analyst.post(f"/textes/{ids[3]}/decision", {"action": "unsure", "last": "0", "request": "t1"})
    page = analyst.get(f"/campagnes/{campaign}/decision", params={"texte": ids[:5]})
    assert page.status_code == 200
    assert "Reviewer travaille dessus" in page.text
    assert "déjà lu par une personne" in page.text
    assert "lecture à l'aveugle" in page.text or "lecture à l&#39;aveugle" in page.text
    assert f'value="{ids[2]}"' not in page.text
    sent = {"jeton": "j" * 26, "reponse": "confirm", "texte": [*ids[:5]], "note": "même annonce"}
    with place.engine.connect() as connection:
        for id in ids[:5]:
            sent |= {f"dernier-{id}": "0", f"version-{id}": _version(connection, id)}
    for _ in range(2):
        answer = analyst.post(f"/campagnes/{campaign}/decision", sent)
        assert answer.status_code == 200
        with place.engine.connect() as connection:
            made = select(DECISIONS).where(DECISIONS.c.drawn_by == "campaign").order_by(DECISIONS.c.item_id)
            rows = connection.execute(made).all()
            assert [row.item_id for row in rows] == sorted([ids[0], ids[4]])
            assert {(row.verdict, row.note, row.user_id) for row in rows} == {
                ("confirmed", "même annonce", place.people["analyst"].id)
            }
            kept = select(CAMPAIGN_EVENTS.c.item_id).where(CAMPAIGN_EVENTS.c.kind == "decided")
            assert sorted(connection.scalars(kept)) == sorted([ids[0], ids[4]])


def _version(connection: object, id: str) -> str:
    from service.workplace.schema import ITEMS

    return str(connection.execute(select(ITEMS.c.model_version).where(ITEMS.c.id == id)).scalar_one())  # type: ignore[attr-defined]


def test_bad_input_is_told_and_nothing_is_done(place: Place, fill: Fill) -> None:
    campaign, ids = fill(place, 3)
    analyst = place.visitor("analyst")
    for path, form, told in (
        ("liens", {"etat": "rejected"}, "cochez au moins un lien"),
        ("liens", {"etat": "perdu", "lien": f"c:{ids[0]}:{NUMBER}"}, "perdu"),
        ("textes", {"action": "separer"}, "choisissez des textes"),
        ("textes", {"action": "separer", "texte": ids}, "un texte au moins doit rester"),
        ("reunion", {"autre": "zzz"}, "celui d"),
        ("description", {"nom": "x" * 201}, "200 caractères"),
        ("decision", {"reponse": "", "texte": ids[:1]}, "choisissez-en une"),
    ):
        answer = analyst.post(f"/campagnes/{campaign}/{path}", form)
        assert answer.status_code == 422, path
        assert told in answer.text, path
    assert analyst.get("/campagnes/inconnue").status_code == 404
    assert analyst.get("/contacts/inconnu").status_code == 404
    assert place.client().get("/campagnes").status_code == 303
    with place.engine.connect() as connection:
        assert connection.execute(select(CAMPAIGN_EVENTS).where(CAMPAIGN_EVENTS.c.user_id.is_not(None))).all() == []


def test_programs_read_campaigns_and_blind_texts_stay_out(each_place: Place, fill: Fill) -> None:
    place = each_place
    campaign, ids = fill(place, 3)
    with place.engine.begin() as connection:
        row = {"id": "r1", "item_id": ids[2], "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**row))
    reviewer = place.visitor("administrator")
    assert reviewer.get("/v1/campaigns", params={"q": "06 39 98 41"}).json()["total"] == 1
    assert reviewer.get("/v1/campaigns", params={"q": "06 11 22 33"}).json()["total"] == 0
    one = reviewer.get(f"/v1/campaigns/{campaign}").json()
    assert sorted(one["items"]) == sorted(ids[:2])
    assert one["hidden"] == 1
    assert one["contacts"][0]["value"] == "+33639984107"
    assert reviewer.get("/v1/campaigns", params={"tri": "x"}).status_code == 422
    assert place.client().get("/v1/campaigns").status_code == 401


def test_a_campaign_is_put_in_a_case(each_place: Place, fill: Fill) -> None:
    """Chosen texts open a case, then the whole campaign joins it but for what is blind; what cannot be is told by its field."""
    place = each_place
    campaign, ids = fill(place, 4)
    with place.engine.begin() as connection:
        row = {"id": "r1", "item_id": ids[3], "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**row))
    analyst = place.visitor("analyst")
    home = f"/campagnes/{campaign}/dossier"
    new = {"case": "nouveau", "case_title": "Annonces", "case_why": "Même numéro."}
    for more, told in (
        ({"etendue": "choisis"}, "choisissez-en au moins un"),
        ({"etendue": "choisis", "texte": ids[3:]}, "dans cette campagne"),
        ({"etendue": "tout", "case_why": ""}, "Pourquoi ce texte"),
        ({"etendue": "tout", "case_title": ""}, "Titre"),
        ({"etendue": "tout", "case": "rien"}, "choisissez-en un dans la liste"),
    ):
        answer = analyst.post(home, new | more)
        assert (answer.status_code, told in answer.text) == (422, True), told
    opened = analyst.post(home, new | {"etendue": "choisis", "texte": ids[:1]})
    assert opened.headers["location"] == "/dossiers/D-1?dit=textes&n=1#textes"
    with place.engine.connect() as connection:
        case = find_case(connection, "D-1")
        assert case
    whole = analyst.post(home, {"case": case.id, "case_why": "Même numéro.", "etendue": "tout"})
    assert whole.headers["location"] == "/dossiers/D-1?dit=campagne&n=2#textes"
    with place.engine.connect() as connection:
        assert [kept.item_id for kept in texts_of(connection, case.id)] == sorted(ids[:3], key=ids.index)
    assert "lire à l'aveugle" in analyst.get("/dossiers/D-1?dit=campagne&n=2").text.replace("&#39;", "'")


def test_the_list_is_filtered_by_where_and_when(place: Place, fill: Fill) -> None:
    """Source, theme, region and period each keep the campaigns that have such a text and no other."""
    campaign, ids = fill(place, 3)
    with place.engine.begin() as connection:
        seen = {"theme": "cancer", "region": "Bretagne", "captured_at": datetime(2026, 3, 5, 12, tzinfo=UTC)}
        connection.execute(update(ITEMS).where(ITEMS.c.id.in_(ids)).values(**seen))
        count_anew(connection, [campaign])
    analyst = place.visitor("analyst")
    for query, found in (
        ("source=annonces", True),
        ("source=forum", False),
        ("region=Bretagne&theme=cancer", True),
        ("region=Bretagne&theme=enfants", False),
        ("du=2026-03-05&au=2026-03-05", True),
        ("du=2026-03-06", False),
        ("au=2026-03-04", False),
        ("du=hier", True),
    ):
        page = analyst.get(f"/campagnes?{query}")
        assert (page.status_code, campaign in page.text) == (200, found), query


def test_the_list_says_whose_level_it_is(place: Place) -> None:
    """The worst level of a campaign is said to be the model's, until a person has decided on a text of that level."""
    texts = [f"{words} au 06 39 98 41 07, le matin." for words in ("Soin doux", "Atelier du dimanche")]
    ids = add_texts(place.engine, [{"text": one} for one in texts], "promotes")
    link_all(place.engine)
    analyst = place.visitor("analyst")

    def said() -> list[bool]:
        page = analyst.get("/campagnes").text
        return ["proposé par le modèle" in page, "décidé par une personne" in page]

    assert said() == [True, False]
    with place.engine.begin() as connection:
        # Decided lower: the level shown is still that of the other text, as the model proposes.
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[0]).values(decided_level=1))
    link_all(place.engine)
    assert said() == [True, False]
    with place.engine.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[1]).values(decided_level=2))
    link_all(place.engine)
    assert said() == [False, True]


def test_a_case_and_a_decision_are_made_from_the_campaign_in_a_browser(browsed: Place, fill: Fill) -> None:
    """By the pages alone: a whole campaign goes to a new case, and a decision is carried over to a near-duplicate."""
    choose(browsed.engine, "second_share", 0.0, browsed.people["administrator"])
    campaign, ids = fill(browsed, 3)
    with browsed.engine.begin() as connection:
        text = connection.execute(select(ITEMS.c.text).where(ITEMS.c.id == ids[0])).scalar_one()
        twin = add_item(connection, Received(f"{text} Appelez avant midi.", source="annonces", channel="ad")).id
        connection.execute(update(ITEMS).where(ITEMS.c.id == twin).values(model_version="m"))
        index_all(connection, {ids[0]: text, twin: f"{text} Appelez avant midi."})
    link_all(browsed.engine)
    page = browsed.page("analyst")
    page.goto(f"/campagnes/{campaign}")
    page.get_by_text("Ajouter à un dossier").click()
    page.fill("#case_title", "Annonces au même numéro")
    page.fill("#case_why", "Même numéro.")
    page.get_by_role("button", name="Ajouter toute la campagne").click()
    page.get_by_role("heading", name="Dossier D-1 : Annonces au même numéro").wait_for()
    assert page.locator(".case-text").count() == 4
    decide(browsed.engine, ids[0], browsed.people["analyst"], Verdict(stance="neutral", level=0), None)
    page.goto(f"/campagnes/{campaign}")
    page.get_by_role("link", name="Étendre sa décision").click()
    assert_accessible(page)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Enregistrer une décision par texte coché").click()
    page.get_by_text("1 texte décidé").wait_for()
    with browsed.engine.connect() as connection:
        state = connection.execute(select(ITEMS.c.state, ITEMS.c.decided_stance).where(ITEMS.c.id == twin)).one()
    assert tuple(state) == ("done", "neutral")


def test_links_are_said_and_pages_are_accessible(browsed: Place, fill: Fill) -> None:
    campaign, ids = fill(browsed, 4)
    for width, dark in ((1280, False), (390, True)):
        page = browsed.page("analyst", width=width, dark=dark)
        for path in (
            "/campagnes",
            f"/campagnes/{campaign}",
            f"/campagnes/{campaign}/decision?texte={ids[0]}",
            f"/contacts/{NUMBER}",
        ):
            page.goto(path)
            assert Axe().run(page).response["violations"] == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page = browsed.page("analyst")
    page.goto(f"/campagnes/{campaign}")
    page.get_by_text("Liens, un par un").click()
    page.locator(f'input[value="c:{ids[0]}:{NUMBER}"]').check()
    page.get_by_label("Pourquoi", exact=True).first.fill("numéro du voisin")
    page.get_by_role("button", name="Rejeter les liens cochés").click()
    page.get_by_text("Ce que vous avez dit des liens est enregistré").wait_for()
    assert page.get_by_text("numéro du voisin").count()
    with browsed.engine.connect() as connection:
        assert campaign_of(connection, ids[0]) is None
    page.goto(f"/textes/{ids[1]}")
    assert page.get_by_role("heading", name="Campagne").is_visible()
