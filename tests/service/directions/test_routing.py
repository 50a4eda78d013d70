"""Whom a text may be taken to: table-driven, every reason true, no order without its title, nothing under level 2 but help."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.labels import INDICATOR_IDS, INDICATORS
from model.records import Prediction
from model.tables import load_tables
from service.directions.advice import AUDIENCES, Audience, advice_for
from service.directions.routing import Recipient, has_source, questions, reason_of, recipients
from service.directions.situations import Known, Situation, situation_of
from service.directions.tables import load_directions

TABLES = load_directions()
AUTHORITIES = {one.id: one for one in TABLES.authorities}
PRACTICES = [practice.id for practice in load_tables().practices]
ORDERS = sorted({title.order for title in load_tables().titles if title.order})
WORDS = sorted(
    {part for one in TABLES.authorities for condition in (*one.when, *one.all) for part in condition.split("+")}
    | {part for one in TABLES.laws for condition in one.when for part in condition.split("+")}
    | {"level_3", "person_at_risk", "decided"}
)


def read(
    *signs: str,
    level: int = 2,
    stance: str = "promotes",
    practices: Sequence[str] = (),
    status: str = "unknown",
    titles: Sequence[tuple[str, str, int]] = (),
    targets: Sequence[str] = (),
    context: Sequence[str] = (),
    entities: Sequence[dict[str, Any]] = (),
    evidence: str = "un passage",
    beside: Sequence[str] = (),
) -> Prediction:
    """A prediction; `titles` are (identifier, words, place), the first one the author's."""
    first = titles[0] if titles else None
    return Prediction.model_validate(
        {
            "status": "ok",
            "model_version": "m1",
            "operating_point": "balanced",
            "risk": {"score": 0.9, "level": level, "label": "x", "reasons": []},
            "stance": {"value": stance, "scores": {"promotes": 0.9, "warns": 0.05, "neutral": 0.05}},
            "indicators": [
                {
                    "id": label.id,
                    "label": label.name,
                    "score": 0.9,
                    "present": label.id in signs,
                    "evidence": [{"start": 500, "end": 500 + len(evidence), "text": evidence, "source": "model", "score": 0.9}]
                    if label.id in signs
                    else [],
                }
                for label in INDICATORS
            ],
            "author": {
                "status": status,
                "beside": list(beside),
                **({"start": first[2], "end": first[2] + len(first[1]), "text": first[1]} if first else {}),
            },
            "practices": [{"id": id, "name": id, "start": 0, "end": 1, "text": "x"} for id in practices],
            "targets": list(targets),
            "context": [{"kind": kind, "start": 0, "end": 1, "text": "aidez-moi"} for kind in context],
            "entities": [
                *(
                    {"kind": "title", "start": place, "end": place + len(words), "text": words, "value": {"id": id}}
                    for id, words, place in titles
                ),
                *entities,
            ],
        }
    )


def ids(found: Sequence[Recipient]) -> set[str]:
    return {one.id for one in found}


