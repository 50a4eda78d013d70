"""A campaign as a picture: its families of nearly identical texts, its contacts, and what joins them; made here as SVG."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import networkx
from markupsafe import Markup

from service.campaigns.contacts import KIND_NAMES
from service.campaigns.view import Link, Row, Tie
from service.workplace.private import MASK

WIDTH: Final = 760
HEIGHT: Final = 460
_EDGE: Final = 70
#: Families and contacts that are drawn, those of most texts first: more cannot be read.
MOST: Final = 18
_LONGEST: Final = 30
_SEED: Final = 7
#: Where a name may stand from its square, in units of the picture, and the height of a line.
_STEPS: Final = (22.0, -12.0, 36.0, -26.0)
_LINE: Final = 13.0


@dataclass(frozen=True, slots=True)
class Family:
    """Texts that are nearly the same, in the order shown: identifiers, worst level, how many of them have each contact."""

    texts: tuple[str, ...]
    level: int | None
    contacts: Counter[str]


def families_of(rows: Sequence[Row], links: Sequence[Link]) -> list[Family]:
    """The texts of a campaign, parted into families by links between texts that nobody rejected, largest first."""
    graph: Any = networkx.Graph()
    graph.add_nodes_from(row.id for row in rows)
    graph.add_edges_from((link.item_id, link.other_id) for link in links if link.other_id and link.state != "rejected")
    level = {row.id: row.level for row in rows}
    held: dict[str, list[str]] = {row.id: [] for row in rows}
    for link in links:
        if link.contact_id and link.state != "rejected" and link.item_id in held:
            held[link.item_id].append(link.contact_id)
    place = {row.id: index for index, row in enumerate(rows)}
    found = []
    for group in networkx.connected_components(graph):
        texts = tuple(sorted((id for id in group if id in place), key=place.__getitem__))
        known = [worst for id in texts if (worst := level[id]) is not None]
        contacts = Counter(contact for id in texts for contact in held[id])
        found.append(Family(texts, max(known, default=None), contacts))
    return sorted(found, key=lambda family: (-len(family.texts), place[family.texts[0]]))


def picture(families: Sequence[Family], ties: Sequence[Tie], *, masked: bool) -> Markup:
    """The graph as SVG, the same for the same campaign; empty where there is nothing to join."""
    shown = {tie.id: tie for tie in [tie for tie in ties if tie.own][:MOST]}
    graph: Any = networkx.Graph()
    for index, family in enumerate(families[:MOST]):
        graph.add_node(f"f{index}")
        graph.add_edges_from((f"f{index}", contact) for contact in family.contacts if contact in shown)
    if graph.number_of_nodes() < 2:
        return Markup("")
    spots = networkx.spring_layout(graph, k=3.2 / graph.number_of_nodes() ** 0.5, seed=_SEED, iterations=300)
    place = _fitted({name: (float(x), float(y)) for name, (x, y) in spots.items()})
    body = [_line(place[first], place[second]) for first, second in graph.edges]
    for index, family in enumerate(families[:MOST]):
        body.append(_family(place[f"f{index}"], index + 1, family))
    body += _contacts(place, shown, masked=masked)
    left = max(0, len(families) - MOST) + max(0, sum(tie.own > 0 for tie in ties) - MOST)
    said = f"{len(families[:MOST])} familles de textes (ronds) et {len(shown)} contacts (carrés) que des traits joignent"
    said += f" ; {left} autres ne sont que dans les tableaux." if left else " ; les tableaux disent la même chose."
    return Markup(
        '<svg class="graph" role="img" aria-labelledby="graphe-t graphe-d" viewBox="0 0 {} {}">'
        '<title id="graphe-t">Ce qui joint les textes</title><desc id="graphe-d">{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, said, Markup("").join(body))


def _fitted(spots: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The places, stretched over the picture."""
    xs, ys = [x for x, _ in spots.values()], [y for _, y in spots.values()]
    wide, tall = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    inner_x, inner_y = WIDTH - 3 * _EDGE, HEIGHT - 1.4 * _EDGE
    return {
        name: (round(1.5 * _EDGE + inner_x * (x - min(xs)) / wide, 1), round(0.6 * _EDGE + inner_y * (y - min(ys)) / tall, 1))
        for name, (x, y) in spots.items()
    }


def _line(first: tuple[float, float], second: tuple[float, float]) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}"/>').format(*first, *second)


def _family(spot: tuple[float, float], number: int, family: Family) -> Markup:
    size = round(min(26.0, 12 + 2.2 * len(family.texts) ** 0.7), 1)
    level = "" if family.level is None else f", niveau {family.level}"
    name = f"famille {number} : {len(family.texts)} texte{'s' if len(family.texts) > 1 else ''}{level}"
    return Markup(
        '<g><title>{}</title><circle class="l{}" cx="{}" cy="{}" r="{}"/><text class="in" x="{}" y="{}">{}</text></g>'
    ).format(name, "x" if family.level is None else family.level, *spot, size, spot[0], spot[1] + 4, len(family.texts))


def _contacts(place: Mapping[str, tuple[float, float]], shown: Mapping[str, Tie], *, masked: bool) -> list[Markup]:
    """Squares with the contact's value beside: below, above or further, where it covers no other name."""
    named: list[tuple[float, float, float]] = []
    body = []
    for id, tie in shown.items():
        if id not in place:
            continue
        x, y = place[id]
        value = shown_value(tie.value, masked)
        short = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
        half = 3.6 * len(short)
        free = (y + step for step in _STEPS if not _covers(named, x, y + step, half))
        line = next(free, y + _STEPS[0])
        named.append((x, line, half))
        spot = (round(x - 7, 1), round(y - 7, 1), x, round(line, 1))
        body.append(
            Markup(
                '<g><title>{} : {}</title><rect x="{}" y="{}" width="14" height="14"/><text x="{}" y="{}">{}</text></g>'
            ).format(KIND_NAMES[tie.kind], value, *spot, short)
        )
    return body


def _covers(named: Sequence[tuple[float, float, float]], x: float, y: float, half: float) -> bool:
    return any(abs(y - line) < _LINE and abs(x - other) < half + width + 6 for other, line, width in named)


def shown_value(value: str, masked: bool) -> str:
    """A contact as the person asked to see it."""
    return MASK * 8 if masked else value
