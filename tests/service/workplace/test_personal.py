"""Personal data found in texts: measured on texts written for it, half of which nobody looked at while the finder was made."""

import json
import logging
import logging.config
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.journaling import logging_settings
from service.privacy.lexicon import lexicon
from service.privacy.personal import KIND_NAMES, find_personal, personal_with
from service.workplace.masking import hide
from tests.timing import growth

FOLDER = Path(__file__).resolve().parents[2] / "data" / "privacy"
#: Kinds of the finder that the measured set has under one name.
SAME = {"siret": "registration", "rpps": "registration", "adeli": "registration"} | dict.fromkeys(
    ("nir", "iban", "card", "birth"), "number"
)


@dataclass(frozen=True)
class Measured:
    """A text of the measured set: kind, start and end of what is personal in it."""

    id: str
    text: str
    spans: tuple[tuple[str, int, int], ...]


def measured(half: str) -> list[Measured]:
    """The texts of a half, `seen` or `unseen`."""
    rows = [json.loads(line) for line in (FOLDER / f"{half}.jsonl").read_text("utf-8").splitlines()]
    spans = [tuple((span["kind"], span["start"], span["end"]) for span in row["spans"]) for row in rows]
    return [Measured(row["id"], row["text"], found) for row, found in zip(rows, spans, strict=True)]


def letters(text: str, start: int, end: int) -> Iterator[int]:
    return (place for place in range(start, end) if text[place].isalnum())


@dataclass
class Figures:
    """What was found: parts wholly covered of those that are personal, and of those that were found half of which is."""

    wanted: Counter[str]
    covered: Counter[str]
    found: Counter[str]
    right: Counter[str]

    def recall(self, kind: str | None = None) -> float:
        return self.covered[kind] / self.wanted[kind] if kind else self.covered.total() / self.wanted.total()

    def precision(self) -> float:
        return self.right.total() / self.found.total()


def figures(half: str) -> Figures:
    """The figures of a half."""
    counted = Figures(Counter(), Counter(), Counter(), Counter())
    for one in measured(half):
        found = find_personal(one.text)
        masked = {place for part in found for place in range(part.start, part.end)}
        personal = {place for _, start, end in one.spans for place in range(start, end)}
        for kind, start, end in one.spans:
            counted.wanted[kind] += 1
            counted.covered[kind] += all(place in masked for place in letters(one.text, start, end))
        for part in found:
            places = list(letters(one.text, part.start, part.end))
            counted.found[SAME.get(part.kind, part.kind)] += 1
            counted.right[SAME.get(part.kind, part.kind)] += 2 * sum(place in personal for place in places) >= len(places)
    return counted


def test_the_set_is_well_made() -> None:
    every = [*measured("seen"), *measured("unseen")]
    assert len(every) >= 190
    assert len({one.text for one in every}) == len({one.id for one in every}) == len(every)
    assert sum(not one.spans for one in every) >= 30, "des textes sans rien de personnel, pièges compris"
    for one in every:
        for kind, start, end in one.spans:
            assert kind in {*KIND_NAMES, "number"}
            assert 0 <= start < end <= len(one.text)
            assert one.text[start:end].strip() == one.text[start:end]


@pytest.mark.parametrize(("half", "recall", "precision"), [("seen", 0.98, 0.95), ("unseen", 0.95, 0.90)])
def test_recall_and_precision_hold(half: str, recall: float, precision: float) -> None:
    counted = figures(half)
    assert counted.recall() >= recall
    assert counted.precision() >= precision
    for kind in counted.wanted:
        assert counted.recall(kind) >= 0.75, kind


#: How the page of documentation calls each kind.
NAMES = {
    "person": "noms",
    "phone": "téléphones",
    "email": "courriels",
    "url": "adresses en ligne",
    "handle": "comptes",
    "address": "adresses postales",
    "registration": "SIRET, RPPS, ADELI",
    "number": "sécurité sociale, IBAN, carte, naissance",
}


