"""Choosing the model that serves, and going back: what happens to the pointer and to the history beside it."""

import shutil
from pathlib import Path

import pytest

from model.errors import ArtefactError
from model.promotion import HISTORY, history, promote, rollback
from model.store import current_name, set_current
from tests.signed import renamed


@pytest.fixture
def root(artefacts: Path, tmp_path: Path) -> Path:
    """A folder where one model goes by three names; the first one serves."""
    for name in ("a", "b", "c"):
        renamed(artefacts / current_name(artefacts), tmp_path, name, shared=True)
    set_current(tmp_path, "a")
    return tmp_path


def test_going_back_twice_goes_two_models_back(root: Path) -> None:
    assert promote(root, "b") == "a"
    assert promote(root, "c") == "b"
    assert promote(root, "c") == "c"
    assert rollback(root) == ("c", "b")
    assert rollback(root) == ("b", "a")
    with pytest.raises(ArtefactError, match="Aucun modèle à reprendre"):
        rollback(root)
    assert current_name(root) == "a"
    assert [(change.verb, change.name) for change in history(root)] == [
        ("found", "a"),
        ("promote", "b"),
        ("promote", "c"),
        ("rollback", "b"),
        ("rollback", "a"),
    ]


def test_a_model_put_there_by_a_training_is_gone_back_from(root: Path) -> None:
    promote(root, "b")
    set_current(root, "c")
    with (root / HISTORY).open("a") as lines:
        lines.write('{"at": "2026-11-22T12:00\n["pas", "un", "objet"]\n')
    assert rollback(root) == ("c", "b")
    assert current_name(root) == "b"


def test_what_cannot_be_loaded_is_not_promoted(root: Path) -> None:
    (root / "d").mkdir()
    for name in ("d", "absent"):
        with pytest.raises(ArtefactError, match=name):
            promote(root, name)
    assert current_name(root) == "a"
    assert history(root) == []
    promote(root, "b")
    shutil.rmtree(root / "a")
    with pytest.raises(ArtefactError, match="a"):
        rollback(root)
    assert current_name(root) == "b"