SITUATIONS = st.builds(
    lambda practices, orders, conditions: Situation(
        practices | {word.removeprefix("practice:") for word in conditions if word.startswith("practice:")},
        "unknown",
        orders,
        conditions | {f"order:{order}" for order in orders} - {""},
    ),
    st.frozensets(st.sampled_from(PRACTICES), max_size=3),
    st.frozensets(st.sampled_from(ORDERS), max_size=2),
    st.frozensets(st.sampled_from(WORDS), max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(SITUATIONS)
def test_every_recipient_has_true_reasons_and_nobody_else_comes(situation: Situation) -> None:
    named = [one for one in load_tables().practices if one.id in situation.practices]
    stated, supposed = (
        {f"danger:{letter}" for one in named if has_source(one) is known for letter in one.danger} for known in (True, False)
    )
    # A danger that no source states opens nothing; it is told beside other reasons.
    held = situation.conditions - (supposed - stated)
    found = {one.id: one for one in recipients(situation)}
    for authority in TABLES.authorities:
        met = [one for one in authority.when if set(one.split("+")) <= held]
        opened = "level_2" in held or (authority.help and bool(held & {"person_at_risk", "victim", "urgency"}))
        titled = not authority.order or authority.order in situation.orders
        titled = titled and ("abroad" not in held or authority.help or "abroad" in authority.when)
        assert (authority.id in found) == bool(opened and met and set(authority.all) <= held and titled), authority.id
    for one in found.values():
        rule = AUTHORITIES[one.id]
        parts = {part for c in (*rule.when, *rule.all) for part in c.split("+")} & situation.conditions
        true = {reason_of(part, situation) for part in parts}
        assert one.reasons
        assert set(one.reasons) <= true


@settings(max_examples=200, deadline=None)
@given(SITUATIONS)
def test_an_order_only_for_a_title_of_its_own(situation: Situation) -> None:
    for one in recipients(situation):
        if one.group == "order":
            assert AUTHORITIES[one.id].order in situation.orders


@settings(max_examples=200, deadline=None)
@given(SITUATIONS)
def test_under_level_2_only_help_and_no_question_of_law(situation: Situation) -> None:
    calm = Situation(situation.practices, "unknown", situation.orders, situation.conditions - {"level_2"})
    assert all(AUTHORITIES[one.id].help for one in recipients(calm))
    assert questions(calm) == ()
    if not calm.conditions & {"person_at_risk", "victim", "urgency"}:
        assert recipients(calm) == ()


@settings(max_examples=100, deadline=None)
@given(SITUATIONS)
def test_every_question_has_a_condition_that_holds(situation: Situation) -> None:
    laws = {one.id: one for one in TABLES.laws}
    for one in questions(situation):
        assert any(set(condition.split("+")) <= situation.conditions for condition in laws[one.id].when)
        assert one.reasons
        assert one.asks.endswith("?")


@pytest.mark.parametrize("authority", TABLES.authorities, ids=lambda one: one.id)
def test_every_authority_is_reached_by_each_of_its_conditions(authority: Any) -> None:
    for condition in authority.when:
        orders = frozenset({authority.order} - {""})
        held = frozenset({"level_2", *condition.split("+"), *authority.all})
        assert authority.id in ids(recipients(Situation(frozenset(), "unknown", orders, held))), condition


@pytest.mark.parametrize("law", TABLES.laws, ids=lambda one: one.id)
def test_every_article_is_reached(law: Any) -> None:
    held = frozenset({"level_2", *law.when[0].split("+")})
    assert law.id in {one.id for one in questions(Situation(frozenset(), "unknown", frozenset(), held))}


def test_every_condition_of_the_tables_can_arise_from_texts() -> None:
    """A word that no text and no box can bring would be a rule that never works."""
    seen: set[str] = set()
    for practice in PRACTICES:
        seen |= situation_of([read(practices=[practice], beside=[practice])]).conditions
    for status in ("regulated", "protected_title", "unregulated", "unknown", "mixed"):
        seen |= situation_of([read(status=status)]).conditions
    for title in load_tables().titles:
        said = read(status=title.status, titles=[(title.id, title.name, 0)])
        seen |= situation_of([said]).conditions
    seen |= situation_of([read(*INDICATOR_IDS, level=3, targets=["minor", "illness", "serious_illness"])]).conditions
    seen |= situation_of([read(level=0, stance="neutral", context=["person_at_risk"])], victim=True).conditions
    seen |= situation_of(
        [read()], known=[Known("Des gélules, un boîtier, un décès", "website", None, 2, region="Québec")], public_agent=True
    ).conditions
    assert set(WORDS) <= seen, set(WORDS) - seen


def test_an_offer_under_level_2_leads_nowhere_until_a_person_says_otherwise() -> None:
    weak = read("mystical_discourse", level=1, practices=["reiki"])
    assert recipients(situation_of([weak])) == ()
    decided = situation_of([weak], known=[Known(decided_level=2, decided_signs=("miracle_cure",))])
    assert "miviludes" in ids(recipients(decided))
    assert "decided" in decided.conditions
    assert "sign:miracle_cure" in decided.conditions
    assert "sign:mystical_discourse" not in decided.conditions


def test_a_person_who_puts_a_text_under_level_2_closes_the_way() -> None:
    grave = read("breaking_with_medicine", level=3, practices=["mms"])
    assert recipients(situation_of([grave]))
    assert recipients(situation_of([grave], known=[Known(decided_level=0)])) == ()


def test_a_person_in_danger_is_offered_help_and_nothing_is_reported() -> None:
    cry = situation_of([read(level=0, stance="neutral", context=["person_at_risk"])])
    found = recipients(cry)
    assert {"urgences-15-112", "prevention-suicide-3114", "unadfi", "france-victimes"} <= ids(found)
    assert {one.group for one in found} == {"emergency", "help"}
    assert questions(cry) == ()
    assert all("aidez-moi" in reason for one in found for reason in one.reasons)
    offer = situation_of([read(level=1, context=["person_at_risk"])])
    assert "person_at_risk" not in offer.conditions


def test_a_nurse_who_sells_reiki_is_a_matter_for_her_order_alone() -> None:
    said = read(
        "misleading_title",
        practices=["reiki"],
        status="mixed",
        titles=[("infirmier", "infirmière", 20), ("magnetiseur", "magnétiseuse", 0)],
    )
    found = situation_of([said])
    assert found.orders == {"ordre des infirmiers"}
    assert {one for one in ids(recipients(found)) if one.startswith("ordre-")} == {"ordre-infirmiers"}
    reasons = next(one.reasons for one in recipients(found) if one.id == "ordre-infirmiers")
    assert any("infirmière" in reason for reason in reasons)


def test_a_practice_beside_the_title_is_a_reason_to_verify() -> None:
    """The order, the health agency and the question on illusory practices say which practice stands beside the title."""
    said = read(
        "misleading_title",
        practices=["reiki", "kinesiologie"],
        status="regulated",
        titles=[("masseur-kinesitherapeute", "kinésithérapeute", 0)],
        beside=["reiki"],
    )
    found = situation_of([said])
    for id in ("ordre-masseurs-kinesitherapeutes", "ars"):
        (reason,) = (one for to in recipients(found) if to.id == id for one in to.reasons if one.startswith("Près d'un titre"))
        assert reason.endswith("n'admet pas pour ce titre, à vérifier : Reiki")
    asked = next(one for one in questions(found) if one.id == "kine-procede-illusoire")
    assert any("à vérifier" in reason for reason in asked.reasons)
    without = situation_of([said.model_copy(update={"author": said.author.model_copy(update={"beside": []})})])  # type: ignore[union-attr]
    assert "beside_title" not in without.conditions
    assert "ordre-masseurs-kinesitherapeutes" in ids(recipients(without))


def test_the_nurse_is_found_where_her_other_trade_comes_first() -> None:
    said = read(status="mixed", titles=[("magnetiseur", "Magnétiseuse", 0), ("infirmier", "infirmière", 20)])
    assert situation_of([said]).orders == {"ordre des infirmiers"}


@pytest.mark.parametrize("status", ["unregulated", "unknown", "protected_title"])
def test_the_reader_s_own_doctor_is_not_the_author_s_title(status: str) -> None:
    """« Parlez-en à votre médecin »: no order."""
    title = ("psychologue", "psychologue", 0) if status == "protected_title" else ("naturopathe", "naturopathe", 0)
    said = read("miracle_cure", status=status, titles=[title, ("medecin", "médecin", 60)])
    found = situation_of([said])
    assert found.orders == frozenset()
    assert "health_professional" not in found.conditions
    assert not [one for one in recipients(found) if one.group == "order"]


def test_two_titles_that_could_be_the_author_s_name_no_order() -> None:
    said = read(
        status="mixed",
        titles=[("naturopathe", "naturopathe", 0), ("psychologue", "psychologue", 20), ("medecin", "médecin", 60)],
    )
    assert situation_of([said]).orders == frozenset()


def test_products_are_read_in_the_words_and_in_the_practices() -> None:
    words = situation_of([read()], known=[Known(text="Cure de GELULES\nvégétales et compléments   alimentaires")])
    assert {"product", "product:supplement"} <= words.conditions
    assert "anses-nutrivigilance" in ids(recipients(words))
    assert "product:device" in situation_of([read(practices=["healy"])]).conditions
    assert "product" not in situation_of([read()], known=[Known(text="L'appareil digestif et le patchwork")]).conditions


def test_private_messages_are_not_public_content() -> None:
    dangerous = read("physical_danger", level=3)
    public = situation_of([dangerous], known=[Known(channel="social_post")])
    private = situation_of([dangerous], known=[Known(channel="message")])
    assert "pharos" in ids(recipients(public))
    assert "pharos" not in ids(recipients(private))


def test_several_texts_make_one_situation_and_mild_ones_add_nothing() -> None:
    flagged, mild = read("isolation", level=2), read(level=0, practices=["mms"], targets=["minor"])
    together = situation_of([flagged, mild])
    assert together.practices == frozenset()
    assert "minor" not in together.conditions
    assert situation_of([]).conditions == frozenset()


def test_reasons_carry_no_personal_data() -> None:
    phone = {"kind": "phone", "start": 505, "end": 515, "text": "0612345678"}
    said = read("financial_pressure", evidence="payez 0612345678 vite", entities=[{**phone, "start": 506, "end": 516}])
    reasons = " ".join(reason for one in recipients(situation_of([said])) for reason in one.reasons)
    assert "payez" in reasons
    assert "0612345678" not in reasons


def test_the_public_agent_s_way_asks_for_a_public_agent() -> None:
    grave = [read("breaking_with_medicine", level=3)]
    assert "procureur-article-40" not in ids(recipients(situation_of(grave)))
    assert "procureur-article-40" in ids(recipients(situation_of(grave, public_agent=True)))


@pytest.mark.parametrize("audience", AUDIENCES)
def test_advice_holds_the_three_steps_and_whom_to_call(audience: Audience) -> None:
    """Do not stay alone, keep the link, do not rush: with contacts that can be reached."""
    advice = advice_for(audience)
    words = " ".join(f"{step.title} {step.text}" for step in advice.steps).lower()
    assert "seul" in words
    assert "lien" in words
    assert any(one in words for one in ("brusque", "pressez"))
    assert all(one.phone or one.link for one in advice.contacts)
    assert [step for step in advice.first if "15" in step.text]
    assert "coupable" not in words
