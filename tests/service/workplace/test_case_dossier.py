"""Dossiers as files: accessible PDF, DOCX, archive; any text comes out as written; third parties masked; tampering shows."""

import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from model.records import EntityMention, Prediction
from service.cases.blocks import heading, line, para, quoted
from service.cases.bundle import Exported, keep_export, make_export, pieces_of, sha256
from service.cases.cases import Case, CaseError, Words, create_case
from service.cases.contents import add_texts
from service.cases.dossier import Content, canonical, content_of
from service.cases.gathering import gather
from service.cases.layout import Export, blocks_of, excerpt
from service.cases.pdf import pdf_of
from service.cases.records import add_answer, add_note
from service.cases.thirds import Masks
from service.cases.verify import known_export, verify
from service.cases.word import docx_of, readable
from service.workplace.choices import choose
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide, withdraw
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import prediction
from tests.timing import quickest

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NOWHERE = Path("nulle-part")
TEXT = "Je guéris tout 😊 en deux séances.\r\nJeanne Dupont, 06 12 34 56 78, était #condamnée : « *guérie* » ! \\x @y $z$ مرحبا"
People = dict[Role, Person]


def told(text: str) -> Prediction:
    """A prediction that finds a person and a telephone number in TEXT."""
    entities = []
    for kind, value in (("person", "Jeanne Dupont"), ("phone", "06 12 34 56 78")):
        if value in text:
            start = text.index(value)
            entities.append(EntityMention(kind=kind, start=start, end=start + len(value), text=value))
    return prediction("miracle_cure").model_copy(update={"entities": entities})


def gathered_case(
    engine: Engine, people: People, texts: list[str], *, channel: str = "comment", decided: int | None = None
) -> Case:
    choose(engine, "second_share", 0.0, people["administrator"])
    person = people["reviewer"]
    case = create_case(engine, person, Words("Annonces « $soins$ » #1", "Objet *fort*.", "Lumière", audience="relative"))
    ids = []
    for number, text in enumerate(texts):
        received = Received(
            text, source="annuaire", channel=channel, author="Lumière", url=f"https://exemple.example/{number}", captured_at=AT
        )
        with engine.begin() as connection:
            id = add_item(connection, received).id
            keep_prediction(connection, id, told(text))
        ids.append(id)
        if decided is None or number < decided:
            marks = (Mark(0, min(14, len(text)), "miracle_cure"),)
            verdict = Verdict(
                stance="promotes", level=2, targets=("illness",), indicators=marks, reason="implied", note="Voir Jeanne Dupont."
            )
            decide(engine, id, person, replace(verdict, level=_level(verdict)), told(text))
    with engine.begin() as connection:
        add_texts(connection, case.id, person, ids, "Promesse de guérison.")
    return case


def _level(verdict: Verdict) -> int:
    from model.levels import level_of

    return level_of("promotes", [mark.label for mark in verdict.indicators], verdict.targets).value


def exported(engine: Engine, case: Case, person: Person, kind: str = "zip", *, masked: bool = True) -> Exported:
    gathered = gather(engine, case.id, person, NOWHERE)
    made = make_export(content_of(gathered, masked=masked), kind, person, AT)
    keep_export(engine, gathered, person, made)
    return made


def parts(made: Exported) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(made.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_pdf(data: bytes) -> str:
    with closing(pypdfium2.PdfDocument(data)) as document:
        pages = []
        for number in range(len(document)):
            with closing(document[number]) as page, closing(page.get_textpage()) as words:
                pages.append(words.get_text_range())
    return "\n".join(pages)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, People, Case, Exported]:
    """A case of two texts, one decided, with an answer and a note; and its archive."""
    from service.database import open_database

    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('dossier') / 'v.db'}")
    people = add_people(engine)
    case = gathered_case(engine, people, [TEXT, "Autre annonce jamais lue, 06 99 88 77 66."], decided=1)
    with engine.begin() as connection:
        add_answer(connection, case.id, people["reviewer"], "2026-11-02", "mail", "Je conteste. #faux")
        add_note(connection, case.id, people["reviewer"], "Note de Jeanne Dupont, jeanne@exemple.example.", exported=True)
        add_note(connection, case.id, people["reviewer"], "Interne et secrète.", exported=False)
    return engine, people, case, exported(engine, case, people["reviewer"])


