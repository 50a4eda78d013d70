"""Prodigy JSON lines, one task per text and annotator: `spans` holds the passages, `accept` stance and targets."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

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
    views_of,
)
from training.exchange.reading import rows_of_json

_OPTIONS: Final = ("promotes", "warns", "neutral", "illness", "serious_illness", "minor")


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the tasks, as reviewed (`answer` is `accept`)."""
    with target.open("w", encoding="utf-8") as file:
        for text in texts:
            for number, view in enumerate(views_of(text)):
                task = {
                    "text": text.text,
                    "spans": [{"start": start, "end": end, "label": label} for start, end, label in view.passages],
                    "options": [{"id": option, "text": option} for option in _OPTIONS],
                    "accept": choices_of(view),
                    "answer": "accept",
                    "_view_id": "blocks",
                    "_annotator_id": view.annotator["id"] if view.annotator else None,
                    "annotator": view.annotator,
                    "comments": comments_of(text) if number == 0 else [],
                    "vigie": rest_of(text, view),
                }
                file.write(json.dumps(task, ensure_ascii=False) + "\n")


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of accepted tasks; rejected and ignored ones are named as faults.

    Raises:
        CorpusError: the file cannot be read.
    """
    return parse_each(rows_of_json(source, lines=True), _parse)


def _parse(place: str, task: dict[str, Any]) -> Iterable[Row]:
    if task.get("answer", "accept") != "accept":
        raise CorpusError(f"{place} : tâche « {task['answer']} », laissée de côté.")
    passages = tuple((int(span["start"]), int(span["end"]), str(span["label"])) for span in task.get("spans", []))
    stance, targets = from_choices(task["accept"], place)
    annotator, who = annotator_of(task.get("annotator")), task.get("_annotator_id")
    if who is not None and (annotator is None or annotator["id"] != who):
        # Somebody answered the task in Prodigy after it was exported.
        annotator = annotator_of(who)
    rest, comments = kept_field(task.get("vigie", {}), place), tuple(task.get("comments", ()))
    rank = take_rank(rest)
    yield Row(place, task["text"], rest, View(annotator, stance, targets, passages, rank), comments)
