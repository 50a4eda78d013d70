"""doccano JSON lines, one line per text and annotator: `label` holds the passages, `cats` stance and targets.

doccano counts positions in UTF-16 units, as browsers do (its issue 2290), unless a project counts grapheme clusters: a text
with emoji has other positions there than here.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange.common import (
    Row,
    View,
    annotator_of,
    choices_of,
    comments_of,
    from_choices,
    kept_field,
    parse_each,
    rest_of,
    take_rank,
    text_field,
    views_of,
)
from training.exchange.reading import rows_of_json


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the lines."""
    with target.open("w", encoding="utf-8") as file:
        for text in texts:
            units = _units(text.text)
            for number, view in enumerate(views_of(text)):
                line = {
                    "text": text.text,
                    "label": [[units[start], units[end], label] for start, end, label in view.passages],
                    "cats": choices_of(view),
                    "Comments": [comment.text for comment in text.comments] if number == 0 else [],
                    "annotator": view.annotator,
                    "vigie": {**rest_of(text, view), "authors": [c["author"] for c in comments_of(text)] if number == 0 else []},
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of a file that this module wrote or that doccano exported.

    Raises:
        CorpusError: the file cannot be read.
    """
    return parse_each(rows_of_json(source, lines=True), _parse)


def _parse(place: str, line: dict[str, Any]) -> Iterable[Row]:
    content = text_field(line["text"], place)
    points = _points(content)
    spans = line.get("label", line.get("labels", line.get("entities", [])))
    try:
        passages = tuple((points[start], points[end], str(label)) for start, end, label in map(_span, spans))
    except KeyError as error:
        raise CorpusError(f"{place} : position {error} hors du texte, ou au milieu d'un caractère (unités UTF-16).") from error
    stance, targets = from_choices(line["cats"], place)
    rest = kept_field(line.get("vigie", {}), place)
    authors, rank = rest.pop("authors", []), take_rank(rest)
    said = [str(comment) for comment in line.get("Comments", line.get("comments", []))]
    comments = tuple(
        {"author": authors[number] if number < len(authors) else {"id": "inconnu", "kind": "person"}, "text": comment}
        for number, comment in enumerate(said)
    )
    yield Row(place, content, rest, View(annotator_of(line.get("annotator")), stance, targets, passages, rank), comments)


def _span(value: Any) -> tuple[int, int, str]:
    """A passage as a list, or as the object of doccano's relation projects."""
    if isinstance(value, dict):
        return int(value["start_offset"]), int(value["end_offset"]), str(value["label"])
    start, end, label = value
    return int(start), int(end), str(label)


def _units(text: str) -> list[int]:
    """For each code point position, and the end, its position in UTF-16 units."""
    positions = [0]
    for character in text:
        positions.append(positions[-1] + (2 if ord(character) > 0xFFFF else 1))
    return positions


def _points(text: str) -> dict[int, int]:
    """The code point position of each UTF-16 position that starts a character, and of the end."""
    return {unit: point for point, unit in enumerate(_units(text))}
