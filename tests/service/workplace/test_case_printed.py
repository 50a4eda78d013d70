"""How a dossier reads to who receives it: sections that hold what they say, words whole, themes and sources named properly."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.cases.appendix import advice
from service.cases.blocks import Block
from service.cases.cases import Case, Words, create_case
from service.cases.contents import add_texts
from service.cases.dossier import content_of
from service.cases.excerpts import passage_of, start_of
from service.cases.gathering import gather
from service.cases.guidance import advice_block, authority_names, proposed_recipients
from service.cases.layout import Export, blocks_of, excerpt
from service.cases.thirds import Masks
from service.directions.situations import situation_of
from service.workplace.choices import choose
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import add, prediction

People = dict[Role, Person]
EXPORT = Export("A", "2026-11-23T10:00:00+00:00", "1", "0" * 64)
OFFER = ("Je guéris tout par le jeûne.", "promotes", 2)
CALM = ("Bonne fête à tous, sur le balcon.", "neutral", 0)
WARNING = ("Méfiez-vous, elle dit du mal des médecins.", "warns", 0)


def put(engine: Engine, people: People, *texts: tuple[str, str, int], theme: str | None = None) -> Case:
    """A case of decided texts: words, what the author does, level."""
    choose(engine, "second_share", 0.0, people["administrator"])
    person, ids = people["reviewer"], []
    case = create_case(engine, person, Words("Annonces", "Premier point.\nSecond point."))
    for text, stance, level in texts:
        said = prediction("miracle_cure")
        with engine.begin() as connection:
            id = add_item(connection, Received(text, source="essai", channel="ad", theme=theme)).id
            keep_prediction(connection, id, said)
        marks = (Mark(0, 9, "miracle_cure"),) if level else ()
        decide(engine, id, person, Verdict(stance=stance, level=level, targets=(), indicators=marks, reason="implied"), said)
        ids.append(id)
    with engine.begin() as connection:
        add_texts(connection, case.id, person, ids, "Campagne entière.")
    return case


def printed(engine: Engine, people: People, case: Case) -> list[Block]:
    return blocks_of(content_of(gather(engine, case.id, people["reviewer"], Path("nulle-part")), masked=True), EXPORT)


def words(inline: Any) -> str:
    return "".join(text for _, text in inline)


def facts(blocks: list[Block]) -> dict[str, str]:
    """Names and values of the summary."""
    rows = next(block["rows"] for block in blocks if block["k"] == "facts")
    return {name: words(inline) for name, inline in rows}


def test_the_summary_sends_each_text_to_the_section_that_holds_it(engine: Engine, people: People) -> None:
    blocks = printed(engine, people, put(engine, people, OFFER, WARNING, CALM))
    summary = facts(blocks)
    assert summary["Mises en garde"] == "1\u00a0texte de niveau 0 (section 3)"
    assert summary["Sans indice retenu"] == "1\u00a0texte (section 4)"
    heads = [words(block["inline"]) for block in blocks if block["k"] == "heading"]
    third, fourth, fifth = (next(n for n, head in enumerate(heads) if head.startswith(f"{number}. ")) for number in (3, 4, 5))
    assert [head for head in heads[third:fourth] if head.startswith("Texte 2 :")]
    assert not [head for head in heads[fourth:fifth] if head.startswith("Texte 2 :")]
    (apart,) = [block for block in blocks if block["k"] == "table" and block["caption"] == "Textes mis à part"]
    assert [words(row[0]) for row in apart["rows"]] == ["3"]


def test_a_summary_says_nothing_of_sections_that_hold_nothing(engine: Engine, people: People) -> None:
    summary = facts(printed(engine, people, put(engine, people, OFFER, WARNING)))
    assert "section 4" not in " ".join(summary.values())


def test_a_theme_is_named_as_on_the_page_of_a_text(place: Place) -> None:
    case = put(place.engine, place.people, OFFER, theme="jeune")
    visitor = place.visitor("analyst")
    assert "essai, annonce, Jeûne, monodiètes" in visitor.get(f"/dossiers/{case.name}/apercu").text
    assert '<option value="jeune">Jeûne, monodiètes</option>' in visitor.get("/dossiers").text


def test_no_third_party_s_address_stands_for_the_source_of_an_authority() -> None:
    told = {one["id"]: one for one in proposed_recipients(situation_of([prediction("miracle_cure")]), list(authority_names()))}
    assert set(told) == set(authority_names())
    for one in told.values():
        said = one["source_told"]
        assert said.removesuffix("(à vérifier)").strip(), one["id"]
        assert said.endswith("(à vérifier)") is one["verify"]
        for address in re.findall(r"https?://([^/]+)", said):
            assert address.endswith((".gouv.fr", "sante-idf.fr", "ordre-chirurgiens-dentistes.fr")), (one["id"], address)
    assert told["ars"]["source_told"] == "http://www.derives-sectes.gouv.fr/quelles-instances-saisir (à vérifier)"
    assert told["prevention-suicide-3114"]["source_told"] == "aucune page officielle retenue (à vérifier)"
    assert told["procureur"]["source_told"] == "bulletin de l'Ordre des médecins, lu en copie chez un tiers (à vérifier)"


def test_a_contact_that_is_to_be_checked_says_so_in_the_advice() -> None:
    contacts = advice({"advice": advice_block("victim")})[-1]["items"]
    marked = {words(one[:1]): words(one).endswith(" (à vérifier)") for one in contacts}
    assert marked["AFSI (association, faux souvenirs induits)"]
    assert not marked["France Victimes"]


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (
            "Nous fêtons Léa Fontaine. " + "Quand le corps ne digère plus, " * 5 + "PASSAGE" + " finit" * 40,
            "…Quand le",
            " finit…",
        ),
        ("mot " * 60 + "PASSAGE le 27 septembre. " + "et encore, toujours. " * 9, "…mot mot", " et encore…"),
        ("x" * 400 + "PASSAGE" + "y" * 400, "…", "…"),
        ("Avant. PASSAGE après.", "Avant. ", " après."),
    ],
)
def test_what_is_around_a_passage_is_cut_between_words(text: str, before: str, after: str) -> None:
    start = text.index("PASSAGE")
    shown = passage_of("miracle_cure", text, start, start + len("PASSAGE"), [])
    assert shown["text"] == "PASSAGE"
    assert shown["before"].startswith(before)
    assert shown["after"].endswith(after)


@given(st.text("ab é.,:\u00a0\n", max_size=600), st.text("ab é.,:\u00a0\n", max_size=600))
def test_whole_words_alone_stand_around_a_passage_and_no_stop_beside_an_ellipsis(first: str, last: str) -> None:
    text = f"{first} PASSAGE {last}"
    start = len(first) + 1
    shown = passage_of("miracle_cure", text, start, start + len("PASSAGE"), [])
    whole = set(re.split(r"[\s.,…:]+", text))
    for part, cut in ((shown["before"], shown["before"].startswith("…")), (shown["after"], shown["after"].endswith("…"))):
        assert set(re.split(r"[\s.,…:]+", part)) <= whole | {""}
        assert not cut or not re.search(r"^…\s*[.…,:]|[.…,:]\s*…$", part)


def test_what_is_masked_stays_masked_where_a_cut_falls_on_it() -> None:
    name = "Jeanne Dupont"
    masks = Masks([], [name])
    for length in range(120, 175):
        for text in (f"Avec {name} " + "a" * (length - 1) + " PASSAGE", "PASSAGE " + "a" * (length - 1) + f" {name} aussi"):
            start = text.index("PASSAGE")
            shown = passage_of("miracle_cure", text, start, start + 7, masks.spans(text))
            assert "Jeanne" not in str(shown), length
            assert "Dupont" not in str(shown), length


def test_the_extracts_of_a_long_text_are_cut_between_words() -> None:
    pieces: list[dict[str, Any]] = [
        {"text": "mot long " * 500, "signs": [], "ends": []},
        {"text": "PASSAGE", "signs": [1], "ends": [1]},
    ]
    shown, cut = excerpt(pieces)
    assert cut
    assert set(shown[0]["text"].split()) == {"[…]", "mot", "long"}
    alone, _ = excerpt([{"text": "mot long " * 500, "signs": [], "ends": []}])
    assert set(alone[0]["text"].split()) == {"[…]", "mot", "long"}


def test_the_beginning_of_a_text_ends_with_a_word() -> None:
    assert start_of("un deux trois", 7) == "un deux"
    assert start_of("un deux trois", 9) == "un deux"
    assert start_of("un deux", 9) == "un deux"
    assert start_of("x" * 20, 9) == "x" * 9


def test_how_many_texts_were_added_is_said_in_the_singular_and_the_plural(place: Place) -> None:
    case = put(place.engine, place.people, OFFER)
    visitor = place.visitor("analyst")
    with place.engine.begin() as connection:
        ids = [add(connection) for _ in range(3)]
    for items, told in ((ids[0], "1 texte ajouté."), ("\n".join(ids), "2 textes ajoutés.")):
        added = visitor.post(f"/dossiers/{case.name}/textes", {"items": items, "why": "Même annonce."})
        assert told in visitor.get(added.headers["location"]).text


def test_an_error_in_a_case_leads_back_to_it(place: Place) -> None:
    case = put(place.engine, place.people, OFFER)
    visitor = place.visitor("analyst")
    visitor.client.headers["accept"] = "text/html"
    refused = visitor.post(f"/dossiers/{case.name}/textes", {"items": "rien", "why": "x"})
    assert refused.status_code == 422
    assert f'<a href="/dossiers/{case.name}">Retour au dossier {case.name}</a>' in refused.text
    unknown = visitor.get("/dossiers/D-999").text
    assert 'href="/dossiers/D-999"' not in unknown
    assert '<a href="/dossiers">Retour aux dossiers</a>' in unknown


def test_why_texts_are_put_in_a_case_is_asked_before_it_is_sent(place: Place) -> None:
    put(place.engine, place.people, OFFER)
    page = place.visitor("analyst").get("/file?tout=1").text
    (why,) = re.findall(r'<input[^>]*name="case_why"[^>]*>', page)
    assert " required" in why
    form = page[page.index('id="lot"') :]
    # The field belongs to one of the actions of the form: the others do not ask for it.
    asking = [one for one in re.findall(r"<button[^>]*name=\"action\"[^>]*>", form) if "formnovalidate" not in one]
    assert [re.findall('value="([^"]+)"', one) for one in asking] == [["dossier"]]


@pytest.mark.browser
def test_line_breaks_of_the_purpose_are_kept_on_the_page(browsed: Place) -> None:
    case = put(browsed.engine, browsed.people, OFFER)
    page = browsed.page("analyst")
    page.goto(f"/dossiers/{case.name}")
    assert "Premier point.\nSecond point." in page.locator("dl.facts").first.inner_text()
