"""What several tests share: the trained artefact and an analyser on it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from model.analyser import Analyser
from model.store import current_name
from training.corpus import AnnotatedText, load_corpus

ROOT = Path(__file__).resolve().parents[1]
# Commands that tests run from another folder believe the keys of this checkout too.
os.environ.setdefault("VIGIE_SIGNING_KEY", str(ROOT / "var" / "keys" / "operator.pem"))
os.environ.setdefault("VIGIE_TRUSTED_KEYS", str(ROOT / "var" / "keys" / "trusted.txt"))
# An example takes as long as the machine is busy: how fast code must be is for tests that measure it.
hypothesis.settings.register_profile("vigie", deadline=None)
hypothesis.settings.load_profile("vigie")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """The root of the artefacts that `make test` trained."""
    root = Path(os.environ.get("VIGIE_MODEL_DIR", ROOT / "artefacts")).resolve()
    current_name(root)
    return root


@pytest.fixture(scope="session")
def analyser(artefacts: Path) -> Analyser:
    """The model that serves."""
    return Analyser.load(artefacts)


@pytest.fixture(scope="session")
def corpus() -> list[AnnotatedText]:
    """The corpus of the repository."""
    return load_corpus(ROOT / "data" / "annotated")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A real Chromium, for the tests of a file: a process drives one only, and no other event loop meanwhile."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Chromium est introuvable : installez le paquet « chromium » (« make test » le fait en root).")
    return found
