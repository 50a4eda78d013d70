"""What every prediction keeps, whatever the text: the contract, offsets into the text as sent, the guide's level."""

import json
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.analyser import Analyser, Options
from model.context import CONTEXT_KINDS
from model.decide import with_prior
from model.errors import ArtefactError
from model.labels import INDICATOR_IDS, INDICATOR_NAMES, LEVELS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.levels import level_of
from model.records import OperatingPointName, Prediction
from model.store import current_name
from model.text import MAX_CHARACTERS
from tests.timing import quickest

POINTS: tuple[OperatingPointName, ...] = get_args(OperatingPointName)
KEYS = [
    "id", "status", "analysis", "model_version", "operating_point", "language", "risk", "stance", "indicators", "context",
    "targets", "author", "practices", "entities", "warnings", "error",
]  # fmt: skip
ENTITY_KINDS = {
    "price", "phone", "email", "url", "handle", "siret", "rpps", "adeli", "title", "condition", "audience", "place", "person",
    "address", "date",
}  # fmt: skip
AUTHORS = {"regulated", "protected_title", "unregulated", "mixed", "unknown"}
PROMISE = "Grâce à mes soins de magnétisme, votre cancer disparaîtra pour toujours : arrêtez la chimiothérapie, ce poison."
HARMLESS = [
    "Le cabinet de kinésithérapie est ouvert du lundi au vendredi, de huit heures à dix-neuf heures.",
    "La mairie organise une collecte de sang samedi matin dans la salle des fêtes.",
    "Ma grand-mère préparait une soupe de courge avec un peu de muscade et de crème.",
    "Le train de nuit pour Briançon part à vingt et une heures, pensez à réserver votre couchette.",
    "Notre club de randonnée cherche des bénévoles pour baliser les sentiers au printemps.",
    "La pharmacie de garde change chaque dimanche, le numéro est affiché sur la porte.",
    "L'équipe de rugby a gagné son dernier match malgré la pluie et le terrain boueux.",
    "Je vends un vélo de ville en bon état, révisé en mars, avec panier et antivol.",
    "La bibliothèque propose un atelier d'écriture le mercredi après-midi pour les adultes.",
    "Votre médecin traitant peut vous prescrire des séances de rééducation après une entorse.",
    "Les travaux de la rue principale dureront trois semaines, une déviation est mise en place.",
    "Le musée expose des aquarelles du dix-neuvième siècle jusqu'à la fin du mois.",
    "Pour réussir une pâte brisée, travaillez le beurre froid du bout des doigts.",
    "L'association de quartier tient son assemblée générale jeudi soir à la maison commune.",
    "La campagne de vaccination contre la grippe commence en octobre pour les plus de soixante-cinq ans.",
    "Mon fils a adoré son stage de voile, il veut recommencer l'été prochain.",
    "Le jardinier conseille de tailler les rosiers à la fin de l'hiver, par temps sec.",
    "La chorale répète tous les mardis dans l'église, les débutants sont les bienvenus.",
    "Cet ordinateur portable est garanti deux ans, pièces et main-d'œuvre.",
    "Le maître-nageur rappelle que le bonnet est obligatoire dans le grand bassin.",
    "Une diététicienne diplômée anime un atelier sur les repas équilibrés à la cantine.",
    "La météo annonce du vent fort sur le littoral et des averses dans l'intérieur des terres.",
    "Nous cherchons un appartement de trois pièces, proche du tramway, avec un balcon.",
    "Le boulanger ferme deux semaines en août et rouvre juste avant la rentrée.",
    "Le cours de gymnastique douce a lieu au gymnase, apportez un tapis et une serviette.",
]
PIECES = [
    PROMISE, *HARMLESS[:6], "Je guéris la fibromyalgie et l'endométriose en trois séances.",
    "Arrêtez vos médicaments !", "Les vaccins sont un poison, on vous cache la vérité.",
    "J'harmonise vos chakras et le karma de votre lignée.", "Le soin quantique reprogramme votre ADN.",
    "Coupez les ponts avec votre famille toxique.", "Plus que 2 places ce soir : 2 500 €.",
    "Thérapeute certifiée, je forme les futurs praticiens.",
    "Jeûne sec de dix jours pour votre enfant autiste.", "Ne remplace pas un avis médical.",
    "« Le corps sait se guérir », dit-elle.", "Attention aux charlatans : signalez à la Miviludes.",
    "On m'a proposé du reiki contre mon cancer, vous en pensez quoi ?", "👩‍👩‍👧‍👦🇫🇷", "👍🏽✨",
    "e\u0301nergie et gue\u0301rison", "l’âme\u00a0: 1\u202f200\u00a0€",
    "gu&eacute;rir l&amp;rsquo;endom&eacute;triose", "<p>Soins <b>doux</b></p>", "<br>", "\u200b", "\u00ad",
    "\u202eenvers\u202c", "06 12 34 56 78", "Écrivez à soin@exemple.example pour tout savoir.",
    "Voir www.exemple.fr pour tout savoir.", "Au 12 rue des Lilas, 75011 Paris.", "RDV le 12 mars 2026.",
    "Infirmière, magnétiseuse.", "\n", "\r\n\r\n", "…", "•", ";", "Healing energy for your soul.",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), min_size=1, max_size=12).flatmap(
    lambda pieces: st.sampled_from([" ", "\n", ""]).map(lambda joint: joint.join(pieces))
)


