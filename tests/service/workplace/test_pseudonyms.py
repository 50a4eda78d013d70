"""Pseudonymised exports: one pseudonym for one person under one key, in texts and fields; nothing of the measured set left."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from typer.testing import CliRunner

from model.records import Prediction
from service.cli import app
from service.privacy.pseudonyms import Pseudonyms, pseudonymise
from service.settings import load_settings
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.exports import everything
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import prediction
from tests.service.workplace.test_personal import Measured, measured

KEY = b"une cle de l'operateur, longue et secrete"
TEXT = (
    "Je suis Odile Kermadec, énergéticienne. Je guéris le cancer. Odile vous répond au 06 39 98 12 40, à "
    "o.kermadec@exemple.example ou @odile_lumiere, 12 rue des Tilleuls, 29000 Kerlaouen."
)
SECRETS = ("Odile", "Kermadec", "39 98", "exemple.example", "odile_lumiere", "Tilleuls")


def of(text: str, key: bytes = KEY) -> str:
    return Pseudonyms(key).rewrite(text).text


def test_one_person_is_one_pseudonym_however_they_are_written() -> None:
    found = of(
        "KERMADEC Odile, Mme Odile Kermadec. Contact : +33 6 39 98 12 40, 06.39.98.12.40, contact@a.example, CONTACT@A.EXAMPLE"
    )
    assert len(set(re.findall(r"\[personne-\w+\]", found))) == 1
    assert len(set(re.findall(r"\[téléphone-\w+\]", found))) == 1
    assert len(set(re.findall(r"\[courriel-\w+\]", found))) == 1
    assert len(re.findall(r"\[(?:personne|téléphone|courriel)-", found)) == 6


def test_a_part_of_a_name_is_the_person_of_the_text_who_bears_it() -> None:
    whole, alone = re.findall(r"\[personne-\w+\]", of("Je suis Odile Kermadec. Odile vous répond."))
    assert whole == alone
    whole, alone = re.findall(r"\[personne-\w+\]", of("Léa Fontaine a signé. Mme Fontaine vous répond."))
    assert whole == alone
    first, second, either = re.findall(r"\[personne-\w+\]", of("Odile Kermadec et Odile Tanguy. Odile vous répond."))
    assert len({first, second, either}) == 3, "deux personnes le portent : ce n'est dit d'aucune"


def test_another_key_gives_other_pseudonyms() -> None:
    assert of(TEXT) == of(TEXT)
    ours, theirs = (set(re.findall(r"\[\w[\w ]*-\w+\]", of(TEXT, key))) for key in (KEY, b"une autre cle"))
    assert ours
    assert not ours & theirs


@given(st.text(max_size=60), st.text(alphabet="abc éÉ'.\n", max_size=40))
def test_offsets_follow_the_words(before: str, between: str) -> None:
    """Whatever is around, a part of the text that holds nothing personal is found again at its new place."""
    text = f"{before} Odile Kermadec {between} guérir le cancer"
    rewritten = Pseudonyms(KEY).rewrite(text)
    start = text.rindex("guérir")
    first, last = rewritten.span(start, start + len("guérir"))
    moved = [one for one in rewritten.moves if one[0] < start + 6 and start < one[1]]
    assert moved or rewritten.text[first:last] == "guérir"
    assert rewritten.span(0, len(text)) == (0, len(rewritten.text))


def said() -> Prediction:
    """A prediction with a passage, and a name as the model found it."""
    start = TEXT.index("Je guéris")
    row = prediction("miracle_cure").model_dump(mode="json")
    name = {"kind": "person", "start": 8, "end": 22, "text": "Odile Kermadec"}
    number = {"kind": "phone", "start": 80, "end": 94, "text": TEXT[80:94], "value": {"e164": "+33639981240"}}
    passage = {"start": start, "end": start + 19, "text": "Je guéris le cancer", "source": "model", "score": 0.9}
    for one in row["indicators"]:
        one["evidence"] = [passage] if one["present"] else []
    return Prediction.model_validate(row | {"entities": [name, number]})


@pytest.fixture
def exported(engine: Engine, people: dict[Role, Person]) -> list[dict[str, Any]]:
    """Two texts of one account, decided with a note, as `everything` gives them, pseudonymised."""
    with engine.begin() as connection:
        received = Received(
            TEXT,
            external_id="odile_lumiere/12",
            source="reseau",
            author="@Odile_Lumiere",
            url="https://reseau.example/odile_lumiere/12",
        )
        first = add_item(connection, received).id
        reply = Received("Merci Odile !", source="reseau", author="@client", parent="https://reseau.example/odile_lumiere/12")
        add_item(connection, reply)
        keep_prediction(connection, first, said())
        add_item(connection, Received(TEXT, source="autre", author="Odile Kermadec"))
    mark = Mark(TEXT.index("Je guéris"), TEXT.index("Je guéris") + 19, "miracle_cure")
    note = "Odile Kermadec, déjà vue au 06 39 98 12 40."
    verdict = Verdict(stance="promotes", level=2, targets=(), indicators=(mark,), reason="implied", note=note)
    decide(engine, first, people["analyst"], verdict, said())
    return [pseudonymise(row, Pseudonyms(KEY)) for row in everything(engine)]


def test_texts_fields_notes_and_predictions_name_nobody(exported: list[dict[str, Any]]) -> None:
    written = json.dumps(exported, ensure_ascii=False)
    for secret in (*SECRETS, "+33639981240", "analyst", "@client"):
        assert secret.lower() not in written.lower(), secret


def test_the_account_is_the_same_in_the_field_and_in_the_text(exported: list[dict[str, Any]]) -> None:
    first, reply = exported
    assert first["author"] in first["text"]
    assert first["receptions"][0]["author"] == re.findall(r"\[personne-\w+\]", first["text"])[0]
    assert reply["parent"] == first["url"], "une réponse nomme encore son parent"


def test_passages_are_still_theirs(exported: list[dict[str, Any]]) -> None:
    first = exported[0]
    (passage,) = [one for sign in first["prediction"]["indicators"] for one in sign["evidence"] if sign["present"]]
    assert first["text"][passage["start"] : passage["end"]] == passage["text"] == "Je guéris le cancer"
    (mark,) = first["decisions"][0]["indicators"]
    assert first["text"][mark["start"] : mark["end"]] == "Je guéris le cancer"


@pytest.mark.parametrize("one", measured("seen"), ids=lambda one: one.id)
def test_nothing_personal_of_the_measured_set_is_left(one: Measured) -> None:
    found = of(one.text)
    for kind, start, end in one.spans:
        secret = one.text[start:end]
        if one.text.lower().count(secret.lower()) == 1:
            assert secret.lower() not in found.lower(), (kind, secret)


def test_it_goes_out_by_the_api_and_by_the_page(place: Place) -> None:
    with place.engine.begin() as connection:
        add_item(connection, Received(TEXT, source="reseau", author="@odile_lumiere"))
    administrator = place.visitor("administrator")
    plain = administrator.get("/v1/export").text
    hidden = administrator.get("/v1/export?pseudonymise=1")
    assert hidden.status_code == 200
    for secret in SECRETS:
        assert secret in plain
        assert secret not in hidden.text
    assert administrator.get("/v1/export?pseudonymise=peut-etre").status_code == 422
    page = administrator.get("/export").text
    assert "pseudonymisé" in page
    asked = administrator.post("/export", {"format": "csv", "file": "tout=1", "pseudonymise": "1"})
    assert asked.status_code == 303


def test_it_goes_out_by_the_command_under_the_operator_s_key(
    base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with base.begin() as connection:
        add_item(connection, Received(TEXT, source="reseau", author="@odile_lumiere"))
    monkeypatch.setenv("VIGIE_DATABASE_URL", base.url.render_as_string(hide_password=False))
    found: list[str] = []
    for key in ("une cle", "une cle", "une autre", None):
        if key is None:
            monkeypatch.delenv("VIGIE_PSEUDONYM_KEY")
        else:
            monkeypatch.setenv("VIGIE_PSEUDONYM_KEY", key)
        load_settings.cache_clear()
        target = tmp_path / f"{len(found)}.jsonl"
        try:
            result = CliRunner().invoke(app, ["review", "export", "--pseudonymise", "-o", str(target)])
        finally:
            load_settings.cache_clear()
        assert result.exit_code == 0, result.output
        found.append(json.loads(target.read_text("utf-8"))["text"])
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert not any(secret in text for text in found for secret in SECRETS)
