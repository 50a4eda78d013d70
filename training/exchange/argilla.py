"""Argilla records (version 2), as `Record.to_dict` writes them: one record a text, one response an annotator."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange.common import Row, View, annotator_of, comments_of, parse_each, rest_of, views_of
from training.exchange.reading import rows_of_json

#: Argilla knows annotators by UUID; ours are derived from their names, so that the same name is the same user.
_USERS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "vigie:annotator")


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the records as one JSON array: questions `signs` (spans), `stance` (label) and `targets` (labels)."""
    records = [_record(text) for text in texts]
    target.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _record(text: AnnotatedText) -> dict[str, Any]:
    users: dict[str, Any] = {}
    responses: dict[str, list[dict[str, Any]]] = {"signs": [], "stance": [], "targets": []}
    for number, view in enumerate(views_of(text)):
        user = str(uuid.uuid5(_USERS, f"{number}:{json.dumps(view.annotator, sort_keys=True)}"))
        users[user] = view.annotator
        spans = [{"start": start, "end": end, "label": label} for start, end, label in view.passages]
        for name, value in (("signs", spans), ("stance", view.stance), ("targets", list(view.targets))):
            responses[name].append({"value": value, "user_id": user})
    kept = {**rest_of(text), "users": users, "comments": comments_of(text)}
    return {
        "id": text.id,
        "fields": {"text": text.text},
        "metadata": {"theme": text.theme, "writer": text.writer, "vigie": json.dumps(kept, ensure_ascii=False)},
        "suggestions": {},
        "responses": responses,
        "vectors": {},
        "status": "completed",
        "_server_id": None,
    }


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of records that this module wrote or that Argilla exported.

    Raises:
        CorpusError: the file cannot be read or is not an array.
    """
    return parse_each(rows_of_json(source, lines=False), _parse)


def _parse(place: str, record: dict[str, Any]) -> Iterable[Row]:
    kept = json.loads(record.get("metadata", {}).get("vigie", "{}"))
    users, comments = kept.pop("users", {}), tuple(kept.pop("comments", ()))
    rest = {"id": record["id"], **kept}
    answers: dict[str, dict[str, Any]] = defaultdict(dict)
    for name in ("signs", "stance", "targets"):
        for response in record.get("responses", {}).get(name, []):
            answers[str(response["user_id"])][name] = response["value"]
    if not answers:
        raise CorpusError(f"{place} : aucune réponse.")
    order = list(users)
    for number, (user, answer) in enumerate(answers.items()):
        spans = tuple((int(span["start"]), int(span["end"]), str(span["label"])) for span in answer.get("signs") or [])
        annotator = annotator_of(users.get(user, user))
        rank = (order.index(user), len(order)) if user in users else None
        view = View(annotator, str(answer["stance"]), tuple(answer.get("targets") or ()), spans, rank)
        yield Row(place, record["fields"]["text"], rest, view, comments if number == 0 else ())
