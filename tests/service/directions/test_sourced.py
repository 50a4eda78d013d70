"""A danger that nobody is known to state is said to be supposed, and opens no way by itself."""

from model.tables import load_tables
from service.directions.routing import questions, reason_of, recipients
from service.directions.sheets import sheet_of
from service.directions.situations import Known, situation_of
from tests.service.directions.test_routing import ids, read

PUBLIC = [Known(channel="website")]


def test_a_danger_without_a_source_opens_neither_the_prosecutor_nor_pharos() -> None:
    found = situation_of([read(practices=["cryotherapie-hors-medecine"])], known=PUBLIC)
    assert "danger:V" in found.conditions
    assert not {"procureur", "pharos"} & ids(recipients(found))
    assert "provocation-pratiques-dangereuses" not in {one.id for one in questions(found)}


def test_it_is_told_as_supposed_beside_what_opens_a_way() -> None:
    found = situation_of([read("physical_danger", practices=["cryotherapie-hors-medecine"])], known=PUBLIC)
    prosecutor = next(one for one in recipients(found) if one.id == "procureur")
    assert any(
        reason.startswith("Danger supposé par la table de Vigie, sans source, à vérifier") for reason in prosecutor.reasons
    )
    assert not any("les sources disent" in reason for reason in prosecutor.reasons)


def test_a_danger_that_a_source_states_opens_them_still() -> None:
    practices = load_tables().practices
    stated = [one.id for one in practices if "V" in one.danger and (sheet := sheet_of(one.id)) and sheet.statements]
    found = situation_of([read(practices=stated[:1])], known=PUBLIC)
    assert {"procureur", "pharos"} <= ids(recipients(found))
    assert reason_of("danger:V", found).startswith("Pratique nommée dont les sources disent")


def test_a_sheet_says_whether_its_dangers_have_a_source() -> None:
    without, stated = sheet_of("cryotherapie-hors-medecine"), sheet_of("medecine-nouvelle-germanique")
    assert without is not None
    assert stated is not None
    assert (without.sourced, stated.sourced) == (False, True)


def test_two_texts_never_say_of_an_author_both_a_title_and_none() -> None:
    titled = read("miracle_cure", status="regulated", titles=[("infirmier", "infirmière", 0)])
    found = situation_of([titled, read("miracle_cure", status="unknown")])
    assert "health_professional" in found.conditions
    assert "lay_author" not in found.conditions
