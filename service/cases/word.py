"""A dossier as DOCX: real headings, lists and tables, the language of the document, nothing run."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import docx
from docx.document import Document
from docx.enum.text import WD_COLOR_INDEX
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docx.text.paragraph import Paragraph
from docx.text.run import Run as WordRun

from service.cases.blocks import Block, Inline

_LANGUAGE: Final = "fr-FR"
_ACCENT: Final = RGBColor(0x1F, 0x4E, 0x79)
_MUTED: Final = RGBColor(0x4F, 0x54, 0x5E)
_INK: Final = RGBColor(0x1B, 0x1B, 0x1F)
_SIZES: Final = {"Title": 20, "Heading 1": 15, "Heading 2": 12, "Heading 3": 11, "Normal": 10.5}
_WIDTH: Final = 16.6
_LONGEST: Final = 255


def docx_of(title: str, blocks: Sequence[Block], *, author: str, footer: str, at: datetime) -> bytes:
    """The document as DOCX; `at` is the instant written in it."""
    document = docx.Document()
    _prepare(document, title, author, footer, at)
    _fill(document.add_paragraph(style="Title"), [("", title)])
    for block in blocks:
        _add(document, block)
    made = BytesIO()
    document.save(made)
    return _settled(made.getvalue(), at)


def readable(text: str) -> str:
    """A text as XML can hold it: signs that it cannot, or that turn the direction of others, are written by their code."""
    kept = []
    for one in text.replace("\r\n", "\n").replace("\r", "\n"):
        bad = one not in "\n\t" and (
            unicodedata.category(one) in ("Cc", "Cs")
            or ord(one) & 0xFFFE == 0xFFFE
            or one in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        )
        kept.append(f"⟦U+{ord(one):04X}⟧" if bad else one)
    return "".join(kept)


def _prepare(document: Document, title: str, author: str, footer: str, at: datetime) -> None:
    about = document.core_properties
    about.title, about.author, about.language = readable(title)[:_LONGEST], readable(author)[:_LONGEST], _LANGUAGE
    about.comments, about.last_modified_by = "", readable(author)[:_LONGEST]
    moment = at.astimezone(UTC).replace(tzinfo=None)
    about.created = about.modified = moment
    for name, size in _SIZES.items():
        style: Any = document.styles[name]
        style.font.size, style.font.name = Pt(size), "Calibri"
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        style.font.color.rgb = _INK if name in ("Normal", "Title") else _ACCENT
    _set_language(document)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.2)
    _fill(section.footer.paragraphs[0], [("s", footer)])


def _set_language(document: Document) -> None:
    for run in document.styles.element.iter(qn("w:lang")):
        run.set(qn("w:val"), _LANGUAGE)
        run.set(qn("w:bidi"), "ar-SA")
    properties: Any = document.styles["Normal"].element.get_or_add_rPr()
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), _LANGUAGE)
    properties.append(language)


def _fill(paragraph: Paragraph, inline: Inline) -> Paragraph:
    for style, text in inline:
        _run(paragraph, style, text)
    return paragraph


def _run(paragraph: Paragraph, style: str, text: str) -> WordRun:
    run = paragraph.add_run(readable(text))
    if style == "b":
        run.bold = True
    elif style == "i":
        run.italic = True
    elif style == "c":
        run.font.name, run.font.size = "Courier New", Pt(8.5)
    elif style == "s":
        run.font.size, run.font.color.rgb = Pt(9), _MUTED
    return run


def _add(document: Document, block: Block) -> None:
    kind = block["k"]
    if kind == "heading":
        made = _fill(document.add_heading(level=block["level"]), block["inline"])
        made.paragraph_format.page_break_before = block["fresh"]
    elif kind == "para":
        made = _fill(document.add_paragraph(), block["inline"])
        if block["kind"] == "small":
            for run in made.runs:
                run.font.size = Pt(9)
        elif block["kind"] == "box":
            _frame(made)
    elif kind == "list":
        style = "List Number" if block["ordered"] else "List Bullet"
        made_items = [_fill(document.add_paragraph(style=style), item) for item in block["items"]]
        if block["ordered"]:
            _restart(document, made_items)
    elif kind == "facts":
        for name, inline in block["rows"]:
            made = _fill(document.add_paragraph(), [("b", f"{name} : "), *inline])
            made.paragraph_format.space_after = Pt(2)
    elif kind == "table":
        _table(document, block)
    else:
        _quoted(document, block["pieces"])


def _restart(document: Document, paragraphs: Sequence[Paragraph]) -> None:
    """Number these paragraphs from 1: each list has a numbering of its own."""
    numbering: Any = document.part.numbering_part.element
    style: Any = document.styles["List Number"]
    known = style.element.pPr.numPr.numId.val
    abstract = next(one for one in numbering.num_lst if one.numId == known).abstractNumId.val
    fresh = numbering.add_num(abstract)
    fresh.add_lvlOverride(ilvl=0).add_startOverride(1)
    for paragraph in paragraphs:
        properties: Any = paragraph._p.get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_numId().val = fresh.numId
        properties.get_or_add_ilvl().val = 0


def _frame(paragraph: Paragraph) -> None:
    properties: Any = paragraph._p.get_or_add_pPr()
    borders = OxmlElement("w:pBdr")
    for side in ("top", "left", "bottom", "right"):
        edge = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "8"), ("space", "6"), ("color", "1F4E79")):
            edge.set(qn(f"w:{name}"), value)
        borders.append(edge)
    properties.insert_element_before(borders, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")


def _table(document: Document, block: Block) -> None:
    caption = _fill(document.add_paragraph(), [("s", block["caption"])])
    caption.paragraph_format.keep_with_next = True
    made = document.add_table(rows=1, cols=len(block["head"]), style="Table Grid")
    made.autofit = False
    for cell, name in zip(made.rows[0].cells, block["head"], strict=True):
        _fill(cell.paragraphs[0], [("b", name)])
    _mark(made.rows[0], "w:tblHeader")
    for row in block["rows"]:
        fresh = made.add_row()
        _mark(fresh, "w:cantSplit")
        for cell, inline in zip(fresh.cells, row, strict=True):
            _fill(cell.paragraphs[0], inline)
    whole = sum(block["widths"])
    for width, column in zip(block["widths"], made.columns, strict=True):
        for cell in column.cells:
            cell.width = Cm(_WIDTH * width / whole)
    document.add_paragraph().paragraph_format.space_after = Pt(2)


def _mark(row: Any, name: str) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement(name))


def _quoted(document: Document, pieces: Sequence[dict[str, Any]]) -> None:
    paragraph = document.add_paragraph(style="Quote")
    for piece in pieces:
        run = _run(paragraph, "", piece["text"])
        run.italic = False
        if piece["signs"]:
            run.font.highlight_color, run.underline = WD_COLOR_INDEX.YELLOW, True
        for number in piece["ends"]:
            noted = _run(paragraph, "b", f"[{number}]")
            noted.font.superscript = True


def _settled(content: bytes, at: datetime) -> bytes:
    """The same file with one instant for all its parts, so that it depends on nothing else."""
    moment = at.astimezone(UTC)
    made = BytesIO()
    with ZipFile(BytesIO(content)) as given, ZipFile(made, "w", ZIP_DEFLATED) as settled:
        for one in given.infolist():
            if one.filename == "docProps/thumbnail.jpeg":
                continue
            data = given.read(one)
            if one.filename == "_rels/.rels":
                data = _without_thumbnail(data)
            part = ZipInfo(one.filename, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
            part.compress_type, part.external_attr = ZIP_DEFLATED, 0o644 << 16
            settled.writestr(part, data)
    return made.getvalue()


def _without_thumbnail(relations: bytes) -> bytes:
    """The list of parts without the picture of the library's own template."""
    start = relations.find(b"metadata/thumbnail")
    if start < 0:
        return relations
    first, last = relations.rfind(b"<Relationship ", 0, start), relations.find(b"/>", start) + 2
    return relations[:first] + relations[last:]
