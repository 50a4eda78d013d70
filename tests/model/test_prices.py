"""Whatever the usual way an amount is written, it is read back; ranges, instalments and what is paid are told."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.numerals import number_of
from model.prices import find_prices
from model.text import clean
from tests.timing import quickest

UNITS = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize", "quatorze",
    "quinze", "seize",
]  # fmt: skip
TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 8: "quatre-vingt"}


def in_words(number: int) -> str:
    """A number from 0 to 999,999 in words, by the spelling of 1990 but for hyphens around hundreds."""
    if number >= 1000:
        head = "mille" if number < 2000 else f"{in_words(number // 1000)} mille"
        return head if number % 1000 == 0 else f"{head} {in_words(number % 1000)}"
    if number >= 100:
        rest = number % 100
        head = "cent" if number < 200 else f"{UNITS[number // 100]} cent{'s' if not rest else ''}"
        return head if not rest else f"{head} {in_words(rest)}"
    if number < 17:
        return UNITS[number]
    if number < 20:
        return f"dix-{UNITS[number - 10]}"
    tens, rest = divmod(number, 10)
    if tens in (7, 9):
        tens, rest = tens - 1, rest + 10
    link = " et " if rest in (1, 11) and tens != 8 else "-"
    return TENS[tens] + ("s" if number == 80 else "") if not rest else f"{TENS[tens]}{link}{in_words(rest)}"


def values(text: str) -> list[dict[str, Any]]:
    """The values of the prices of a text, as plain dictionaries."""
    return [dict(price.value or {}) for price in find_prices(clean(text).text)]


def amounts(text: str) -> list[float]:
    """The amounts of the prices of a text."""
    return [value["amount"] for value in values(text)]


def grouped(number: int, mark: str) -> str:
    """A whole number with a mark between thousands."""
    return f"{number:,}".replace(",", mark)


@given(st.integers(min_value=0, max_value=999_999))
def test_a_number_in_words_is_read_back(number: int) -> None:
    words = in_words(number).replace("zéro", "zero").replace("-", " ").split()
    assert number_of(words) == number
    assert amounts(f"Le tout pour {in_words(number)} euros, payable sur place.") == [number]


@given(
    whole=st.integers(min_value=0, max_value=999_999),
    cents=st.one_of(st.none(), st.integers(min_value=1, max_value=99)),
    mark=st.sampled_from(["", " ", "\u00a0", "\u202f", "."]),
    sign=st.sampled_from(["€", " €", "\u00a0€", " euros", " EUR", "euros", " Euros TTC"]),
    point=st.sampled_from([",", "."]),
    around=st.sampled_from([("Tarif : ", "."), ("à ", " la séance"), ("", ""), ("(", ")"), ("Séance 1h : ", "\n")]),
)
def test_an_amount_in_digits_is_read_back(
    whole: int, cents: int | None, mark: str, sign: str, point: str, around: tuple[str, str]
) -> None:
    if mark == "." and point == "." and cents is not None:
        point = ","
    written = grouped(whole, mark) + ("" if cents is None else f"{point}{cents:02d}") + sign
    assert amounts(around[0] + written + around[1]) == [pytest.approx(whole + (cents or 0) / 100)]


@given(
    low=st.integers(1, 900),
    more=st.integers(1, 900),
    form=st.sampled_from(["de {} à {} €", "entre {} et {} €", "{}-{} €", "{}/{}€"]),
)
def test_a_range_gives_both_ends(low: int, more: int, form: str) -> None:
    found = values("Compter " + form.format(low, low + more) + " environ")
    assert found == [{"amount": low, "to": low + more, "currency": "EUR"}]


@given(
    count=st.integers(2, 24),
    each=st.integers(1, 3000),
    form=st.sampled_from(["{} x {} €", "{}x{}€", "en {} fois {} €", "{} mensualités de {} €", "{} versements de {} euros"]),
)
def test_instalments_give_their_count_and_total(count: int, each: int, form: str) -> None:
    (found,) = values("Paiement " + form.format(count, each))
    assert (found["amount"], found["instalments"], found["total"]) == (each, count, count * each)


@given(
    units=st.integers(min_value=2, max_value=24),
    each=st.integers(min_value=10, max_value=150),
    form=st.sampled_from(
        ["{} séances : {} €", "Carte de {} cours de yoga, {} €", "forfait {} soins à {} euros", "({} massages = {}€)"]
    ),
)
def test_an_amount_for_several_sessions_says_how_many(units: int, each: int, form: str) -> None:
    (value,) = values(form.format(units, units * each))
    assert (value["amount"], value["per"], value["units"]) == (units * each, "programme", units)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150 € par mois pendant 6 mois", {"amount": 150, "per": "month", "instalments": 6, "total": 900}),
        ("450 € en 3 fois sans frais", {"amount": 450, "instalments": 3, "total": 450}),
        ("trois versements de 90 €", {"amount": 90, "instalments": 3, "total": 270}),
        ("La séance : 60 €", {"amount": 60, "per": "session"}),
        ("60 € de l'heure", {"amount": 60, "per": "hour"}),
        ("programme complet à 1 997 €", {"amount": 1997, "per": "programme"}),
        ("Formation certifiante, 2 400 euros", {"amount": 2400, "per": "training"}),
        ("19,99€/mois", {"amount": 19.99, "per": "month"}),
        ("10 séances 500 €", {"amount": 500, "per": "programme", "units": 10}),
        ("Suivi complet (5 séances : 350 €)", {"amount": 350, "per": "programme", "units": 5}),
        ("Cure de trois soins énergétiques à 210 €", {"amount": 210, "per": "programme", "units": 3}),
        ("carte de 10 cours de yoga 110 €", {"amount": 110, "per": "programme", "units": 10}),
        ("1 séance : 60 €", {"amount": 60, "per": "session"}),
        ("70 € les 3 séances", {"amount": 70}),
        ("150 euros HT/mois pendant un an", {"amount": 150, "per": "month", "instalments": 12, "total": 1800}),
        ("39 euros mensuels", {"amount": 39, "per": "month"}),
        ("Tarif dégressif : 60 / 50 / 40 €", {"amount": 40, "to": 60}),
        ("entre deux cents et trois cents euros par mois", {"amount": 200, "to": 300, "per": "month"}),
        ("entre 60 et 80 € la séance", {"amount": 60, "to": 80, "per": "session"}),
        ("Huile de massage, 9 € la tisane", {"amount": 9}),
        ("12,50 € l'huile", {"amount": 12.5}),
        ("80 euros l'heure et demie", {"amount": 80}),
        ("45e la séance", {"amount": 45, "per": "session"}),
        ("997 € au lieu", {"amount": 997}),
        ("au lieu de 997 €", {"amount": 997, "instead": True}),
        ("prix barré : 120 €", {"amount": 120, "instead": True}),
        ("Consultation 80.-", {"amount": 80, "currency": "CHF", "per": "session"}),
        ("Le soin : 70 frs", {"amount": 70, "currency": "CHF", "per": "session"}),
        ("120 $ CAN la séance", {"amount": 120, "currency": "CAD", "per": "session"}),
        ("15 000 FCFA la consultation", {"amount": 15000, "currency": "XOF", "per": "session"}),
        ("45 euros 50 la séance", {"amount": 45.5, "per": "session"}),
        ("45 euros et 50 centimes", {"amount": 45.5}),
        ("45 € 60 min", {"amount": 45}),
        ("stage à 2,5 k€", {"amount": 2500, "per": "workshop"}),
        ("Première séance gratuite", {"amount": 0, "free": True}),
        ("participation libre et consciente", {"amount": 0, "choice": True}),
    ],
)
def test_what_a_price_pays_is_told(text: str, expected: dict[str, Any]) -> None:
    assert values(text) == [{"currency": "EUR", **expected}]


@pytest.mark.parametrize(
    "text",
    [
        "ce n'est pas gratuit",
        "45 minutes",
        "Depuis 2026",
        "dix vingt euros",
        "deux fois par mois",
        "un jour",
        "le 75e arrondissement",
        "au 20e siècle, la séance",
        "pour la 45e séance",
        "chapitre 12.-suite",
        "un chiffre d'affaires de 80. La suite",
    ],
)
def test_these_are_no_prices(text: str) -> None:
    assert values(text) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["12", "€", " ", "x", "3", "cent", "et", "vingt", "euros", ",", "à", "de", "entre", "mois", "fois", "k"])
    )
)
def test_any_mixture_is_read_inside_its_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert all(0 <= price.span.start < price.span.end <= len(text) for price in find_prices(text))


@pytest.mark.parametrize(
    "piece", ["1 ", "1.000", "cent ", "vingt et ", "3 x ", "entre 5 et ", "€", "12 à ", "séance ", "gratuit "]
)
def test_hostile_texts_are_read_in_linear_time(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    assert quickest(lambda: list(find_prices(text)), 2) < 2
