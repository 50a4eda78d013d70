"""French is judged however it is written; another language is named and left alone; doubt is in favour of the text."""

from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.language import LanguageGuess, guess_language
from model.text import clean, sentences


def guess(raw: str) -> LanguageGuess:
    """The language of a raw text, as the analyser asks for it."""
    text = clean(raw).text
    return guess_language(text, [text[unit.start : unit.end] for unit in sentences(text)])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Je propose des séances de réflexologie dans mon cabinet, du lundi au vendredi.", id="plain"),
        pytest.param("Bonjour à tous", id="greeting"),
        pytest.param("Séance offerte", id="two-words"),
        pytest.param("Merci", id="one-word"),
        pytest.param("Soin énergétique Lyon", id="classified"),
        pytest.param("Yoga nidra ce soir 19h", id="short-with-loan-words"),
        pytest.param("#reiki #magnetisme #soin", id="hashtags"),
        pytest.param("😭😭 trop bien", id="emoji-and-words"),
        pytest.param("bjr g mal o do dpui 2 moi, ki conai 1 bon osteo sur lyon svp", id="sms"),
        pytest.param("jveu pa prendr ce medoc c du poizon, jt di arret tt", id="sms-angry"),
        pytest.param("slt cv? jsui malad jpp tu conè 1 bon magnetizeur pr mon mal de do stp mdr", id="sms-dense"),
        pytest.param("Mi aim pa prann sa bann médikaman-la, mi préfèr tizan gramoun, lé bon pou lo kor", id="reunion-creole"),
        pytest.param("Man ka fè massage épi lwil koko, i bon pou kò-w, sa ka soulajé doulè-w", id="antilles-creole"),
        pytest.param("Manman té ka di : prend un bon thé pou la fièv, pa besoin docteur pou ça", id="tinged-with-creole"),
        pytest.param("ARRÊTEZ TOUT TRAITEMENT, LE CORPS SAIT SE GUÉRIR SEUL, FAITES-MOI CONFIANCE", id="capitals"),
        pytest.param("ARRETEZ LES MEDICAMENTS", id="capitals-without-accents"),
        pytest.param("je reve de faire un stage de meditation cet ete avec ma soeur", id="no-accents"),
        pytest.param("la se\u0301ance de\u0301marre a\u0300 dix-neuf heures chez He\u0301le\u0300ne", id="decomposed"),
        pytest.param(
            "Séances sur rendez&#8209;vous, &agrave; c&ocirc;t&eacute; de la mairie, toute l&rsquo;ann&eacute;e", id="entities"
        ),
    ],
)
def test_french_is_judged(text: str) -> None:
    found = guess(text)
    assert found.supported
    assert found.code == "fr"
    assert 0 <= found.confidence <= 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("Welcome to my healing room, where energy work will clear your body of all toxins.", "en", id="english"),
        pytest.param("Hello my friends, how are you today", "en", id="short-english"),
        pytest.param("Bienvenido a mi consulta, ofrezco sesiones para curar la depresión sin medicamentos.", "es", id="spanish"),
        pytest.param("Benvenuti nel mio studio, offro trattamenti per guarire il corpo e la mente.", "it", id="italian"),
        pytest.param("Willkommen in meiner Praxis, ich biete Behandlungen für Körper und Seele an.", "de", id="german"),
        pytest.param("Welkom in mijn praktijk, ik behandel u zonder medicijnen en met veel liefde.", "nl", id="dutch"),
        pytest.param("مرحبا بكم في عيادتي، أقدم جلسات علاج بالطاقة تشفي الجسم والروح بدون أدوية.", "ar", id="arabic"),
        pytest.param("مرحبا", "ar", id="one-arabic-word"),
        pytest.param("Привет друзья, как дела сегодня вечером", "ru", id="russian"),
    ],
)
def test_another_language_is_named_and_not_judged(text: str, code: str) -> None:
    found = guess(text)
    assert not found.supported
    assert found.code == code
    assert found.confidence > 0.5


@pytest.mark.parametrize("code", ["ca", "de", "en", "es", "it", "nl", "pl", "pt", "ro", "tr", "vi"])
def test_sentences_of_another_language_are_told_from_french(code: str) -> None:
    text = " ".join(import_module(f"spacy.lang.{code}.examples").sentences)
    assert (guess(text).code, guess(text).supported) == (code, False)


def test_a_french_page_with_foreign_sentences_is_mixed() -> None:
    french = "Je vous reçois dans mon cabinet, sur rendez-vous, du lundi au vendredi. "
    foreign = "Welcome to my healing room, where energy work will clear your body of all toxins. "
    assert guess(french * 4).mixed is False
    found = guess(french + foreign + french + foreign)
    assert (found.code, found.supported, found.mixed) == ("fr", True, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("👍👍🙏✨", id="emoji"),
        pytest.param("1234 5678 2026", id="digits"),
        pytest.param("+33 6 12 34 56 78", id="phone"),
        pytest.param("!!! ???", id="marks"),
    ],
)
def test_a_text_without_words_is_of_no_language_and_is_judged(text: str) -> None:
    assert guess(text) == LanguageGuess("und", 0.0, supported=True)


@pytest.mark.parametrize("text", ["https://exemple.example/offre?id=12", "www.exemple.fr", "http://soin-doux.example"])
def test_a_link_alone_is_not_taken_for_a_foreign_language(text: str) -> None:
    assert guess(text).supported


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "Bienvenue dans mon cabinet de soins énergétiques à Nantes, venez comme vous êtes. "
            "Welcome to my healing space, where we work with your energy field and your soul. "
            "Feel free to call me any day of the week for a first free session.",
            id="french-first",
        ),
        pytest.param(
            "Welcome to my healing space, where we work with your energy field and your soul. "
            "Feel free to call me any day of the week for a first free session. "
            "Bienvenue dans mon cabinet de soins énergétiques à Nantes, venez comme vous êtes.",
            id="english-first",
        ),
    ],
)
def test_a_text_half_french_is_judged_and_said_to_be_mixed(text: str) -> None:
    found = guess(text)
    assert found.supported
    assert found.code == "fr"
    assert found.mixed


def test_a_foreign_word_here_and_there_makes_no_mixed_text() -> None:
    found = guess("Mon coaching du week-end vous attend au cabinet, à deux pas de la gare, sur rendez-vous.")
    assert (found.code, found.supported, found.mixed) == ("fr", True, False)


def test_the_same_text_has_the_same_language_twice() -> None:
    text = "Séance découverte offerte, healing and love, ce samedi."
    assert guess(text) == guess(text)


FRENCH = "Je propose des séances de réflexologie dans mon cabinet, du lundi au vendredi."
ENGLISH = "Welcome to my healing room, where energy work will clear your body of all toxins."
UNITS = [FRENCH, FRENCH.replace("lundi", "mardi"), "Bienvenue à toutes et à tous.", ENGLISH, ENGLISH.replace("work", "care")]


@settings(deadline=None)
@given(st.lists(st.sampled_from(UNITS), max_size=9))
def test_a_text_is_mixed_when_two_of_its_six_outer_sentences_are_foreign(units: list[str]) -> None:
    text = FRENCH * 9
    long_units = [unit for unit in units if len(unit.split()) >= 8]
    foreign = sum("healing" in unit for unit in long_units[:3] + long_units[-3:])
    assert guess_language(text, units).mixed == (foreign > 1)
