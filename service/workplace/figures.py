"""Plots as SVG, made here: bars, columns and intervals. Colours come from classes of the style sheet; text is always there.

Every plot has a title and a description for those who cannot see it; the page gives the table beside it. They are drawn
360 units wide so that their text stays readable on a telephone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from markupsafe import Markup

from service.pages import number
from service.workplace.estimates import Estimate

WIDTH: Final = 360
_ROW: Final = 40
_BAR: Final = 14
_TOP: Final = 8
_VALUE: Final = 64
_HEIGHT: Final = 170
_LONGEST: Final = 46


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of a bar plot: its name and a value for each series, none negative; `labels` say them otherwise than as numbers."""

    name: str
    values: tuple[float, ...]
    labels: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """The values as they are written beside the bars."""
        return self.labels or tuple(number(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Ranged:
    """A line of an interval plot; an estimate that is not known has no mark."""

    name: str
    estimate: Estimate


def _svg(id: str, title: str, description: str, height: float, body: Sequence[str]) -> Markup:
    return Markup(
        '<svg class="plot" role="img" aria-labelledby="{id}-t {id}-d" viewBox="0 0 {width} {height}">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>{body}</svg>'
    ).format(id=id, width=WIDTH, height=round(height, 1), title=title, description=description, body=Markup("").join(body))


def _shape(name: str, **attributes: float | str) -> Markup:
    pairs = (
        Markup(' {}="{}"').format(key.rstrip("_"), round(value, 1) if isinstance(value, float) else value)
        for key, value in attributes.items()
    )
    return Markup("<{}{}/>").format(name, Markup("").join(pairs))


def _text(x: float, y: float, text: str, kind: str = "name") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, round(x, 1), round(y, 1), text)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"


def _key(series: Sequence[str]) -> list[Markup]:
    """Which pattern is which series; none for a single one."""
    if len(series) < 2:
        return []
    made, x = [], 0.0
    for place, name in enumerate(series):
        made += [_shape("rect", class_=f"s{place}", x=x, y=_TOP, width=12, height=12), _text(x + 17, _TOP + 11, name)]
        x += 34 + 7.2 * len(name)
    return made


def bars(id: str, title: str, rows: Sequence[Bar], series: Sequence[str]) -> Markup:
    """Horizontal bars, one line a row, its series one under the other; the value is written at the end of each bar."""
    most = max((value for row in rows for value in row.values), default=0) or 1
    body: list[str] = list(_key(series))
    y = float(_TOP + (26 if body else 0))
    for row in rows:
        body.append(_text(0, y + 12, _short(row.name)))
        for place, value in enumerate(row.values):
            top = y + 18 + place * (_BAR + 3)
            length = (WIDTH - _VALUE) * value / most
            body.append(_shape("rect", class_=f"s{place}", x=0, y=top, width=max(length, 1.0), height=_BAR))
            body.append(_text(max(length, 1.0) + 5, top + 11, row.said[place], "value"))
        y += _ROW + (len(row.values) - 1) * (_BAR + 3)
    said = " ; ".join(f"{row.name} : {', '.join(row.said)}" for row in rows)
    return _svg(id, title, f"{' et '.join(series)}. {said or 'Rien à montrer.'}.", y + 4, body)


def columns(id: str, title: str, rows: Sequence[Bar], series: Sequence[str]) -> Markup:
    """Vertical columns in time, its series side by side; the first, middle and last names are written below."""
    most = max((value for row in rows for value in row.values), default=0) or 1
    body: list[str] = list(_key(series))
    top = float(_TOP + (26 if body else 0)) + 12
    bottom = top + _HEIGHT
    step = WIDTH / max(1, len(rows))
    wide = step * 0.8 / max(1, len(series))
    body.append(_shape("line", class_="axis", x1=0, x2=WIDTH, y1=bottom, y2=bottom))
    body.append(_shape("line", class_="grid", x1=0, x2=WIDTH, y1=top, y2=top))
    body.append(_text(0, top - 3, number(most), "value"))
    for place, row in enumerate(rows):
        for order, value in enumerate(row.values):
            tall = _HEIGHT * value / most
            x = place * step + step * 0.1 + order * wide
            body.append(_shape("rect", class_=f"s{order}", x=x, y=bottom - tall, width=wide, height=tall))
    for place, anchor in {0: "name", len(rows) // 2: "name middle", len(rows) - 1: "name end"}.items() if rows else ():
        x = {"name": 0.0, "name end": float(WIDTH)}.get(anchor, (place + 0.5) * step)
        body.append(_text(x, bottom + 16, rows[place].name, anchor))
    highest = f"au plus {number(most)} pour une colonne"
    first, last = (rows[0].name, rows[-1].name) if rows else ("–", "–")
    return _svg(id, title, f"{' et '.join(series)}, de {first} à {last} ; {highest}.", bottom + 24, body)


def intervals(
    id: str, title: str, rows: Sequence[Ranged], low: float = 0.0, high: float = 1.0, floor: float | None = None
) -> Markup:
    """A mark for each figure and a line for its 95 % interval, on a scale from `low` to `high`; a broken line at `floor`."""

    def at(value: float) -> float:
        return 8 + (WIDTH - 16) * (min(max(value, low), high) - low) / (high - low)

    bottom = float(_TOP + _ROW * len(rows))
    body: list[str] = [_shape("line", class_="axis", x1=8, x2=WIDTH - 8, y1=bottom, y2=bottom)]
    for tick in (low, (low + high) / 2, high):
        anchor = {low: "name", high: "name end"}.get(tick, "name middle")
        x = {low: 0.0, high: float(WIDTH)}.get(tick, at(tick))
        body += [
            _shape("line", class_="grid", x1=at(tick), x2=at(tick), y1=_TOP, y2=bottom),
            _text(x, bottom + 16, number(tick), anchor),
        ]
    if floor is not None:
        body.append(_shape("line", class_="floor", x1=at(floor), x2=at(floor), y1=_TOP, y2=bottom))
    for place, row in enumerate(rows):
        y = _TOP + place * _ROW
        body.append(_text(0, y + 12, _short(row.name)))
        if row.estimate.known:
            if not isnan(row.estimate.low):
                body.append(
                    _shape("line", class_="range", x1=at(row.estimate.low), x2=at(row.estimate.high), y1=y + 26.0, y2=y + 26.0)
                )
            body.append(_shape("circle", class_="s0", cx=at(row.estimate.value), cy=y + 26.0, r=6))
        else:
            body.append(_text(0, y + 30, "pas de chiffre", "value"))
    said = " ; ".join(f"{row.name} : {in_words(row.estimate)}" for row in rows)
    return _svg(id, title, f"Intervalles à 95\u00a0%. {said or 'Rien à montrer.'}.", bottom + 24, body)


def in_words(estimate: Estimate) -> str:
    """A figure, its interval and on how many texts, in a few words."""
    if not estimate.known:
        return "pas de chiffre"
    return f"{number(estimate.value)} (de {number(estimate.low)} à {number(estimate.high)}, {number(estimate.total)} textes)"


def plain(value: object) -> str:
    """A cell of a CSV file: a comma would part cells, so numbers keep their point; nothing for what is not known."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


__all__ = ["WIDTH", "Bar", "Ranged", "bars", "columns", "in_words", "intervals", "plain"]
