"""Label Studio tasks: one task a text, one annotation an annotator. Positions count code points, as Label Studio stores them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from model.errors import CorpusError
from model.labels import INDICATORS, STANCES, TARGETS
from training.corpus import AnnotatedText
from training.exchange.common import (
    Row,
    View,
    annotator_of,
    comments_of,
    from_choices,
    kept_field,
    parse_each,
    rest_of,
    take_rank,
    views_of,
)
from training.exchange.reading import rows_of_json

_TO: Final = "text"


def labelling_config() -> str:
    """The labelling interface (XML) that a Label Studio project needs for these tasks."""

    def values(tag: str, ids: Iterable[tuple[str, str]]) -> str:
        return "".join(f'\n    <{tag} value="{value}" hint="{name}"/>' for value, name in ids)

    signs = values("Label", [(label.id, label.name) for label in INDICATORS])
    stances = values("Choice", [(label.id, label.name) for label in STANCES])
    targets = values("Choice", [(label.id, label.name) for label in TARGETS])
    return f"""<View>
  <Labels name="signs" toName="{_TO}">{signs}
  </Labels>
  <Text name="{_TO}" value="$text" granularity="word"/>
  <Choices name="stance" toName="{_TO}" choice="single" required="true">{stances}
  </Choices>
  <Choices name="targets" toName="{_TO}" choice="multiple">{targets}
  </Choices>
  <TextArea name="annotator" toName="{_TO}" maxSubmissions="1"/>
</View>
"""


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the tasks as one JSON array."""
    tasks = [
        {
            "data": {"text": text.text, "vigie": rest_of(text), "comments": comments_of(text)},
            "annotations": [{"result": _result(text.text, view)} for view in views_of(text)],
        }
        for text in texts
    ]
    target.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _result(content: str, view: View) -> list[dict[str, Any]]:
    def item(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        return {"from_name": name, "to_name": _TO, "type": kind, "value": value}

    result = [
        {
            "id": f"p{number}",
            **item("signs", "labels", {"start": start, "end": end, "text": content[start:end], "labels": [label]}),
        }
        for number, (start, end, label) in enumerate(view.passages)
    ]
    result.append({"id": "stance", **item("stance", "choices", {"choices": [view.stance]})})
    if view.targets:
        result.append({"id": "targets", **item("targets", "choices", {"choices": list(view.targets)})})
    if view.annotator or view.rank:
        shown = json.dumps({**(view.annotator or {}), "annotation": view.rank}, ensure_ascii=False)
        result.append({"id": "annotator", **item("annotator", "textarea", {"text": [shown]})})
    return result


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of tasks that this module wrote or that Label Studio exported (format JSON); cancelled annotations are left.

    Raises:
        CorpusError: the file cannot be read or is not an array.
    """
    return parse_each(rows_of_json(source, lines=False), _parse)


def _parse(place: str, task: dict[str, Any]) -> Iterable[Row]:
    data = task["data"]
    annotations = [one for one in task.get("annotations", []) if not one.get("was_cancelled")]
    if not annotations:
        raise CorpusError(f"{place} : aucune annotation.")
    rest = kept_field(data.get("vigie", {"id": str(task["id"])} if "id" in task else {}), place)
    for number, annotation in enumerate(annotations):
        choices: list[str] = []
        passages: list[tuple[int, int, str]] = []
        annotator: Any = annotation.get("completed_by")
        rank = None
        for item in annotation["result"]:
            value = item.get("value")
            if value is None:  # a relation between regions, which says nothing here
                continue
            if item["type"] == "labels":
                passages += [(int(value["start"]), int(value["end"]), str(label)) for label in value["labels"]]
            elif item["type"] == "choices" and item.get("from_name") != "level":
                choices += map(str, value["choices"])
            elif item.get("from_name") == "annotator":
                annotator = _name(value["text"])
                if isinstance(annotator, dict):
                    rank = take_rank(annotator)
                    annotator = annotator or None
        stance, targets = from_choices(choices, place)
        comments = tuple(data.get("comments", ())) if number == 0 else ()
        yield Row(place, data["text"], rest, View(annotator_of(annotator), stance, targets, tuple(passages), rank), comments)


def _name(value: Any) -> Any:
    """The annotator that the text area holds: ours as JSON, or a name that somebody typed."""
    shown = value[0] if isinstance(value, list) else value
    try:
        found = json.loads(shown)
    except ValueError:
        return shown
    return found if isinstance(found, dict) else shown
