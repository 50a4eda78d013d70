"""The corpus is described, counted against its plan, and its style measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from model.errors import CorpusError
from service.cli import app
from tests.training.test_corpus import line, write
from training.check import check_corpus
from training.corpus import AnnotatedText, load_texts, to_line
from training.plan import is_alone_or_weaker, measure, pairs_of
from training.stats import count_corpus
from training.style import style_features, tell_collections, tell_writers
from training.themes import themes

RUN = CliRunner()
HARMLESS: dict[str, Any] = {"stance": "neutral", "risk_level": 0, "indicators": [], "lookalike": "homonym"}
CLIPPED = "Le cabinet ouvre à dix heures. Parking. Chèque ou espèces. On vient seul. Café offert, biscuits aussi."
FLOWING = "Cette approche permet de retrouver progressivement un équilibre et pour cela nous prenons ensemble le temps nécessaire"


def texts_of(*lines: dict[str, Any]) -> list[AnnotatedText]:
    return [AnnotatedText.model_validate(one) for one in lines]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"theme": "chakras-du-soir"}, "table des thèmes", id="theme"),
        pytest.param({"genre": None}, "genre", id="page-without-genre"),
        pytest.param({"channel": "comment"}, "genre", id="genre-of-a-comment"),
        pytest.param({"register": None}, "register", id="register"),
        pytest.param({"register": "baroque"}, "register", id="unknown-register"),
        pytest.param({"marks": ["soft_sentence"]}, "2 ou 3 est attendu", id="soft-sentence-level"),
        pytest.param({"marks": ["facade_disclaimer"]} | HARMLESS, "un signe est attendu", id="facade-level"),
        pytest.param({"marks": ["person_at_risk"]}, "neutral est attendu", id="risk-stance"),
        pytest.param({"contrast": "negation"}, "2 sont attendues", id="half-alone"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    faults = check_corpus(write(tmp_path, line(**changes))).faults
    assert any("w1.jsonl:1 : " in fault and expected in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param({"contrast": "negation"} | HARMLESS, None, id="right"),
        pytest.param({"contrast": "negation"}, "même verdict", id="same-verdict"),
        pytest.param({"contrast": "regret"} | HARMLESS, "deux genres", id="two-kinds"),
    ],
)
def test_the_halves_of_a_pair_differ_in_verdict(tmp_path: Path, second: dict[str, Any], expected: str | None) -> None:
    halves = line(contrast="negation"), line(id="c2", text="Je n'harmonise pas vos chakras, tarif 50 € la séance.") | second
    halves[1]["indicators"] = [{"label": "mystical_discourse", "start": 5, "end": 30}] if halves[1]["risk_level"] else []
    faults = check_corpus(write(tmp_path, *halves)).faults
    assert (faults == ()) if expected is None else any(expected in fault for fault in faults), faults


def test_the_plan_says_what_is_asked_and_what_is_found() -> None:
    corpus = texts_of(
        line(), line(id="c2", marks=["noise"], region="be", **HARMLESS), line(id="c3", channel="comment", genre=None)
    )
    goals = {goal.id: goal for goal in measure(corpus)}
    assert goals["texts"].found == 3
    assert not goals["texts"].reached
    assert goals["level_0"].found == pytest.approx(1 / 3)
    assert goals["page_passages"].found == 2
    assert goals["evasive_or_noise"].found == 1
    assert goals["most_words_of_a_passage_median"].reached
    assert goals["most_common_opening"].found == 1.0
    assert not goals["most_common_opening"].reached
    assert measure([]) == []


def test_a_whole_corpus_that_falls_short_of_its_plan_is_refused(tmp_path: Path) -> None:
    lines = [
        line(id=f"c{i}", group=f"g{i}", text=f"Numéro {i * 7919} mot{i} : je harmonise vos chakras demain.") for i in range(1000)
    ]
    for one in lines:
        start = one["text"].index("je ")
        one["indicators"] = [{"label": "mystical_discourse", "start": start, "end": start + 24}]
    faults = check_corpus(write(tmp_path, *lines)).faults
    assert any("plan, textes : 1000 ; 4000 attendu" in fault for fault in faults)
    assert any("plan, met en garde : 0" in fault for fault in faults)
    assert any("canal ad : aucun texte" in fault for fault in faults)


def test_a_sign_is_weaker_where_the_level_holds_without_it() -> None:
    both = [{"label": "mystical_discourse", "start": 3, "end": 24}, {"label": "isolation", "start": 26, "end": 35}]
    (text,) = texts_of(line(indicators=both, risk_level=2))
    assert is_alone_or_weaker(text, "mystical_discourse")
    assert not is_alone_or_weaker(text, "isolation")


def test_every_theme_of_the_table_is_a_row_of_the_matrix() -> None:
    tables = {found.title: found for found in count_corpus(texts_of(line(), line(id="c2", theme="hors-table")))}
    assert len(themes()) >= 60
    for title in ("Thèmes : canal et longueur", "Thèmes : registre", "Thèmes : stance et niveau"):
        rows = {str(row[0]): row for row in tables[title].rows}
        assert set(rows) == {theme.name for theme in themes().values()} | {"hors table", "ensemble"}
        assert rows["ensemble"][1] == 2
        assert rows["Soins énergétiques, chakras"][1] == 1


def test_pairs_and_readers_are_counted() -> None:
    reader = {"id": "r1", "kind": "model", "changed": ["signs", "level"]}
    corpus = texts_of(line(contrast="regret", second_reader=reader), line(id="c2", contrast="regret", **HARMLESS))
    assert [len(halves) for halves in pairs_of(corpus).values()] == [2]
    tables = {found.title: found for found in count_corpus(corpus)}
    assert ("regret", 1, 0, 1, 0, 0) in tables["Paires de contraste"].rows
    assert tables["Corrections du second lecteur"].rows == (("w1", 1, 0, 0, 1, 1, 0, "100.0 %", "0.0 %"),)


def test_a_description_survives_its_line() -> None:
    reader = {"id": "r1", "kind": "model", "changed": ["text"]}
    (text,) = texts_of(line(region="qc", marks=["noise"], second_reader=reader))
    assert json.loads(to_line(text))["register"] == "polished"
    assert AnnotatedText.model_validate_json(to_line(text)) == text


@given(st.text(max_size=300))
def test_style_features_are_finite_for_any_text(text: str) -> None:
    features = style_features(text)
    assert all(value == value and abs(value) < 1e4 for value in features.values())
    assert list(features) == list(style_features("Bonjour."))


def test_style_tells_two_hands_apart_and_finds_nothing_between_equals() -> None:
    clipped = [f"{CLIPPED} Numéro {i}." for i in range(30)]
    flowing = [f"{FLOWING} depuis {i} ans." for i in range(30)]
    told = tell_collections(clipped, flowing)
    assert told.value > 0.95
    assert any(trait.name == "mots par phrase" and trait.second_mean > trait.first_mean for trait in told.telling)
    mixed = [*clipped, *flowing]
    assert tell_collections(mixed[::2], mixed[1::2]).value < 0.75
    writers = tell_writers(mixed, ["a"] * 30 + ["b"] * 30)
    assert writers.value > 0.95
    assert writers.chance == 0.5


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: tell_collections(["a"] * 3, ["b"] * 30), id="few-texts"),
        pytest.param(lambda: tell_writers(["a"] * 30, ["w1"] * 30), id="one-writer"),
    ],
)
def test_too_few_texts_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(CorpusError, match="attendu"):
        call()


def test_the_style_verb_compares_with_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = [line(id=f"c{i}", group=f"g{i}", writer=f"w{i % 2}", text=f"{CLIPPED} {i}", **HARMLESS) for i in range(40)]
    write(folder, *lines)
    other = tmp_path / "réels.jsonl"
    other.write_text("\n".join(json.dumps({"text": f"{FLOWING} {i}"}) for i in range(20)), encoding="utf-8")
    done = RUN.invoke(app, ["corpus", "style", str(folder), "--against", str(other), "--json"])
    assert done.exit_code == 0, done.output
    writers, collections = json.loads(done.stdout)
    assert writers["chance"] == 0.5
    assert collections["value"] > 0.95
    shown = RUN.invoke(app, ["corpus", "style", str(folder), "--against", str(other)])
    assert "aire sous la courbe ROC" in shown.stdout
    assert collections["telling"][0]["name"] in shown.stdout


@pytest.mark.parametrize("content", ['{"texte": "x"}', "pas du json", "[]"])
def test_a_comparison_file_without_text_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "autre.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"autre\.jsonl:1 .*« text »"):
        load_texts(path)
