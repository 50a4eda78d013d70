"""Documents for people as tagged PDF (PDF/UA-1), set by Typst, whose compiler and fonts come with its library.

What a document says travels as JSON beside its template, never inside it: nothing that people wrote is read as markup.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

import typst

from model.errors import VigieError
from service.inert import in_order

_FONTS: Final = typst.Fonts(include_system_fonts=False)
_STANDARD: Final = "ua-1"


class TypesetError(VigieError):
    """A document that cannot be set; the message says why."""


def typeset(template: str, data: Mapping[str, Any], pictures: Mapping[str, bytes] | None = None, *, at: datetime) -> bytes:
    """A PDF from a template of `service/templates` (its name, such as `observatory.typ`).

    The template reads `data` by `json("data.json")`, and each picture (SVG, PNG) under its name. The same input gives the
    same bytes: `at` is the instant that the document bears. Only the fonts that come with the library are used.

    Raises:
        TypesetError: the template and the data do not go together, or the result would not be accessible.
    """
    source = files("service").joinpath("templates", template).read_bytes()
    beside = {"main.typ": source, "data.json": in_order(json.dumps(data, ensure_ascii=False)).encode()} | dict(pictures or {})
    try:
        made = typst.compile(  # type: ignore[call-overload]  # several files are read as one input
            beside,
            format="pdf",
            pdf_standards=_STANDARD,
            timestamp=int(at.timestamp()),
            font_paths=_FONTS,
            ignore_system_fonts=True,
        )
    except typst.TypstError as error:
        raise TypesetError(f"Le document ne peut pas être composé ({error.message}).") from error
    return bytes(made)
