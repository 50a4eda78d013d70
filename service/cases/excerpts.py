"""Parts of a text shown in a dossier: words are never cut, and what is masked in the text is masked in its parts."""

from collections.abc import Sequence
from typing import Any, Final

from model.labels import INDICATOR_NAMES
from service.cases.thirds import Span, shown

#: Characters of the text shown on either side of a passage.
_AROUND: Final = 160
#: What is left out beside an ellipsis: « …. Quand » reads as a fault.
_BLANKS: Final = " \t\r\n\u00a0\u202f"
_STOPS: Final = _BLANKS + ".,;:…"


def passage_of(label: str, text: str, start: int, end: int, spans: Sequence[Span]) -> dict[str, Any]:
    """A passage that shows an indicator, with the whole words before and after it, all masked."""
    first, last = _after_a_blank(text, start), _before_a_blank(text, end)
    before = shown(text, first, start, spans)
    after = shown(text, end, last, spans, alone=False)
    if first:
        before = "…" + (before.lstrip(_STOPS) or before[-1:].strip(_STOPS.strip()))
    if last < len(text):
        after = (after.rstrip(_STOPS) or after[:1].strip(_STOPS.strip())) + "…"
    return {
        "indicator": label,
        "name": INDICATOR_NAMES[label],
        # Places are those of the text as received, masked or not.
        "start": start,
        "end": end,
        "text": shown(text, start, end, spans),
        "before": before,
        "after": after,
    }


def _after_a_blank(text: str, start: int) -> int:
    """Where the first whole word before a passage begins."""
    place = max(0, start - _AROUND)
    while 0 < place < start and not text[place - 1].isspace():
        place += 1
    return place


def _before_a_blank(text: str, end: int) -> int:
    """Where the last whole word after a passage ends."""
    place = min(len(text), end + _AROUND)
    while end < place < len(text) and not text[place].isspace():
        place -= 1
    return place


def start_of(text: str, most: int) -> str:
    """The beginning of a text, whole words alone; a word longer than `most` characters is cut."""
    if len(text) <= most:
        return text
    place = next((place for place in range(most, 0, -1) if text[place].isspace()), most)
    return text[:place].rstrip(_STOPS) or text[:most]


def end_of(text: str, most: int) -> str:
    """The end of a text, whole words alone; a word longer than `most` characters is cut."""
    if len(text) <= most:
        return text
    first = len(text) - most
    place = next((place for place in range(first, len(text)) if text[place - 1].isspace()), first)
    return text[place:].lstrip(_STOPS) or text[first:]
