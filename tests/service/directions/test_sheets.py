"""Practice sheets: found despite accents, hyphens and typing slips; what is known and what is not."""

import pytest

from model.tables import load_tables
from service.directions.sheets import search, sheet_of


def names(query: str, **more: str) -> list[str]:
    return [found.practice.id for found in search(query, **more)]


@pytest.mark.parametrize(
    ("query", "id"),
    [
        ("reiki", "reiki"),
        ("REÏKI", "reiki"),
        ("natropathie", "naturopathie"),
        ("hidrotherapie du colon", "hydrotherapie-du-colon"),
        ("bio décodage", "decodage-biologique"),
        ("colon hydrothérapie", "hydrotherapie-du-colon"),
        ("jeune sec", "jeune-sec"),
        ("kynésiologie", "kinesiologie"),
        ("dioxyde de clore", "mms"),
        ("respiration olotropique", "respiration-holotropique-et-rebirth"),
        ("aya", "ayahuasca"),
    ],
)
def test_a_practice_is_found_first_by_name_or_variant(query: str, id: str) -> None:
    assert names(query)[0] == id


@pytest.mark.parametrize("query", ["plomberie", "boulanger", "tondeuse", "xyz", "'; drop table", "💎"])
def test_what_is_no_practice_finds_none_first(query: str) -> None:
    assert len(names(query)) in (0, len(load_tables().practices)) if query == "💎" else names(query) == []


def test_a_family_is_found_by_its_name_and_filters_hold() -> None:
    assert {"voyance", "numerologie"} <= set(names("divination"))
    kept = search("", family="appareil", danger="D")
    assert kept
    assert all(one.practice.family == "appareil" and "D" in one.practice.danger for one in kept)
    assert names("reiki", family="appareil") == []
    assert len(names("")) == len(load_tables().practices)


def test_a_sheet_tells_what_binds_physiotherapists_last_and_what_is_near() -> None:
    sheet = sheet_of("reiki")
    assert sheet
    assert sheet.fact
    assert sheet.statements[-1].binds_physiotherapists
    assert not sheet.statements[0].binds_physiotherapists
    assert "reiki" not in [one.id for one in sheet.related]
    assert all(one.family == "energetique" for one in sheet.related)
    assert sheet_of("inconnue") is None


@pytest.mark.parametrize("practice", load_tables().practices, ids=lambda one: one.id)
def test_each_practice_has_a_sheet_and_finds_itself(practice: object) -> None:
    id = practice.id  # type: ignore[attr-defined]
    sheet = sheet_of(id)
    assert sheet
    assert sheet.fact is None or sheet.fact.claims
    assert id in names(sheet.practice.name)[:3]