def table() -> str:
    """The figures as the page of documentation shows them."""
    seen, unseen = figures("seen"), figures("unseen")
    lines = [
        "| | retrouvés, textes de mise au point | retrouvés, textes jamais vus | justes, textes jamais vus |",
        "| --- | --- | --- | --- |",
    ]
    for kind, name in NAMES.items():
        cells = [f"{half.covered[kind]} sur {half.wanted[kind]}" for half in (seen, unseen)]
        lines.append(f"| {name} | {' | '.join(cells)} | {unseen.right[kind]} sur {unseen.found[kind]} |")
    found = [f"{half.covered.total()} sur {half.wanted.total()} ({100 * half.recall():.1f} %)" for half in (seen, unseen)]
    right = f"{unseen.right.total()} sur {unseen.found.total()} ({100 * unseen.precision():.1f} %)"
    return "\n".join([*lines, f"| **tout** | {' | '.join(found)} | {right} |"]).replace(".", ",")


def test_the_documentation_says_these_figures() -> None:
    page = (FOLDER.parents[2] / "docs" / "vie-privee.md").read_text("utf-8")
    assert table() in page, f"docs/vie-privee.md doit dire :\n{table()}"


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("Demandez corinne au 0 6 3 9 9 8 5 5 1 2", ["corinne", "0 6 3"], ["Demandez"]),
        ("vu avec mme lartigue, rue haute", ["lartigue"], ["mme", "rue haute"]),
        ("STAGE AVEC SYLVIE MOREL LE 5 JUIN", ["SYLVIE MOREL"], ["STAGE", "5 JUIN"]),
        ("Bien à vous,\nÉlodie", ["Élodie"], ["Bien à vous"]),
        ("LE GOFF Anne, sage-femme", ["LE GOFF Anne"], ["sage-femme"]),
        ("elle habite rue du Moulin à Carvigny", ["rue du Moulin à Carvigny"], ["elle habite"]),
        ("Écrire BP 12, 63000 Clairmont", ["BP 12", "63000 Clairmont"], ["Écrire"]),
        ("isa(at)chemin-de-vie(dot)example", ["isa"], []),
        ("RPPS : 10007654321", ["10007654321"], ["RPPS"]),
        ("Fleurs de Bach, feu de la Saint-Jean, lycée Marie-Curie, à Noël", [], ["Bach", "Saint-Jean", "Marie-Curie", "Noël"]),
        ("RDV le 05/06/2026 12:30, 10 séances 450 €", [], ["05/06/2026 12:30", "10 séances 450 €"]),
        ("un olivier, des roses, la victoire", [], ["olivier", "roses", "victoire"]),
    ],
)
def test_what_is_hidden_and_what_stays(text: str, secrets: list[str], shown: list[str]) -> None:
    hidden = hide(text, masked=True)
    assert len(hidden) == len(text)
    for secret in secrets:
        assert not any(
            text[place] == hidden[place] for place in letters(text, text.index(secret), text.index(secret) + len(secret))
        )
    for word in shown:
        assert word in hidden


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Léa Fontaine a arrêté ses soins. Mme Fontaine va mal.", ["Léa Fontaine", "Fontaine"]),
        ("Mme Petit et M. Blanc témoignent.", ["Petit", "Blanc"]),
        ("Mme Marchand, Mme Roy, M. Roche, M. Brun, M. Rose", ["Marchand", "Roy", "Roche", "Brun", "Rose"]),
        ("M. et Mme Petit, Mr PETIT, M.Blanc, monsieur Blanc", ["Petit", "PETIT", "Blanc", "Blanc"]),
        ("MME PETIT VOUS REÇOIT", ["PETIT"]),
        ("Mme A. Petit, Me Roche, Mme de la Tour, M. Le Petit", ["A. Petit", "Roche", "de la Tour", "Le Petit"]),
        ("Madame Irma lit les lignes", ["Irma"]),
        ("Madame la Maire, M. le Président, Monsieur Le Préfet, MADAME LA MAIRE", []),
        ("Madame, Monsieur, bonjour. Merci Madame Bonne journée. Monsieur Propre", []),
        ("Mon docteur. Participation libre. Le vieux monsieur de Lyon.", []),
        ("Il Me Faut du repos ; rue du Docteur Blanc ; le Dr Bach", []),
    ],
)
def test_a_civility_says_that_an_ordinary_word_is_a_name(text: str, names: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_personal(text) if one.kind == "person"] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Six soins avec Thierry et je revis.", ["Thierry"]),
        ("Demandez Patrick ou Claude.", ["Patrick", "Claude"]),
        ("Voyance au Marc de café, gel d'Aloe Vera, cactus San Pedro", []),
    ],
)
def test_a_first_name_in_the_name_of_a_practice_is_still_a_first_name(text: str, names: list[str]) -> None:
    assert [text[one.start : one.end] for one in find_personal(text) if one.kind == "person"] == names


