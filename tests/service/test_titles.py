"""Practices beside a title of the author's: named wherever a prediction is shown, as something to check."""

import html

import httpx
from markupsafe import escape
from rich.console import Console

from model.records import Prediction
from service.terminal import explained
from service.titles import BESIDE, NOT_ADMITTED, beside_of, title_of
from tests.service.directions.test_routing import read

TEXT = "Infirmière, je propose le reiki contre la douleur."


def said(*beside: str, title: str | None = "infirmier") -> Prediction:
    """A prediction whose author shows a title at the beginning of TEXT."""
    found = read(status="regulated", titles=[("infirmier", "Infirmière", 0)], beside=beside)
    assert found.author
    return found.model_copy(update={"author": found.author.model_copy(update={"title": title})})


def shown(prediction: Prediction) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        for part in explained(TEXT, prediction):
            console.print(part)
    return captured.get()


def test_identifiers_are_names_for_people_and_unknown_ones_stand_for_themselves() -> None:
    prediction = said("reiki", "reiki", "d-une-autre-table")
    assert [one.name for one in beside_of(prediction)] == ["Reiki", "d-une-autre-table"]
    assert title_of(prediction) == "Infirmier"
    assert title_of(said(title=None)) == title_of(said(title="plus-la")) == ""
    assert beside_of(prediction.model_copy(update={"author": None})) == ()


def test_the_terminal_says_what_stands_beside_a_title() -> None:
    assert f"{BESIDE} : Reiki ({NOT_ADMITTED})." in shown(said("reiki"))
    assert BESIDE not in shown(said())


def test_who_only_answers_a_question_offers_nothing() -> None:
    """A dietitian who advises against a fast names it beside her title: nothing is said of it, unless a person sees an offer."""
    answer = said("reiki").model_copy(update={"stance": read(stance="neutral").stance})
    assert beside_of(answer) == ()
    assert BESIDE not in shown(answer)
    assert [one.id for one in beside_of(answer, promotes=True)] == ["reiki"]


def test_nothing_of_the_sort_is_called_proof() -> None:
    """The words ask for a check and accuse nobody."""
    words = f"{BESIDE} {NOT_ADMITTED}".lower()
    assert "à vérifier" in words
    assert not any(one in words for one in ("illégal", "usurp", "coupable", "charlatan"))


def test_the_public_page_and_the_command_show_a_nurse_s_reiki(client: httpx.Client) -> None:
    """With the model that serves: the practice, linked to its sheet, after the title that it stands beside."""
    offer = (
        "Infirmière diplômée d'État, je propose des séances de reiki à domicile qui guérissent la fibromyalgie, 60 € la séance."
    )
    page = client.post("/", data={"text": offer}).text
    assert "profession de santé réglementée, Infirmier («\u00a0Infirmière diplômée d'État\u00a0»)" in html.unescape(page)
    shown_so = (
        f'<dt>{escape(BESIDE)}</dt><dd><a href="/pratiques/reiki">Reiki</a> <span class="hint">({escape(NOT_ADMITTED)})</span>'
    )
    assert shown_so in page
    calm = client.post("/", data={"text": "Infirmière diplômée d'État, soins à domicile sur prescription."}).text
    assert escape(BESIDE) not in calm
