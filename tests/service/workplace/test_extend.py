"""A decision carried over to near-duplicates: the same words, each text its own record, or left out and said."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, select

from service.campaigns.extend import Extension, extend, extension_of, moved
from service.campaigns.links import CampaignError, campaign_of, say_link
from service.campaigns.lists import Wanted, list_campaigns
from service.campaigns.schema import CAMPAIGN_EVENTS
from service.campaigns.spread import spread
from service.campaigns.work import link_all
from service.workplace.choices import choose
from service.workplace.claims import claim
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide, withdraw
from service.workplace.people import Person, Role
from service.workplace.schema import DECISIONS, ITEMS, READINGS
from service.workplace.similar import index
from service.workplace.times import now
from tests.service.workplace.made import add, prediction, unsure

CURE = "le cancer disparaît en trois semaines"
BODY = (
    f"Dans notre maison au calme, {CURE} sans rien couper ni brûler. On marche, on se tait, on boit l'eau de la source, "
    "et le corps fait le reste. Neuf places, draps fournis, gare à dix minutes"
)
People = dict[Role, Person]


@dataclass
class Family:
    """A decided text, and its near-duplicates."""

    source: str
    others: list[str]
    campaign: str
    decision: str


def text_of(town: str, body: str = BODY) -> str:
    return f"{body}. Départ de {town}."


def family(engine: Engine, people: People, *others: str) -> Family:
    choose(engine, "second_share", 0.0, people["administrator"])
    with engine.begin() as connection:
        ids = [add(connection, prediction(), text) for text in (text_of("Valence"), *others)]
        for id, text in zip(ids, (text_of("Valence"), *others), strict=True):
            index(connection, id, text)
    link_all(engine)
    start = text_of("Valence").index(CURE)
    marks = (Mark(start, start + len(CURE), "miracle_cure"),)
    targets = ("illness", "serious_illness")
    verdict = Verdict(stance="promotes", level=3, targets=targets, indicators=marks, reason="implied")
    decision = decide(engine, ids[0], people["analyst"], verdict, None)
    with engine.connect() as connection:
        home = campaign_of(connection, ids[0])
    assert home
    return Family(ids[0], ids[1:], home.id, decision)


def seen(engine: Engine, id: str, person: Person) -> Extension:
    with engine.connect() as connection:
        return extension_of(connection, id, person)


def events(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        kept = select(CAMPAIGN_EVENTS.c.item_id, CAMPAIGN_EVENTS.c.detail).where(CAMPAIGN_EVENTS.c.kind == "decided")
        return sorted((id, detail["decision"]) for id, detail in connection.execute(kept))


def records(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        made = select(DECISIONS.c.item_id, DECISIONS.c.id).where(DECISIONS.c.drawn_by == "campaign")
        return sorted((row.item_id, row.id) for row in connection.execute(made))


def test_the_same_words_get_the_same_signs(engine: Engine, people: People) -> None:
    """Each near-duplicate gets a record with the passage at its own place, and a row in the history; sent twice, once."""
    spaced = "Bonjour à vous. " + text_of("Annecy").replace("cancer disparaît", "cancer \n disparaît")
    made = family(engine, people, text_of("Lyon"), spaced)
    person = people["reviewer"]
    found = seen(engine, made.source, person)
    assert sorted(one.candidate.item.id for one in found.targets) == sorted(made.others)
    assert all(one.candidate.left is None for one in found.targets)
    chosen = {id: ("m1", 0) for id in made.others}
    for _ in range(2):
        done = extend(engine, made.source, person, chosen, decision=made.decision, note="même offre", request="r" * 26)
        assert (sorted(done.done), done.left) == (sorted(made.others), {})
    assert events(engine) == records(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(DECISIONS, ITEMS.c.text).join(ITEMS, ITEMS.c.id == DECISIONS.c.item_id)).mappings()
        kept = [row for row in rows if row["drawn_by"] == "campaign"]
    assert len(kept) == 2
    for row in kept:
        (mark,) = row["indicators"]
        assert " ".join(row["text"][mark["start"] : mark["end"]].split()) == CURE
        assert (row["user_id"], row["level"], row["stance"], row["reason"]) == (person.id, 3, "promotes", "implied")
        assert (row["targets"], row["note"], row["model_version"]) == (["illness", "serious_illness"], "même offre", "m1")


def test_where_the_words_are_not_found_the_text_is_left_out(engine: Engine, people: People) -> None:
    """Other words, or the same ones twice, are left out by name; a sentence that differs is not ticked beforehand."""
    other = text_of("Lyon").replace(CURE, "le cancer recule")
    twice = f"{text_of('Annecy')} Oui, {CURE}."
    denied = text_of("Sète").replace("Dans notre maison", "Nul ne dit que dans notre maison")
    made = family(engine, people, other, twice, denied)
    found = {one.candidate.item.text: one for one in seen(engine, made.source, people["reviewer"]).targets}
    for text in (other, twice):
        assert CURE in (found[text].candidate.left or "")
    assert found[denied].candidate.left is None
    assert "phrase autour" in found[denied].doubts[0]
    chosen = {one.candidate.item.id: ("m1", 0) for one in found.values()}
    done = extend(engine, made.source, people["reviewer"], chosen, decision=made.decision, request="r")
    assert list(done.done) == [found[denied].candidate.item.id]
    assert len(done.left) == 2


def test_passages_move_by_rank_and_by_whole_words() -> None:
    """The second of two goes to the second of two; words inside longer ones are not the same words."""
    text, other = "Il guérit. Oui, il guérit.", "Ah ! il guérit ; oui, il guérit tout."
    second = text.rindex("guérit")
    (mark,), missing = moved(text, [Mark(second, second + 6, "miracle_cure")], other)
    assert (mark.start, missing) == (other.rindex("guérit"), ())
    assert moved("Il guérit.", [Mark(3, 9, "miracle_cure")], "Il guérites.") == ((), ("guérit",))
    assert moved("Il guérira.", [Mark(3, 8, "miracle_cure")], "Oui, il guérirait.")[0] == (Mark(8, 13, "miracle_cure"),)
    assert moved("A (100 %) B", [Mark(2, 9, "miracle_cure")], "B (100 %)!")[0] == (Mark(2, 9, "miracle_cure"),)


def test_blind_claimed_decided_and_parted_texts_are_left_out(engine: Engine, people: People) -> None:
    """A blind text is only counted, one that somebody reads or has read is named, one that a person parted is not offered."""
    made = family(engine, people, *(text_of(town) for town in ("Lyon", "Annecy", "Sète", "Pau")))
    blind, claimed, read, parted = made.others
    person = people["reviewer"]
    with engine.begin() as connection:
        row = {"id": "r1", "item_id": blind, "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**row))
        claim(connection, claimed, people["administrator"])
        say_link(connection, made.source, parted, "rejected", people["analyst"])
    decide(engine, read, people["analyst"], unsure(), None)
    found = seen(engine, made.source, person)
    left = {one.candidate.item.id: one.candidate.left or "" for one in found.targets}
    assert found.blind == 1
    assert set(left) == {claimed, read}
    assert "Administrator travaille dessus" in left[claimed]
    assert "déjà lu" in left[read]
    done = extend(engine, made.source, person, {id: ("m1", 0) for id in made.others}, decision=made.decision, request="r")
    assert (done.done, set(done.left)) == ({}, set(made.others))
    assert records(engine) == []


def test_only_a_decision_that_holds_is_carried_over(engine: Engine, people: People) -> None:
    """Neither one that was taken back meanwhile, nor « je ne sais pas », nor that of a text without near-duplicates."""
    made = family(engine, people, text_of("Lyon"))
    person = people["analyst"]
    with pytest.raises(CampaignError, match="cochez"):
        extend(engine, made.source, person, {}, decision=made.decision, request="r")
    with pytest.raises(CampaignError, match="a changé"):
        extend(engine, made.source, person, {made.others[0]: ("m1", 0)}, decision="autre", request="r")
    with pytest.raises(CampaignError, match="Note"):
        extend(engine, made.source, person, {made.others[0]: ("m1", 0)}, decision=made.decision, note="x" * 5_001, request="r")
    withdraw(engine, made.decision, person)
    with pytest.raises(CampaignError, match="lecture du texte est close"):
        extend(engine, made.source, person, {made.others[0]: ("m1", 0)}, decision=made.decision, request="r")
    with engine.begin() as connection:
        alone = add(connection, prediction())
    decide(engine, alone, person, Verdict(stance="neutral", level=0), None)
    with pytest.raises(CampaignError, match="aucune campagne"):
        seen(engine, alone, person)
    assert records(engine) == []


KILLED = """
import os, sys
import service.campaigns.spread as module
from service.database import connect_database
from service.workplace.people import find_login
module.note_event = lambda *_, **__: os._exit(9)
engine = connect_database(sys.argv[1])
module.spread(engine, sys.argv[2], find_login(engine, "reviewer"), "neutral", {sys.argv[3]: ("m1", 0)}, request="r")
"""


def test_killed_between_record_and_history_nothing_is_half_written(engine: Engine, people: People) -> None:
    """A process that dies after the record and before the row of history leaves neither; the same form sent again makes both."""
    made = family(engine, people, text_of("Lyon"))
    url = engine.url.render_as_string(hide_password=False)
    died = subprocess.run([sys.executable, "-c", KILLED, url, made.campaign, made.others[0]], timeout=60, check=False)
    assert died.returncode == 9
    assert events(engine) == records(engine) == []
    done = spread(engine, made.campaign, people["reviewer"], "neutral", {made.others[0]: ("m1", 0)}, request="r")
    assert list(done.done) == made.others
    assert events(engine) == records(engine) != []


def test_a_list_tells_nothing_of_a_blind_text(engine: Engine, people: People) -> None:
    """Neither a filter by level nor the order of the list gives away the level that the model gives to a blind text."""
    made = family(engine, people, text_of("Lyon"))
    body = "Le cercle de lecture du jeudi reçoit chacun dans la salle du haut, avec du thé, des livres et des chaises pour tous"
    with engine.begin() as connection:
        for town in ("Dole", "Arbois"):
            index(connection, add(connection, prediction("pseudo_science"), text_of(town, body)), text_of(town, body))
    link_all(engine)
    with engine.begin() as connection:
        row = {"id": "r1", "item_id": made.source, "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**row))
    with engine.connect() as connection:
        one, other = list_campaigns(connection, Wanted(tri="niveau"), people["administrator"]).campaigns
        assert (one.level, other.id, other.level) == (1, made.campaign, 0)
        assert list_campaigns(connection, Wanted(niveau=2), people["administrator"]).total == 0
        # Who decided it does not read it again.
        assert list_campaigns(connection, Wanted(niveau=2), people["analyst"]).total == 1