@given(st.text(max_size=300))
def test_whatever_is_written_is_read(text: str) -> None:
    last = 0
    for one in find_personal(text):
        assert one.kind in KIND_NAMES
        assert last <= one.start < one.end <= len(text)
        last = one.end


@given(st.data())
def test_the_beginning_of_a_text_is_read_with_what_is_said_of_the_whole(data: st.DataObject) -> None:
    text = "Demandez Corinne au cabinet, ou écrivez à lou@exemple.example. Le soin dure une heure, dit Jean-Hugues Delcambrel."
    told = [
        (kind, text.index(name), text.index(name) + len(name))
        for kind, name in (("email", "lou@exemple.example"), ("person", "Jean-Hugues Delcambrel"), ("person", "Corinne"))
    ]
    cut = data.draw(st.integers(0, len(text)))
    found = personal_with(text[:cut], told, full=True)
    assert all(0 <= one.start < one.end <= cut for one in found)
    for _, start, end in told:  # what is cut in its middle is hidden too
        assert start >= cut or any(one.start <= start and min(end, cut) <= one.end for one in found), text[:cut]


def test_words_and_names_of_the_list_are_apart() -> None:
    lists = lexicon()
    assert lists.plain
    assert not lists.plain & lists.words
    assert not lists.plain & lists.frequent


@pytest.mark.parametrize(
    "piece",
    [
        "Marie ",
        "06 ",
        "12 rue ",
        "a@",
        "M. ",
        "rue du Moulin ",
        "A. B. ",
        "Mme Petit ",
        "M. Marc de ",
        "(at) ",
        "LE GOFF ",
        "habite ",
    ],
)
def test_it_takes_a_time_in_proportion_to_the_text(piece: str) -> None:
    """Twice the text, about twice the time: no pattern goes back and forth."""

    turn = count()
    short, long = 4_000 // len(piece), 16_000 // len(piece)
    assert growth(lambda times: find_personal(f"{piece * times}{next(turn)}"), short, long, limit=12, spare=0.2) < 12


def test_lines_of_the_service_s_journal_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """A second guard: no line is meant to quote a text; the address of the first account is told as it is."""
    link = "http://127.0.0.1:8000/premier-compte?jeton=abc"
    chosen = logging_settings("json", "info")
    chosen["loggers"] = {"vigie.essai": {"handlers": ["lines"], "level": "INFO", "propagate": False}}
    logging.config.dictConfig(chosen)
    logging.getLogger("vigie.essai").warning("Refusé : lou@ange.example, %s, @lou_ange ; %s", "06 39 98 12 40", link)
    line = json.loads(capsys.readouterr().err)
    assert link in line["message"]
    for secret in ("lou", "ange", "39 98"):
        assert secret not in line["message"]
