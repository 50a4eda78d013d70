"""The tables: whole, linked to the gazetteer and to the titles; a wrong entry is named with its field."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.errors import TableError
from model.tables import load_tables
from service.directions import checks, tables
from service.directions.tables import GROUPS, load_directions

DATA = Path(tables.__file__).parents[1] / "data"


def test_every_practice_family_and_danger_has_words_for_people() -> None:
    known = load_directions()
    for practice in load_tables().practices:
        assert practice.family in known.families, practice.id
        assert set(practice.danger) <= set(known.dangers), practice.id
    assert set(known.dangers) == set(known.danger_words)
    assert set(known.groups) == set(GROUPS)


def test_nine_entries_bind_physiotherapists_and_say_so() -> None:
    """The confirmed entries of the physiotherapists' table, no other."""
    bound = {id for id, fact in load_directions().facts.items() if any(one.binds_physiotherapists for one in fact.statements)}
    assert bound == {
        "microkinesitherapie", "fasciatherapie", "biokinergie", "kinesiologie", "reiki", "regenere", "healy", "niromathe",
        "methode-tomatis",
    }  # fmt: skip


def test_sources_that_are_copies_of_other_sites_are_doubted() -> None:
    for id in ("oligoscan", "chelation", "ozonotherapie", "instinctotherapie"):
        statements = load_directions().facts[id].statements
        assert any(one.verify for one in statements), id
        assert not any(host in one.link for one in statements for host in ("vemnqt", "710302", "vvikipidea", "wikizero")), id


def test_a_source_is_primary_only_at_an_authority() -> None:
    statements = [one for fact in load_directions().facts.values() for one in fact.statements]
    assert {one.secondary for one in statements if one.host == "unadfi.org"} == {True}
    assert {one.secondary for one in statements if one.host.endswith("economie.gouv.fr")} == {False}
    assert not tables.Statement("x", "y", "https://www.senat.fr/a", "", False, False).secondary
    assert tables.Statement("x", "y", "https://notgouv.fr/a", "", False, False).secondary


def test_what_was_read_at_a_third_party_is_to_be_verified() -> None:
    """A fact of an authority that an association, the press or a copy reports is never shown as checked."""
    for id, fact in load_directions().facts.items():
        for one in fact.statements:
            assert one.verify or not one.secondary, (id, one.who, one.host)


def test_whom_to_address_is_read_at_an_authority_or_is_to_be_verified() -> None:
    """A paper, a blog, nobody, or a third party's copy of an authority's own document does not do."""
    for one in load_directions().authorities:
        assert one.verify or one.source, one.id
        assert one.verify or not tables.host_of(one.source) or one.official, (one.id, one.source)


def test_each_order_of_the_authorities_is_that_of_a_title() -> None:
    orders = {one.order for one in load_directions().authorities if one.group == "order"}
    assert orders <= {title.order for title in load_tables().titles}
    assert "" not in orders
    assert len(orders) == 7


@pytest.mark.parametrize("law", load_directions().laws, ids=lambda law: law.id)
def test_articles_are_asked_as_questions_and_never_accuse(law: tables.Law) -> None:
    assert law.asks.endswith("?")
    assert "coupable" not in law.asks


Change = Callable[[str], str]


def _with(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("authorities.toml", _with('group = "authority"', 'group = "autorité"'), "champ « group », « autorité »"),
        ("authorities.toml", _with("help = false\n", ""), "le champ « help » manque"),
        ("authorities.toml", _with('link = "https://', 'link = "htps://'), "champ « link »"),
        ("authorities.toml", _with('"danger:E"', '"danger:Z"'), "champ « when », « danger:Z » n'est pas une condition connue"),
        ("authorities.toml", _with('order = "ordre des médecins"', 'order = "ordre des sages"'), "champ « order »"),
        ("authorities.toml", _with("verify = false", 'verify = "non"'), "le champ « verify » (bool)"),
        ("law.toml", _with("?", "."), "champ « asks », une question est attendue"),
        ("law.toml", _with("penalty = ", "peine = "), "le champ « penalty » manque"),
        ("professions.toml", _with('status = "regulated"', 'status = "regule"'), "champ « status »"),
        ("professions.toml", _with('id = "sage-femme"', 'id = "medecin"'), "« medecin » est déjà le nom"),
        ("practice-facts.toml", _with('practice = "reiki"', 'practice = "reikki"'), "« reikki »"),
        ("practice-facts.toml", _with('date = "2004"', 'date = "04/2004"'), "champ « date »"),
        ("practice-facts.toml", lambda text: text.replace("[[fact]]", "[[fact", 1), "illisible"),
        ("figures.toml", _with("value = 22", 'value = "22"'), "le champ « value » (float)"),
        ("products.toml", _with('id = "device"', 'id = "gadget"'), "champ « id »"),
        ("vocabulary.toml", _with("[families]", "[familles]"), "[families]"),
    ],
)
def test_a_wrong_entry_is_told_with_its_table_and_field(
    name: str, change: Change, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in DATA.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert change(text) != text
    (tmp_path / name).write_text(change(text), encoding="utf-8")

    class Package:
        def joinpath(self, _: str, table: str) -> Path:
            return tmp_path / table

    monkeypatch.setattr(checks, "files", lambda _: Package())
    read: Any = load_directions.__wrapped__
    with pytest.raises(TableError) as told:
        read()
    assert name in str(told.value)
    assert said in str(told.value)
