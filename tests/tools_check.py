"""Run with the interpreter of `.venv-tools`: the annotation tools' own libraries read an exported file.

`label-studio FILE CONFIG` prints how many tasks and annotations the labelling interface accepts, `label-studio-predictions`
how many tasks and predictions (an object `{"tasks", "predictions"}`); `argilla FILE OUT` reads every record and writes again
what the library holds.
"""

import json
import sys
from pathlib import Path


def label_studio(tasks: Path, config: Path) -> dict[str, int]:
    """Count what the interface accepts."""
    from label_studio_sdk.label_interface import LabelInterface  # type: ignore[import-not-found, unused-ignore]

    interface = LabelInterface(config.read_text(encoding="utf-8"))
    interface.validate()
    read = json.loads(tasks.read_text(encoding="utf-8"))
    annotations = [annotation for task in read for annotation in task["annotations"]]
    return {
        "tasks": sum(bool(interface.validate_task({"data": task["data"]})) for task in read),
        "annotations": sum(bool(interface.validate_annotation(annotation)) for annotation in annotations),
    }


def label_studio_predictions(exchanged: Path, config: Path) -> dict[str, int]:
    """Count the tasks and predictions that the interface accepts, and the regions that it knows the labels of."""
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface(config.read_text(encoding="utf-8"))
    interface.validate()
    read = json.loads(exchanged.read_text(encoding="utf-8"))
    regions = [region for prediction in read["predictions"] for region in prediction["result"]]
    return {
        "tasks": sum(bool(interface.validate_task({"data": task["data"]})) for task in read["tasks"]),
        "predictions": sum(bool(interface.validate_prediction(prediction)) for prediction in read["predictions"]),
        "regions": sum(bool(interface.validate_region(region)) for region in regions),
    }


def argilla(records: Path, out: Path) -> dict[str, int]:
    """Read the records and write them again."""
    from argilla import Record  # type: ignore[import-not-found, unused-ignore]

    read = [Record.from_dict(record) for record in json.loads(records.read_text(encoding="utf-8"))]
    out.write_text(json.dumps([record.to_dict() for record in read]), encoding="utf-8")
    return {"records": len(read)}


if __name__ == "__main__":
    name, first, second = sys.argv[1:]
    checks = {"label-studio": label_studio, "label-studio-predictions": label_studio_predictions, "argilla": argilla}
    counts = checks[name](Path(first), Path(second))
    print(json.dumps(counts))  # noqa: T201
