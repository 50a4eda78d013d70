"""`vigie compare`: the table between its marks and nowhere else; what is asked wrongly is said before the work begins."""

import json
from pathlib import Path

import pytest

from tests.service.test_batch import inside
from training.compared import COMPARE_MARKS
from training.corpus import AnnotatedText, to_line

BEGIN, END = COMPARE_MARKS


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, corpus: list[AnnotatedText]) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "few.jsonl").write_text("\n".join(to_line(text) for text in corpus[::23]) + "\n", encoding="utf-8")
    return folder


def test_the_table_is_written_between_the_marks(tmp_path: Path, few: Path) -> None:
    card = tmp_path / "modele.md"
    card.write_text(f"avant\n\n{BEGIN}\nancien\n{END}\n\naprès\n", encoding="utf-8")
    asked = ("compare", "--data", str(few), "--only", "rules,words", "--folds", "2", "--card", str(card))
    done = inside(*asked, artefacts=tmp_path)
    assert done.returncode == 0, done.stderr
    content = card.read_text(encoding="utf-8")
    assert content.startswith(f"avant\n\n{BEGIN}\n")
    assert content.endswith(f"{END}\n\naprès\n")
    assert "ancien" not in content
    assert content.count("(`words`) |") == 3
    assert "1/2 rules : AP du drapeau" in done.stderr
    assert "Coût pour prédire" in done.stdout


def test_without_a_card_a_few_rows_are_only_shown(tmp_path: Path, few: Path) -> None:
    done = inside("compare", "--data", str(few), "--only", "rules", "--folds", "2", "--json", artefacts=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["row"] == "rules"
    assert 0 < found["folds"]["flag_precision"] < 1
    assert found["cost"]["rate"] > 0
    assert "récrits" not in done.stderr


def test_an_unknown_row_is_a_wrong_use(tmp_path: Path) -> None:
    done = inside("compare", "--only", "words,magie", artefacts=tmp_path)
    assert done.returncode == 2
    assert "Ligne inconnue : magie" in " ".join(done.stderr.replace("│", " ").split())


def test_a_missing_corpus_and_a_card_without_marks_are_named_first(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    done = inside("compare", "--data", str(absent), "--only", "rules", artefacts=tmp_path)
    assert (done.returncode, done.stderr) == (1, f"vigie : Aucun fichier .jsonl dans {absent}.\n")
    card = tmp_path / "modele.md"
    card.write_text("sans marque\n", encoding="utf-8")
    done = inside("compare", "--data", str(absent), "--card", str(card), artefacts=tmp_path)
    assert done.returncode == 1
    assert "sont attendues" in done.stderr
    assert card.read_text(encoding="utf-8") == "sans marque\n"