Whole = tuple[Engine, People, Case, Exported]


def test_the_pdf_is_tagged_titled_and_in_french(whole: Whole) -> None:
    with pikepdf.open(io.BytesIO(parts(whole[3])["dossier.pdf"])) as pdf:
        root = pdf.Root
        assert str(root.Lang).startswith("fr")
        assert bool(root.MarkInfo.Marked)
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        assert str(pdf.docinfo["/Title"]) == "Dossier D-1 : Annonces « $soins$ » #1"
        kinds = _kinds(root.StructTreeRoot)
        assert {"/H1", "/H2", "/H3", "/Table", "/TH", "/TD", "/L", "/LI"} <= kinds
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"


def _kinds(node: pikepdf.Object) -> set[str]:
    found = {str(node.S)} if "/S" in node else set()
    children: Any = node.get("/K", [])
    for child in children if isinstance(children, pikepdf.Array) else [children]:
        if isinstance(child, pikepdf.Dictionary):
            found |= _kinds(child)
    return found


def test_the_pdf_says_what_the_dossier_holds(whole: Whole) -> None:
    _, _, _, made = whole
    text = read_pdf(parts(made)["dossier.pdf"])
    flat = squeezed(text)
    assert made.manifest_sha256 in flat
    for said in (
        "indices à vérifier",
        "Je conteste. #faux",
        "Document de travail",
        "Annonces « $soins$ » #1",
        "Objet *fort*.",
        "non relu",
    ):
        assert squeezed(said) in flat, said
    assert squeezed("était #condamnée : « *guérie* » ! \\x @y $z$") in flat
    assert "⟦U+1F60A⟧" in flat
    for kept_out in ("Interne et secrète", "jamais lue", "06 99 88 77 66"):
        assert squeezed(kept_out) not in flat, kept_out


def test_third_parties_are_masked_everywhere_unless_shown(whole: Whole) -> None:
    engine, people, case, made = whole
    for name, data in parts(made).items():
        said = read_pdf(data) if name.endswith(".pdf") else read_docx(data) if name.endswith(".docx") else data.decode()
        for secret in ("Jeanne Dupont", "06 12 34 56 78", "jeanne@exemple"):
            assert squeezed(secret) not in squeezed(said), f"{secret} dans {name}"
    files = parts(made)
    assert "[personne 1], [téléphone 1]" in files["textes/001.txt"].decode()
    content = json.loads(files["dossier.json"])
    assert content["texts"][0]["decision"]["note"] == "Voir [personne 1]."
    assert content["texts"][0]["author"] == "Lumière"
    shown = parts(exported(engine, case, people["reviewer"], masked=False))
    assert shown["textes/001.txt"].decode() == TEXT
    assert sha256(shown["textes/001.txt"]) == content["texts"][0]["sha256"]


def read_docx(data: bytes) -> str:
    document = docx.Document(io.BytesIO(data))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_the_docx_has_real_headings_tables_and_language(whole: Whole) -> None:
    data = parts(whole[3])["dossier.docx"]
    document = docx.Document(io.BytesIO(data))
    styles = {paragraph.style.name for paragraph in document.paragraphs if paragraph.style}
    assert {"Title", "Heading 1", "Heading 2", "Heading 3", "List Number", "Quote"} <= styles
    assert document.core_properties.language == "fr-FR"
    assert document.core_properties.title == "Dossier D-1 : Annonces « $soins$ » #1"
    assert document.tables
    assert all("tblHeader" in table.rows[0]._tr.xml for table in document.tables)
    text = read_docx(data)
    assert whole[3].manifest_sha256 in text
    assert "guérie* » ! \\x @y $z$ مرحبا" in text
    with ZipFile(io.BytesIO(data)) as archive:
        assert b'w:val="fr-FR"' in archive.read("word/styles.xml")
        assert "docProps/thumbnail.jpeg" not in archive.namelist()


