"""A short form of `make hostile`: every call of the API, as nobody, with keys and with sessions; nothing answers by a fault."""

from pathlib import Path

from service.app import create_app
from service.problems import MEDIA_TYPE
from service.settings import Settings
from tests.harness.hostile import callers, run, served

_TURN = 8
_EXAMPLES = 3


def test_no_call_of_the_document_breaks_the_service(artefacts: Path, tmp_path: Path) -> None:
    with served(tmp_path, artefacts) as (settings, engine):
        found = run(f"http://127.0.0.1:{settings.port}", callers(engine, settings), _TURN, _EXAMPLES)
    assert found.broken == 0, found.summary()
    assert found.faults == [], found.summary()
    assert found.calls > 500
    document = create_app(Settings(model_dir=artefacts)).openapi()
    declared = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}
    assert declared <= set(found.paths)


def test_every_answer_and_every_right_is_declared(artefacts: Path) -> None:
    document = create_app(Settings(model_dir=artefacts)).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert "default" not in answers
            assert {"421", "429", "503"} <= set(answers), path
            assert "security" in operation
            if operation["security"]:
                assert {"401", "403"} <= set(answers), path
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                assert {"400", "413", "415"} <= set(answers), path
            for status, answer in answers.items():
                assert status.startswith("2") or set(answer["content"]) == {MEDIA_TYPE}, f"{method} {path} {status}"