def modest(examples: int) -> settings:
    """Settings for tests that run the model; the analyser keeps nothing from one text to the next."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def at(analyser: Analyser, text: str, point: OperatingPointName = "balanced") -> Prediction:
    """The prediction of a text at an operating point."""
    return analyser.predict(text, options=Options(point))


def check_nothing_is_said(data: dict[str, Any]) -> None:
    """A text that was not judged has neither risk nor stance, and empty lists."""
    assert data["risk"] is None
    assert data["stance"] is None
    assert all(data[name] == [] for name in ("indicators", "context", "targets", "practices", "entities"))


def check_places(data: dict[str, Any], text: str) -> None:
    """Every place counts code points of the text as sent."""
    places = [*data["context"], *data["practices"], *data["entities"]]
    places += [passage for indicator in data["indicators"] for passage in indicator["evidence"]]
    if data["author"]["start"] is not None:
        places.append(data["author"])
    for place in places:
        assert 0 <= place["start"] < place["end"] <= len(text)
        assert text[place["start"] : place["end"]] == place["text"]


def check_indicators(data: dict[str, Any]) -> None:
    """All twelve, in order; what is present has evidence and what is not has none."""
    assert [indicator["id"] for indicator in data["indicators"]] == list(INDICATOR_IDS)
    for indicator in data["indicators"]:
        assert indicator["label"] == INDICATOR_NAMES[indicator["id"]]
        assert 0 <= indicator["score"] <= 1
        assert indicator["present"] == bool(indicator["evidence"])
        for passage in indicator["evidence"]:
            assert passage["source"] in ("model", "rule")
            assert (passage["rule"] is not None) == (passage["source"] == "rule")
            assert 0 <= passage["score"] <= 1
            assert passage["text"].strip()


def check_judgement(data: dict[str, Any]) -> None:
    """The level follows from this JSON alone; the stance scores sum to one."""
    stance, risk = data["stance"], data["risk"]
    assert set(stance["scores"]) == set(STANCE_IDS)
    assert abs(sum(stance["scores"].values()) - 1) <= 1e-6
    assert all(0 <= score <= 1 for score in stance["scores"].values())
    present = [indicator["id"] for indicator in data["indicators"] if indicator["present"]]
    level = level_of(stance["value"], present, data["targets"])
    assert (risk["level"], risk["reasons"]) == (level.value, list(level.reasons))
    assert risk["label"] == LEVELS[risk["level"]].name
    assert 0 <= risk["score"] <= 1
    if stance["value"] != "promotes":
        assert risk["level"] == 0
        assert present == []


def check_contract(prediction: Prediction, text: str) -> None:
    """What the contract says of any prediction, read from its JSON."""
    data = json.loads(prediction.model_dump_json())
    assert list(data) == KEYS
    assert data["status"] in ("ok", "unsupported_language", "error")
    if data["status"] == "error":
        check_nothing_is_said(data)
        assert data["error"]["code"] in ("empty_text", "too_long", "invalid_text", "timeout")
        assert data["error"]["message"]
        return
    assert data["error"] is None
    assert 0 <= data["language"]["confidence"] <= 1
    if data["status"] == "unsupported_language":
        check_nothing_is_said(data)
        assert data["warnings"]
        return
    check_indicators(data)
    check_judgement(data)
    check_places(data, text)
    assert {cue["kind"] for cue in data["context"]} <= set(CONTEXT_KINDS)
    assert {entity["kind"] for entity in data["entities"]} <= ENTITY_KINDS
    assert data["author"]["status"] in AUTHORS
    assert [name for name in TARGET_IDS if name in data["targets"]] == data["targets"]
    assert "illness" in data["targets"] or "serious_illness" not in data["targets"]


@modest(120)
@given(text=texts, point=st.sampled_from(POINTS))
def test_any_text_gets_a_prediction_that_keeps_the_contract(analyser: Analyser, text: str, point: OperatingPointName) -> None:
    check_contract(at(analyser, text, point), text)


@modest(60)
@given(text=st.text(max_size=80))
def test_any_characters_get_a_prediction_that_keeps_the_contract(analyser: Analyser, text: str) -> None:
    check_contract(at(analyser, text), text)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PROMISE, id="promise"),
        pytest.param(f"👩‍👩‍👧‍👦🇫🇷 {PROMISE}", id="after-emoji"),
        pytest.param(unicodedata.normalize("NFD", PROMISE), id="decomposed"),
        pytest.param(PROMISE.replace(" ", "\u00a0"), id="nbsp"),
        pytest.param(PROMISE.replace("é", "&eacute;").replace("è", "&#232;"), id="entities"),
        pytest.param("<div>" + PROMISE.replace(" ", " <b>", 3) + "</div>", id="tags"),
        pytest.param("\u200b".join(PROMISE), id="zero-width-between-all-letters"),
        pytest.param(PROMISE.upper(), id="capitals"),
    ],
)
def test_a_promise_is_shown_in_the_words_that_were_sent(analyser: Analyser, text: str, point: OperatingPointName) -> None:
    prediction = at(analyser, text, point)
    check_contract(prediction, text)
    assert prediction.present()
    assert prediction.risk is not None
    assert prediction.risk.level == 3


def test_a_promise_reads_the_same_however_it_is_encoded(analyser: Analyser) -> None:
    plain = at(analyser, PROMISE)
    for text in (unicodedata.normalize("NFD", PROMISE), PROMISE.replace("é", "&eacute;"), "\u200b".join(PROMISE)):
        other = at(analyser, text)
        assert [item.score for item in other.indicators] == [item.score for item in plain.indicators]
        assert other.risk == plain.risk


@modest(40)
@given(text=texts)
def test_strict_is_within_balanced_and_balanced_within_triage(analyser: Analyser, text: str) -> None:
    triage, balanced, strict = (at(analyser, text, point) for point in POINTS)
    assert set(triage.present()) >= set(balanced.present()) >= set(strict.present())
    if triage.risk and balanced.risk and strict.risk:
        assert triage.risk.level >= balanced.risk.level >= strict.risk.level
        assert triage.risk.score == balanced.risk.score == strict.risk.score
    assert [item.score for item in triage.indicators] == [item.score for item in strict.indicators]


def test_the_operating_points_go_from_recall_to_precision() -> None:
    assert POINTS == OPERATING_POINTS == ("triage", "balanced", "strict")


@modest(40)
@given(text=texts)
def test_the_levels_used_for_measuring_are_those_of_the_predictions(analyser: Analyser, text: str) -> None:
    predictions = {point: at(analyser, text, point) for point in POINTS}
    if any(found.status != "ok" or [w for w in found.warnings if w.code == "too_short"] for found in predictions.values()):
        return
    assert analyser.levels(text) == {point: found.risk.level for point, found in predictions.items() if found.risk}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("", "empty_text", id="empty"),
        pytest.param(" \n\t\u00a0", "empty_text", id="blank"),
        pytest.param("\u200b\ufeff\u00ad", "empty_text", id="invisible"),
        pytest.param("<p><br/></p>", "empty_text", id="only-tags"),
        pytest.param("<!-- rien -->", "empty_text", id="only-a-comment"),
        pytest.param("&nbsp;&#8203;", "empty_text", id="only-blank-entities"),
        pytest.param("a" * (MAX_CHARACTERS + 1), "too_long", id="too-long"),
        pytest.param("soin \ud800 doux", "invalid_text", id="lone-surrogate"),
        pytest.param("soin\x00doux", "invalid_text", id="nul"),
        pytest.param("\x01\x02\x03\x04soin", "invalid_text", id="binary"),
    ],
)
def test_a_text_that_cannot_be_read_is_answered_with_its_code(analyser: Analyser, text: str, code: str) -> None:
    prediction = analyser.predict(text, id="t-1")
    check_contract(prediction, text)
    assert (prediction.status, prediction.id) == ("error", "t-1")
    assert prediction.error is not None
    assert prediction.error.code == code


def test_the_limit_of_length_is_an_option(analyser: Analyser) -> None:
    prediction = analyser.predict("Bonjour à tous", options=Options(max_characters=5))
    assert prediction.error is not None
    assert prediction.error.code == "too_long"
    assert "5" in prediction.error.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("Stop your chemotherapy, my energy healing cures cancer for ever.", "en", id="english"),
        pytest.param("Deje sus medicamentos, mi terapia cura el cáncer para siempre.", "es", id="spanish"),
        pytest.param("Setzen Sie die Medikamente ab, meine Energie heilt den Krebs für immer.", "de", id="german"),
        pytest.param("أوقف العلاج الكيميائي، طاقتي تشفي السرطان إلى الأبد", "ar", id="arabic"),
    ],
)
def test_a_text_in_another_language_is_not_judged_and_says_so(analyser: Analyser, text: str, code: str) -> None:
    prediction = analyser.predict(text)
    check_contract(prediction, text)
    assert prediction.status == "unsupported_language"
    assert prediction.language is not None
    assert prediction.language.code == code
    assert any(code in warning.message for warning in prediction.warnings)


@pytest.mark.parametrize("text", ["Reiki", "Je guéris", "👍", "Cancer !", "Arrêtez tout", "ok", "45 €", "Guérison garantie"])
@pytest.mark.parametrize("point", POINTS)
def test_a_very_short_text_is_neutral(analyser: Analyser, text: str, point: OperatingPointName) -> None:
    prediction = at(analyser, text, point)
    check_contract(prediction, text)
    assert prediction.stance is not None
    assert prediction.stance.value == "neutral"
    assert prediction.risk is not None
    assert prediction.risk.level == 0
    assert prediction.present() == []
    assert "too_short" in [warning.code for warning in prediction.warnings]


@pytest.mark.parametrize(
    "text",
    [
        "Tout est sur mon site : www.exemple.fr.",
        "Prenez rendez-vous (https://exemple.example/rendez-vous).",
        "Voir exemple.fr/tarifs),",
        "Mon profil @soin.doux.",
        "Appelez le 06.12.34.56.78.",
        "Le 31/02/2026 à 10h",
    ],
)
def test_a_text_that_ends_with_a_link_or_a_number_is_answered(analyser: Analyser, text: str) -> None:
    prediction = analyser.predict(text)
    check_contract(prediction, text)
    assert prediction.status == "ok"


def test_the_same_text_has_the_same_prediction_whatever_came_between(analyser: Analyser) -> None:
    sent = [PROMISE, *HARMLESS[:5], " ".join(HARMLESS)]
    first = [analyser.predict(text).model_dump_json() for text in sent]
    again = [analyser.predict(text).model_dump_json() for text in reversed(sent)][::-1]
    assert first == again


def test_threads_do_not_disturb_each_other(analyser: Analyser) -> None:
    sent = [PROMISE, *HARMLESS[:7]] * 3
    alone = [analyser.predict(text).model_dump_json() for text in sent]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: analyser.predict(text).model_dump_json(), sent)) == alone


def test_a_second_analyser_on_the_same_artefact_says_the_same(analyser: Analyser, artefacts: Path) -> None:
    other = Analyser.load(artefacts, current_name(artefacts))
    for text in (PROMISE, HARMLESS[0]):
        assert other.predict(text) == analyser.predict(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=f"text-{number}") for number, text in enumerate(HARMLESS, start=1)])
def test_a_harmless_text_is_of_level_0_and_stays_there_when_repeated(analyser: Analyser, text: str) -> None:
    alone = analyser.levels(text)
    assert alone["balanced"] == alone["strict"] == 0
    repeated = analyser.levels(" ".join([text] * 30))
    assert all(repeated[point] <= alone[point] for point in POINTS)


@pytest.mark.parametrize("joint", [" ", "\n\n"], ids=["one-paragraph", "paragraphs"])
def test_harmless_texts_joined_do_not_rise_above_the_highest_of_them(analyser: Analyser, joint: str) -> None:
    assert len(set(HARMLESS)) == 25
    alone = [analyser.levels(text) for text in HARMLESS]
    joined = analyser.levels(joint.join(HARMLESS))
    assert all(joined[point] <= max(levels[point] for levels in alone) for point in POINTS)


@pytest.mark.parametrize("where", [0, 12, 25], ids=["first", "middle", "last"])
def test_a_promise_inside_a_long_harmless_page_is_shown_where_it_stands(analyser: Analyser, where: int) -> None:
    page = " ".join([*HARMLESS[:where], PROMISE, *HARMLESS[where:]])
    start = page.index(PROMISE)
    prediction = at(analyser, page, "triage")
    check_contract(prediction, page)
    assert {"miracle_cure", "breaking_with_medicine"} & set(prediction.present())
    for indicator in prediction.indicators:
        if indicator.present and indicator.id in ("miracle_cure", "breaking_with_medicine"):
            assert any(start <= shown.start and shown.end <= start + len(PROMISE) for shown in indicator.evidence)


def test_a_page_of_20000_characters_is_answered_in_time(analyser: Analyser) -> None:
    page = ((" ".join(HARMLESS) + f" {PROMISE} ") * 10)[:MAX_CHARACTERS]
    assert len(page) == MAX_CHARACTERS
    assert quickest(lambda: analyser.predict(page), 5) < 5
    check_contract(analyser.predict(page), page)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Soin " * 4_000, id="words"),
        pytest.param("1 " * 10_000, id="digits"),
        pytest.param("e\u0301" * 10_000, id="accents"),
        pytest.param("soin !" + "!" * 19_000, id="exclamation-marks"),
        pytest.param("=" * 10_000 + " soins " + "=" * 8_000, id="rule-of-signs"),
        pytest.param("Merci " + "👍" * 10_000, id="emoji"),
    ],
)
def test_a_hostile_page_is_answered_in_time(analyser: Analyser, text: str) -> None:
    assert quickest(lambda: analyser.predict(text), 5) < 5
    check_contract(analyser.predict(text), text)


@pytest.mark.parametrize(
    "text", [PROMISE, HARMLESS[0], HARMLESS[14], " ".join(HARMLESS)], ids=["promise", "care", "vaccine", "page"]
)
def test_a_higher_base_rate_raises_the_score_and_leaves_the_rest(analyser: Analyser, text: str) -> None:
    plain = analyser.predict(text)
    assert plain.risk is not None
    found = [analyser.predict(text, options=Options(prior=prior)) for prior in (0.001, 0.01, 0.1, 0.5, 0.9, 0.999)]
    scores = [prediction.risk.score for prediction in found if prediction.risk]
    assert len(scores) == len(found)
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]
    for prediction in found:
        assert prediction.risk is not None
        assert (prediction.risk.level, prediction.risk.reasons) == (plain.risk.level, plain.risk.reasons)
        assert (prediction.stance, prediction.indicators) == (plain.stance, plain.indicators)


def test_the_base_rate_of_the_card_changes_nothing(analyser: Analyser) -> None:
    rate = float(analyser.artefact.manifest["base_rate"])
    plain, same = analyser.predict(PROMISE).risk, analyser.predict(PROMISE, options=Options(prior=rate)).risk
    assert plain is not None
    assert same is not None
    assert same.score == pytest.approx(plain.score, abs=2e-4)


@settings(max_examples=100, deadline=None)
@given(score=st.floats(0, 1), assumed=st.floats(0.01, 0.99), prior=st.floats(0.01, 0.99))
def test_moving_the_base_rate_there_and_back_gives_the_score_again(score: float, assumed: float, prior: float) -> None:
    moved = with_prior(score, assumed, prior)
    assert 0 <= moved <= 1
    assert (moved >= score - 1e-9) if prior >= assumed else (moved <= score + 1e-9)
    assert with_prior(moved, prior, assumed) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_base_rate_outside_0_and_1_is_refused(analyser: Analyser, prior: float) -> None:
    with pytest.raises(ValueError, match="base"):
        analyser.predict("Bonjour à tous", options=Options(prior=prior))


def test_an_unknown_operating_point_is_refused_by_name(analyser: Analyser) -> None:
    options = Options("prudent")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prudent"):
        analyser.predict("Bonjour à tous", options=options)


def test_a_prediction_says_which_text_which_model_and_which_point(analyser: Analyser, artefacts: Path) -> None:
    prediction = analyser.predict(HARMLESS[0], id="annonce-17", options=Options("strict"))
    assert prediction.id == "annonce-17"
    assert prediction.model_version == current_name(artefacts)
    assert prediction.operating_point == "strict"
    assert analyser.predict(HARMLESS[0]).operating_point == "balanced"


def test_a_prediction_survives_its_json(analyser: Analyser) -> None:
    prediction = analyser.predict(PROMISE + " 45 € au 12 rue des Lilas, 06 12 34 56 78.")
    assert Prediction.model_validate_json(prediction.model_dump_json()) == prediction


def test_what_tables_and_entities_say_comes_with_the_prediction(analyser: Analyser) -> None:
    text = (
        "👍 Infirmie\u0300re, magnétiseuse : séance de Reïki à 1\u202f200\u00a0€, le 12 mars 2026. "
        "Ne remplace pas un avis médical."
    )
    prediction = analyser.predict(text)
    check_contract(prediction, text)
    assert prediction.author is not None
    assert (prediction.author.status, prediction.author.text) == ("mixed", "Infirmie\u0300re")
    assert ("reiki", "Reïki") in [(practice.id, practice.text) for practice in prediction.practices]
    assert {"price": "1\u202f200\u00a0€", "date": "12 mars 2026"}.items() <= {
        entity.kind: entity.text for entity in prediction.entities
    }.items()
    assert "disclaimer" in [cue.kind for cue in prediction.context]


def test_french_mixed_with_another_language_is_judged_and_said_to_be_mixed(analyser: Analyser) -> None:
    text = (
        "Bienvenue dans mon cabinet de soins énergétiques à Nantes, venez comme vous êtes. "
        "Welcome to my healing space, where we work with your energy field and your soul. "
        "Feel free to call me any day of the week for a first free session."
    )
    prediction = analyser.predict(text)
    assert prediction.status == "ok"
    assert "mixed_language" in [warning.code for warning in prediction.warnings]


def test_an_analyser_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="vigie train"):
        Analyser.load(tmp_path)