def test_two_exports_of_an_unchanged_case_differ_in_nothing_but_instant_and_exporter(whole: Whole) -> None:
    engine, people, case, made = whole
    same = exported(engine, case, people["reviewer"])
    assert same.data == made.data
    gathered = gather(engine, case.id, people["administrator"], NOWHERE)
    later = make_export(content_of(gathered, masked=True), "zip", people["administrator"], AT + timedelta(hours=1))
    first, second = parts(made), parts(later)
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} == {
        "dossier.pdf",
        "dossier.docx",
        "manifest.json",
        "seal.json",
    }
    assert later.content_sha256 == made.content_sha256


def remade(files: dict[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made


def _without(name: str) -> Callable[[dict[str, bytes]], object]:
    return lambda files: files.pop(name)


def _with(name: str, data: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda files: files.update({name: data})


def _level_raised(files: dict[str, bytes]) -> None:
    """The level changed in the content, and the hashes of the manifest made to fit."""
    content = json.loads(files["dossier.json"])
    content["texts"][0]["decision"]["level"] = 3
    files["dossier.json"] = json.dumps(content).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["dossier.json"] = sha256(files["dossier.json"])
    files["manifest.json"] = canonical(manifest)


@pytest.mark.parametrize(
    "change",
    [
        *(
            _without(name)
            for name in (
                "dossier.pdf",
                "dossier.docx",
                "dossier.json",
                "textes.csv",
                "textes/001.txt",
                "manifest.json",
                "seal.json",
            )
        ),
        *(
            _with(name, b"{}")
            for name in (
                "dossier.pdf",
                "dossier.docx",
                "dossier.json",
                "passages.csv",
                "textes/001.txt",
                "manifest.json",
                "seal.json",
            )
        ),
        _with("textes/009.txt", b"de trop"),
        _with("../dehors.txt", b"x"),
        _level_raised,
    ],
)
def test_every_kind_of_change_shows(whole: Whole, change: Callable[[dict[str, bytes]], object]) -> None:
    files = parts(whole[3])
    assert verify(remade(files)).whole
    change(files)
    report = verify(remade(files))
    assert not report.whole
    assert all(fault.strip() for fault in report.faults)


def test_an_archive_made_again_as_a_whole_is_not_one_of_ours(whole: Whole) -> None:
    engine, people, _, made = whole
    with engine.connect() as connection:
        known = known_export(connection, verify(io.BytesIO(made.data)))
        assert known is not None
        assert (known.case, known.who, known.kind) == ("D-1", "Reviewer", "zip")
        # The same pieces in an archive packed anew are still those pieces.
        assert known_export(connection, verify(remade(parts(made)))) is not None
        content: Content = json.loads(parts(made)["dossier.json"])
        content["texts"][0]["why"] = "Autre raison."
        forged = make_export(content, "zip", people["reviewer"], AT)
        report = verify(io.BytesIO(forged.data))
        assert report.whole
        assert known_export(connection, report) is None


@pytest.mark.parametrize("data", [b"", b"PK", b"pas une archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused_without_fault(data: bytes) -> None:
    assert not verify(io.BytesIO(data)).whole


def test_bytes_around_an_archive_and_names_twice_show(whole: Whole) -> None:
    data = whole[3].data
    assert not verify(io.BytesIO(b"avant" + data)).whole
    assert not verify(io.BytesIO(data + b"apres")).whole
    twice = remade(parts(whole[3]))
    with pytest.warns(UserWarning, match="Duplicate name"), ZipFile(twice, "a") as archive:
        archive.writestr("dossier.json", b"{}")
    assert any("deux fois" in fault for fault in verify(twice).faults)


def test_a_decision_taken_back_is_no_evidence_any_more(engine: Engine, people: People) -> None:
    case = gathered_case(engine, people, [TEXT])
    gathered = gather(engine, case.id, people["reviewer"], NOWHERE)
    assert len(gathered.read) == 1
    withdraw(engine, gathered.read[0].holds.id, people["reviewer"])
    content = content_of(gather(engine, case.id, people["reviewer"], NOWHERE), masked=True)
    assert (content["texts"], [one["state"] for one in content["apart"]]) == ([], ["unread"])
    assert "Je guéris" not in json.dumps(content, ensure_ascii=False)


def test_an_export_of_a_case_that_changed_meanwhile_is_not_kept(engine: Engine, people: People) -> None:
    case = gathered_case(engine, people, [TEXT])
    gathered = gather(engine, case.id, people["reviewer"], NOWHERE)
    made = make_export(content_of(gathered, masked=True), "json", people["reviewer"])
    with engine.begin() as connection:
        add_note(connection, case.id, people["analyst"], "Entre-temps", exported=True)
    with pytest.raises(CaseError, match="changé"):
        keep_export(engine, gathered, people["reviewer"], made)


def test_whom_the_case_concerns_stays_and_witnesses_do_not() -> None:
    masks = Masks(["Marie Soleil", "@marie.soleil"], ["surnom"])
    ad = "Marie Soleil vous reçoit au 06 11 22 33 44. Merci à Paul Durand, surnom Popol."
    found = told(ad).model_copy(
        update={
            "entities": [
                EntityMention(kind="person", start=ad.index(name), end=ad.index(name) + len(name), text=name)
                for name in ("Marie Soleil", "Paul Durand")
            ]
        }
    )
    masks.learn(ad, found, "ad", promotes=True)
    comment = "J'ai appelé le 06 11 22 33 44, puis le 07 00 00 00 01, paul durand aussi"
    masks.learn(comment, None, "comment", promotes=False)
    assert masks.words(ad) == "Marie Soleil vous reçoit au 06 11 22 33 44. Merci à [personne 1], [passage masqué 1] Popol."
    assert masks.words(comment) == "J'ai appelé le 06 11 22 33 44, puis le [téléphone 1], [personne 1] aussi"


def test_a_long_text_is_cut_around_its_passages_and_never_in_them() -> None:
    pieces: list[dict[str, Any]] = [
        {"text": "a" * 5_000, "signs": [], "ends": []},
        {"text": "passage", "signs": [1], "ends": [1]},
        {"text": "b" * 5_000, "signs": [], "ends": []},
    ]
    shown, cut = excerpt(pieces)
    assert cut
    assert [piece["text"] for piece in shown] == [" […] " + "a" * 350, "passage", "b" * 350 + " […] "]


_ALPHABET = st.one_of(
    st.sampled_from("#$@*_\\`<>[]{}=~-+/\"'&é œ\n\t\r😊漢مש\u202e\u200d\u200b\x01\x1f\u2028\ufe0f\u0301%;"),
    st.characters(codec="utf-8"),
)
SHOWN = frozenset("#$@*_\\`<>[]{}=~+/\"'&éœàçÉ€09azAZ☀ЖΩ%;.,!?")
_ANY = st.text(_ALPHABET, max_size=300)


#: What the fonts have, from left to right, what they lack, and what nobody sees.
_WRITTEN = st.text(
    st.sampled_from("#$@*_\\`<>[]{}=~+/\"'&éœàçÉ€ 09azAZ\n\t😊漢\u202e\u200d\u200b\x01\u2028☀ЖΩ%;.,!?"), max_size=300
)


@settings(max_examples=40, deadline=None)
@given(text=_ANY)
def test_no_text_breaks_the_pdf(text: str) -> None:
    pieces = [{"text": text, "signs": [1], "ends": [1]}]
    data = pdf_of(
        f"T {text}"[:200], [heading(1, "A" + text), para(text), quoted(pieces)], author="A", header=text, footer="F", at=AT
    )
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert "/StructTreeRoot" in pdf.Root


@settings(max_examples=40, deadline=None)
@given(text=_WRITTEN)
def test_any_text_comes_out_of_the_pdf_as_written(text: str) -> None:
    read = read_pdf(pdf_of("T", [heading(1, "A"), para("début" + text + "fin")], author="A", header="H", footer="F", at=AT))
    coded = "".join(one if one in SHOWN else "" if one in " \n\t" else f"⟦U+{ord(one):04X}⟧" for one in text)
    joined = squeezed(coded).replace("⟧⟦", "")
    assert f"début{joined}fin" in squeezed(read).replace("⟧⟦", "")


@settings(max_examples=60, deadline=None)
@given(text=st.text("#$@*_\\`<>[]{}=~-+/\"'&%;|^:.,!?()0123456789abcdefXYZé", min_size=1, max_size=200))
def test_signs_of_markup_are_read_as_themselves(text: str) -> None:
    read = read_pdf(pdf_of("T", [para("début" + text + "fin")], author="A", header="H", footer="F", at=AT))
    assert f"début{text}fin" in squeezed(read).replace("\ufffe", "-").replace("\u00ad", "-")
    document = docx.Document(io.BytesIO(docx_of("T", [para("début" + text + "fin")], author="A", footer="F", at=AT)))
    assert f"début{text}fin" in [paragraph.text for paragraph in document.paragraphs]


@settings(max_examples=60, deadline=None)
@given(text=_ANY)
def test_any_text_comes_out_of_the_docx_as_written(text: str) -> None:
    document = docx.Document(io.BytesIO(docx_of("T", [para("<" + text + ">")], author="A", footer="F", at=AT)))
    assert document.paragraphs[1].text == readable(f"<{text}>")


def test_a_very_long_word_stays_within_the_page() -> None:
    data = pdf_of("T", [para("y" * 2_000), para(*line(("c", "a1b2" * 16)))], author="A", header="H", footer="F", at=AT)
    with closing(pypdfium2.PdfDocument(data)) as document, closing(document[0]) as page, closing(page.get_textpage()) as words:
        right = max(words.get_charbox(place)[2] for place in range(words.count_chars()))
        assert right <= page.get_width() - 60


def test_a_case_of_two_hundred_texts_exports_in_time(base: Engine) -> None:
    people = add_people(base)
    case = gathered_case(base, people, [f"{TEXT} Annonce numéro {number}, longue. " * 4 for number in range(200)])
    assert quickest(lambda: exported(base, case, people["reviewer"]), 20) < 20
    made = exported(base, case, people["reviewer"])
    assert len(parts(made)) == 200 + 7
    assert len(pieces_of(json.loads(parts(made)["dossier.json"]))) == 203
    assert verify(io.BytesIO(made.data)).whole


def test_the_summary_holds_on_one_page(whole: Whole) -> None:
    engine, people, case, _ = whole
    content = content_of(gather(engine, case.id, people["reviewer"], NOWHERE), masked=True)
    content["case"] |= {"title": "Titre long " * 18, "summary": "Objet long et précis. " * 200, "people": ["Prénom Nom"] * 8}
    content["counts"]["signs"] = [{"id": str(n), "name": "un indice au nom assez long", "texts": n} for n in range(12)]
    blocks = blocks_of(content, Export("Prénom Nom", AT.isoformat(), "1", "0" * 64))
    data = pdf_of("Dossier : " + content["case"]["title"], blocks, author="A", header="H", footer="F", at=AT)
    with closing(pypdfium2.PdfDocument(data)) as document, closing(document[1]) as page, closing(page.get_textpage()) as words:
        assert "1. Objet et notes" in words.get_text_range()
