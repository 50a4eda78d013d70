"""Dates, ranges of days and the hour that follows: « du 3 au 5 mai », « le 12/03/2026 à 19h30 », « mars 2026 »."""

from collections.abc import Iterator
from datetime import date
from typing import Final

import regex

from model.named import Entity, Value
from model.text import Span, fold

_MONTHS: Final = {
    "janvier": 1, "fevrier": 2, "mars": 3, "avril": 4, "mai": 5, "juin": 6, "juillet": 7, "aout": 8, "septembre": 9,
    "octobre": 10, "novembre": 11, "decembre": 12, "janv.": 1, "fevr.": 2, "avr.": 4, "juil.": 7, "sept.": 9, "oct.": 10,
    "nov.": 11, "dec.": 12,
}  # fmt: skip
_MONTH: Final = rf"(?:{'|'.join(regex.escape(name) for name in sorted(_MONTHS, key=len, reverse=True))})(?!\p{{L}})"
_WEEKDAY: Final = r"(?:(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche) )?"
_DATE: Final = regex.compile(
    rf"(?<!\d)(?:(?P<first>\d{{1,2}})(?:er)?(?: (?P<month0>{_MONTH}))?(?: (?P<year0>20\d{{2}}))?(?: au | ?- ?| et ){_WEEKDAY})?"
    rf"(?P<day>\d{{1,2}})(?:er)? (?P<month>{_MONTH})(?: (?P<year>(?:19|20)\d{{2}})(?!\d))?"
    r"|(?<![\d/.])(?:(?P<day0>\d{1,2})[/.](?P<month1>\d{1,2})(?:[/.](?P<year1>(?:19|20)?\d{2}))?(?: au | ?- ?))?"
    r"(?P<day2>\d{1,2})[/.](?P<month2>\d{1,2})[/.](?P<year2>(?:19|20)?\d{2})(?![\d/])"
    r"|(?<![\d-])(?P<iso>(?:19|20)\d{2}-\d{2}-\d{2})(?![\d-])"
    rf"|(?<![\p{{L}}\d])(?<!\d )(?P<alone>{_MONTH}) (?P<year3>20\d{{2}})(?!\d)"
)
_HOUR: Final = regex.compile(
    r"(?: 20\d\d)?,? ?(?:\(|a |des |de |- )?(?P<hour>[01]?\d|2[0-3]) ?(?:h|:)(?P<minute>[0-5]\d)?(?![\d\p{L}])"
)


def find_dates(text: str) -> Iterator[Entity]:
    """The dates of a clean text, in order.

    Values: `iso`, a day (`2026-05-03`, `--05-03` without its year) or a month (`2026-05`); `to`, the last day of a range;
    `time`, the hour said right after. Days that do not exist are no dates.
    """
    folded = fold(text)
    for match in _DATE.finditer(folded):
        value = _value(match)
        if value is None:
            continue
        span = Span(*match.span())
        if value.get("to") == "":
            # Two numbers that are no range of days: the second one alone is the date.
            del value["to"]
            span = Span(match.start("day" if match["day"] else "day2"), match.end())
        if hour := _HOUR.match(folded, match.end()):
            value["time"] = f"{int(hour['hour']):02d}:{hour['minute'] or '00'}"
        yield Entity("date", span, value)


def _value(match: regex.Match[str]) -> Value | None:
    if match["iso"]:
        whole, month, day = map(int, match["iso"].split("-"))
        return Value(iso=match["iso"]) if _iso(whole, month, day) else None
    if match["alone"]:
        return Value(iso=f"{match['year3']}-{_MONTHS[match['alone']]:02d}")
    if match["day"]:
        year = _year(match["year"])
        month = _MONTHS[match["month"]]
        last = _iso(year, month, int(match["day"]))
        first = match["first"] and _iso(
            _year(match["year0"]) or year, _MONTHS[match["month0"]] if match["month0"] else month, int(match["first"])
        )
        began = match["first"]
    else:
        year = _year(match["year2"])
        last = _iso(year, int(match["month2"]), int(match["day2"]))
        first = match["day0"] and _iso(_year(match["year1"]) or year, int(match["month1"]), int(match["day0"]))
        began = match["day0"]
    if not last:
        return None
    if not began:
        return Value(iso=last)
    return Value(iso=first, to=last) if first and first < last else Value(iso=last, to="")


def _year(written: str | None) -> int | None:
    return None if not written else int(written) + (2_000 if len(written) == 2 else 0)


def _iso(year: int | None, month: int, day: int) -> str | None:
    """The day in ISO 8601, without its year where none is given; None where there is no such day."""
    try:
        date(year or 2_000, month, day)
    except ValueError:
        return None
    return f"{year:04d}-{month:02d}-{day:02d}" if year else f"--{month:02d}-{day:02d}"
