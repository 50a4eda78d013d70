"""What the README shows is what the product does."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from model.analyser import Analyser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_answer_shown_is_the_answer_given(analyser: Analyser) -> None:
    request = re.search(r"^\$ curl .*?```", README, re.MULTILINE | re.DOTALL)
    assert request
    words = shlex.split(request.group().removesuffix("```").removeprefix("$ "))
    sent = json.loads(words[words.index("-d") + 1])
    blocks = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    shown = json.loads(blocks[0])
    given = analyser.predict(sent["text"], id=sent["id"]).model_dump(mode="json", exclude_none=True)
    given["indicators"] = [indicator for indicator in given["indicators"] if indicator["present"]]
    for field, value in shown.items():
        assert given[field] == value, f"« {field} » du README n'est plus ce que répond le modèle"
    doubtful = next(sign for sign in shown["indicators"] if sign["id"] == "vulnerable_target")
    assert f"à {doubtful['score']:.2f}, se discute".replace(".", ",") in README.replace("\n", " ")


def test_make_alone_lists_the_verbs() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for verb in ("install", "train", "serve", "test", "check", "bench"):
        assert f"make {verb}" in listed
        assert verb in README


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_setting_is_named() -> None:
    from service.settings import Settings

    for name in Settings.model_fields:
        assert f"VIGIE_{name.upper()}" in README


def test_every_route_is_named() -> None:
    from service.app import create_app
    from service.settings import Settings

    for path in create_app(Settings()).openapi()["paths"]:
        tail = path.removeprefix("/v1/predict")
        assert path in README or (path.startswith("/v1/predict") and tail in README)
