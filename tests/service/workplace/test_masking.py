"""Personal data is hidden from who asked for it, wherever it is written, at the same places."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from model.records import Prediction
from service.workplace.filters import Filter
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.masking import hidden_text, hide
from service.workplace.people import Person, Role, find_person, set_masks
from service.workplace.private import beginning
from service.workplace.queue import page_of
from tests.service.workplace.made import prediction

TEXT = "Avec Marie Dupont, reiki à Pau. 06 12 34 56 78, lou@exemple.example, @lou_ange, https://lou.example/rdv"


def said() -> Prediction:
    """A prediction that found the name of a person."""
    start = TEXT.index("Marie Dupont")
    name = {"kind": "person", "start": start, "end": start + 12, "text": "Marie Dupont"}
    return Prediction.model_validate(prediction().model_dump(mode="json") | {"entities": [name]})


@pytest.mark.parametrize(
    "secret",
    ["06 12 34 56 78", "+33 6 12 34 56 78", "0612345678", "a.b@c-d.example", "@lou_ange", "www.lou.example/x", "https://x.fr"],
)
def test_ways_to_reach_people_are_hidden_by_their_form(secret: str) -> None:
    written = f"Dit à {secret} le 12/03/2026 pour 1 200 €."
    shown = hide(written, masked=True)
    assert secret not in shown
    assert len(shown) == len(written)
    assert shown.endswith("le 12/03/2026 pour 1 200 €.")
    assert hide(written, masked=False) == written


def test_notes_hide_the_names_of_their_text() -> None:
    assert hide("Vu marie dupont hier, Pau", masked=True, known={"Marie Dupont"}) == "Vu ■■■■■■■■■■■■ hier, Pau"
    assert hide(None, masked=True) == ""


def test_texts_keep_their_places() -> None:
    shown = beginning(TEXT, said(), 1_000, masked=True)
    assert len(shown) == len(TEXT)
    for secret in ("Marie", "06 12", "lou"):
        assert secret not in shown
    assert "reiki à Pau" in shown
    assert beginning(TEXT, said(), 1_000, masked=False) == TEXT
    for size in range(len(TEXT)):
        assert beginning(TEXT, said(), size, masked=True) == shown[:size]


def test_the_setting_is_kept_with_the_person_and_holds_in_lists(engine: Engine, people: dict[Role, Person]) -> None:
    with engine.begin() as connection:
        id = add_item(connection, Received(TEXT)).id
        keep_prediction(connection, id, said())
        unread = add_item(connection, Received(TEXT + " bis")).id
    analyst = people["analyst"]
    set_masks(engine, analyst, masks=True)
    found = find_person(engine, analyst.id)
    assert found == replace(analyst, masks=True)
    assert find_person(engine, people["reviewer"].id) == people["reviewer"]
    with engine.connect() as connection:
        rows = page_of(connection, Filter(), found).rows
        extracts = {row.id: "".join(piece.text for piece in row.extract) for row in rows}
        assert "Marie" not in extracts[id]
        for extract in extracts.values():
            assert "lou" not in extract
        assert set(extracts) == {id, unread}
        assert "Marie" not in hidden_text(connection, id, TEXT, found)
        assert hidden_text(connection, id, TEXT, people["reviewer"]) == TEXT
    set_masks(engine, analyst, masks=False)
    assert find_person(engine, analyst.id) == analyst
