"""Agreement between annotators, suspects, and functional suites: the figures are those one computes by hand."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.analyser import Analyser
from model.errors import CorpusError
from tests.service.test_batch import ROOT, inside
from tests.training.test_corpus import line, write
from training.agreement import disagreements, measure_agreement
from training.corpus import AnnotatedText
from training.neardup import near_pairs
from training.suite import Case, check_frozen, judge, load_suite, report, suite_hash, suite_path
from training.suspects import rank_suspects

TEXT = "Je harmonise vos chakras en une séance, tarif 50 €."


def annotation(
    name: str, *passages: tuple[str, int, int], stance: str = "promotes", targets: tuple[str, ...] = ()
) -> dict[str, Any]:
    level = 0 if not passages else 2 if targets else 1
    signs = [{"label": label, "start": start, "end": end} for label, start, end in passages]
    kind = {"id": name, "kind": "model"}
    return {"annotator": kind, "stance": stance, "risk_level": level, "indicators": signs, "targets": targets}


def twice(number: int, first: dict[str, Any], second: dict[str, Any]) -> AnnotatedText:
    return AnnotatedText.model_validate(line(id=f"c{number}", annotations=[first, second]))


MYSTICAL = ("mystical_discourse", 3, 24)
SHORTER = ("mystical_discourse", 18, 24)


def test_agreement_is_what_one_computes_by_hand() -> None:
    texts = [
        twice(0, annotation("a", MYSTICAL), annotation("b", MYSTICAL)),
        twice(1, annotation("a", MYSTICAL), annotation("b", SHORTER)),
        twice(2, annotation("a", MYSTICAL), annotation("b")),
        twice(3, annotation("a"), annotation("b")),
        twice(4, annotation("a", stance="neutral"), annotation("b", stance="warns")),
    ]
    found = measure_agreement([*texts, AnnotatedText.model_validate(line(id="seul"))])
    assert (found.texts, found.annotators) == (5, ("a", "b"))
    mystical = next(label for label in found.labels if label.id == "mystical_discourse")
    assert (mystical.first, mystical.second, mystical.both) == (3, 2, 2)
    assert mystical.raw == pytest.approx(4 / 5)
    # Ten values, five ones: expected disagreement 5*5*2/(10*9), observed 2/10 (Krippendorff, 2004, chapter 11).
    assert mystical.alpha == pytest.approx(1 - (2 / 10) / (50 / 90))
    assert mystical.low <= mystical.alpha <= mystical.high
    isolation = next(label for label in found.labels if label.id == "isolation")
    assert np.isnan(isolation.alpha)
    assert not isolation.clear
    passages = next(label for label in found.passages if label.id == "mystical_discourse")
    # « harmonise vos chakras » against « chakras » : one word of three in common, F1 = 2*1/(3+1).
    assert passages.word_f1 == pytest.approx((1 + 0.5) / 2)
    assert (passages.touching, passages.identical) == (1.0, 0.5)
    assert found.level_raw == pytest.approx(4 / 5)


def test_disagreements_are_listed_and_a_corpus_without_any_is_refused() -> None:
    texts = [twice(0, annotation("a", MYSTICAL, targets=("illness",)), annotation("b"))]
    (found,) = disagreements(texts)
    assert (found.first_only, found.second_only) == (("illness", "mystical_discourse"), ())
    with pytest.raises(CorpusError, match="deux annotations"):
        measure_agreement([AnnotatedText.model_validate(line())])


def test_the_verb_writes_the_card(tmp_path: Path, artefacts: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write(folder, line(annotations=[annotation("a", MYSTICAL), annotation("b")]))
    card = tmp_path / "carte.md"
    marks = "<!-- accord : début (vigie corpus agreement --card) -->\nvieux\n<!-- accord : fin -->"
    card.write_text(f"# Carte\n{marks}\nfin\n", encoding="utf-8")
    done = inside("corpus", "agreement", str(folder), "--list", "--card", str(card), artefacts=artefacts)
    assert done.returncode == 0, done.stderr
    assert "Accord par étiquette" in done.stdout
    assert "mystical_discourse" in done.stdout
    content = card.read_text(encoding="utf-8")
    assert "vieux" not in content
    assert "| discours mystique |" in content
    assert content.endswith("fin\n")
    listed = json.loads(inside("corpus", "agreement", str(folder), "--list", "--json", artefacts=artefacts).stdout)
    assert listed["disagreements"] == [["c1", ["mystical_discourse"], []]]


def test_a_label_that_the_scores_contradict_comes_first() -> None:
    generator = np.random.default_rng(0)
    given = np.arange(80) % 2 == 0
    scores = np.where(given, 0.9, 0.1) + generator.uniform(-0.05, 0.05, 80)
    scores[10], scores[11] = 0.02, 0.97
    harmless = {"stance": "neutral", "risk_level": 0, "indicators": []}
    texts = [AnnotatedText.model_validate(line(id=f"c{n}", **({} if given[n] else harmless))) for n in range(80)]
    first, second, third, *_ = rank_suspects(texts, {"mystical_discourse": scores})
    assert {(first.text.id, first.given), (second.text.id, second.given)} == {("c10", True), ("c11", False)}
    assert first.issue
    assert second.issue
    assert third.quality > 0.8
    assert rank_suspects(texts, {"isolation": scores}) == []


def case(**changes: Any) -> Case:
    base = {"id": "x", "functionality": "f", "text": "Arrêtez la chimio.", "stance": ["promotes"], "levels": [3]}
    return Case.model_validate(base | changes)


def test_a_case_fails_for_what_it_says(analyser: Analyser) -> None:
    offer = "Je soigne le cancer par les plantes, arrêtez la chimio."
    prediction = analyser.predict(offer)
    found = {indicator.id for indicator in prediction.indicators if indicator.present}
    assert {"miracle_cure", "breaking_with_medicine"} <= found
    assert judge(case(present=["miracle_cure"], absent=["isolation"]), prediction).passed
    assert judge(case(present=sorted(found), absent=["*"]), prediction).passed
    wrong = judge(case(stance=["neutral"], levels=[0], present=["isolation"], absent=["*"]), prediction)
    assert len(wrong.faults) == 4
    assert "miracle_cure" in " ".join(wrong.faults)
    assert judge(case(), analyser.predict("")).faults == ("non analysé (error)",)


def test_pairs_pass_only_whole(analyser: Analyser) -> None:
    cases = [case(id="a", pair="p"), case(id="b", pair="p", levels=[0]), case(id="c", identity="x")]
    prediction = analyser.predict("Je soigne le cancer par les plantes, arrêtez la chimio.")
    found = report(cases, [prediction] * 3)
    assert (found.everything.cases.hits, found.everything.cases.total) == (2, 3)
    assert (found.everything.pairs.hits, found.everything.pairs.total) == (0, 1)
    assert [outcome.case.id for outcome in found.failures] == ["b"]
    assert [identity.name for identity in found.identities] == ["f : x"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"id": "a"}', r"s\.jsonl:1 : champ « functionality »", id="missing"),
        pytest.param(2 * (case().model_dump_json() + "\n"), "déjà pris", id="twice"),
        pytest.param(case().model_dump_json().replace("promotes", "vend"), "stance", id="stance"),
    ],
)
def test_a_bad_suite_is_named(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "s.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=expected):
        load_suite(tmp_path / "s.jsonl")
    with pytest.raises(CorpusError, match=r"il y a : s"):
        suite_path("absente", tmp_path)


SUITES = ROOT / "tests" / "suites"


@pytest.mark.parametrize("name", ["derivecheck", "neutral_mentions"])
def test_a_frozen_suite_has_not_moved(name: str) -> None:
    assert suite_hash(SUITES / f"{name}.jsonl") == (SUITES / f"{name}.sha256").read_text(encoding="utf-8").strip()


def test_derivecheck_is_broad() -> None:
    cases = load_suite(SUITES / "derivecheck.jsonl")
    assert len(cases) >= 600
    assert len({one.functionality for one in cases}) >= 35
    assert sum(one.pair is not None for one in cases) >= len(cases) / 2
    halves: dict[str, list[Case]] = {}
    for one in cases:
        if one.pair:
            halves.setdefault(one.pair, []).append(one)
    for pair, both in halves.items():
        assert len(both) == 2, pair
        assert any(getattr(both[0], field) != getattr(both[1], field) for field in ("stance", "levels", "present")), pair


def test_neutral_mentions_are_harmless_and_balanced() -> None:
    cases = load_suite(SUITES / "neutral_mentions.jsonl")
    assert len(cases) >= 300
    assert {(one.stance, one.levels, one.absent) for one in cases} == {(("neutral",), (0,), ("*",))}
    groups = [one.functionality for one in cases]
    assert len(set(groups)) == 10
    assert max(map(groups.count, set(groups))) <= 1.5 * min(map(groups.count, set(groups)))
    assert all(one.identity for one in cases)


@pytest.mark.parametrize("name", ["derivecheck", "neutral_mentions", "regressions"])
def test_no_case_is_a_near_duplicate_of_the_corpus(name: str, corpus: list[AnnotatedText]) -> None:
    cases = load_suite(SUITES / f"{name}.jsonl")
    texts = [text.text for text in corpus] + [one.text for one in cases]
    crossing = [pair for pair in near_pairs(texts) if pair.first < len(corpus) <= pair.second]
    assert [(corpus[pair.first].id, cases[pair.second - len(corpus)].id) for pair in crossing] == []


def test_the_verb_passes_a_suite(artefacts: Path) -> None:
    done = inside("evaluate", "--suite", "derivecheck", "--json", artefacts=artefacts)
    found = json.loads(done.stdout)
    assert found["everything"]["cases"]["total"] >= 600
    assert len(found["functionalities"]) >= 35
    assert found["failures"]
    shown = inside("evaluate", "--suite", "regressions", artefacts=artefacts).stdout
    assert "cas réussis" in shown
    absent = inside("evaluate", "--suite", "absente", artefacts=artefacts)
    assert (absent.returncode, "derivecheck" in absent.stderr) == (1, True)


def test_a_frozen_suite_that_moved_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(case().model_dump_json(), encoding="utf-8")
    check_frozen(path)
    path.with_suffix(".sha256").write_text(suite_hash(path) + "\n", encoding="utf-8")
    check_frozen(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="figée"):
        check_frozen(path)
    with pytest.raises(CorpusError, match="aucun cas"):
        load_suite(path)


def test_brackets_of_a_text_are_shown_as_they_are(tmp_path: Path, artefacts: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    differing = [annotation("a", MYSTICAL), annotation("b")]
    write(folder, line(text="Je harmonise vos chakras [live] [/b] en une séance", annotations=differing))
    done = inside("corpus", "agreement", str(folder), "--list", artefacts=artefacts)
    assert done.returncode == 0, done.stderr
    assert "[live] [/b]" in done.stdout


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_bytes(b"abc\n")
    assert suite_hash(tmp_path / "s.jsonl") == hashlib.sha256(b"abc\n").hexdigest()
