"""The comparison of models: every row runs on the same folds, twice alike; what cannot be compared is refused in words."""

from dataclasses import replace

import numpy as np
import pytest

from model.errors import CorpusError
from tests.training.test_corpus import line
from training.baselines import Run, rule_scores
from training.blocks import BLOCKS, SomeBlocks, all_blocks, columns_of, weighted
from training.compare import ROW_NAMES, ROWS, SLOW_FOLDS, Comparison, compare, rows_named
from training.compared import best_threshold, compared, tables
from training.corpus import AnnotatedText
from training.footprint import measure_footprint
from training.matrices import example_of
from training.pool import HEADS, Pool
from training.textcat import Recipe, TextcatWork, run_textcat


@pytest.fixture(scope="module")
def few(corpus: list[AnnotatedText]) -> list[AnnotatedText]:
    """A part of the corpus, all splits and writers."""
    return corpus[::46]


@pytest.fixture(scope="module")
def pool(few: list[AnnotatedText]) -> Pool:
    return Pool(few, 2, 0)


def _run(pool: Pool, name: str) -> Run:
    (row,) = rows_named([name])
    parts = [*pool.folds, pool.dev]
    if isinstance(row.run, Recipe):
        texts = tuple(example.document.text for example in pool.examples)
        shortened = replace(row.run, epochs=1)
        places = tuple((part.learn, part.held) for part in parts)
        return run_textcat(TextcatWork(texts, pool.truth[:, : len(HEADS)], places, shortened, 0))
    return row.run(pool, parts)


@pytest.mark.parametrize("name", ROW_NAMES)
def test_a_row_scores_held_out_texts_and_its_model_scores_raw_texts_the_same(pool: Pool, name: str) -> None:
    run = _run(pool, name)
    for part, scores in zip([*pool.folds, pool.dev], run.scores, strict=True):
        assert scores.flag.shape == part.held.shape
        assert ((scores.flag >= 0) & (scores.flag <= 1)).all()
    raw = run.predictor.predict([pool.texts[place].text for place in pool.dev.held[:4]])
    np.testing.assert_allclose(raw.flag, run.scores[-1].flag[:4], atol=1e-4)
    if raw.signs is not None and run.scores[-1].signs is not None:
        np.testing.assert_allclose(raw.signs, run.scores[-1].signs[:4], atol=1e-4)


def test_no_writer_is_on_both_sides_of_a_fold(pool: Pool) -> None:
    for part in pool.folds:
        assert not set(pool.writers[part.learn]) & set(pool.writers[part.held])
    held = np.concatenate([part.held for part in pool.folds])
    assert sorted(held) == list(range(len(pool.dev.learn)))
    assert {text.split for text in pool.texts} == {"train", "dev"}


def _figures(found: Comparison) -> list[object]:
    return [(line.row.name, line.folds, line.dev) for line in found.lines]


def test_the_same_seed_gives_the_same_figures(few: list[AnnotatedText]) -> None:
    names = ["mixing", "shared", "textcat-bow", "words"]
    said: list[str] = []
    one = compare(few, only=names, folds=2, costs=False, say=said.append)
    two = compare(few, only=names, folds=2, costs=False)
    assert _figures(one) == _figures(two)
    assert [line.row.name for line in one.lines] == [row.name for row in ROWS if row.name in names]
    assert sorted(text.split()[1] for text in said) == names


def test_a_slow_row_says_how_many_folds_it_had_and_what_the_model_does_on_them(few: list[AnnotatedText]) -> None:
    found = compare(few, only=["product", "chain"], folds=SLOW_FOLDS + 1, costs=False)
    folds = tables(found)[0]
    assert [row[1] for row in folds.rows] == [str(SLOW_FOLDS + 1), str(SLOW_FOLDS), str(SLOW_FOLDS)]
    assert found.same_folds is not None
    assert found.same_folds.texts == found.lines[1].folds.texts < found.lines[0].folds.texts


def test_blocks_taken_one_by_one_are_those_of_the_product(pool: Pool) -> None:
    passages = [example.view.whole for example in pool.examples[:30]]
    features = all_blocks().fit(passages)
    everything = features.transform(passages)
    assert columns_of(features)[BLOCKS[-1]].stop == everything.shape[1]
    parameters = {name.removesuffix("_weight") for name in features.get_params() if name.endswith("_weight")}
    assert parameters == set(BLOCKS), "un bloc de model.features manque à training.blocks"
    for block in BLOCKS:
        alone = SomeBlocks({block: 2.0}).taken_from(features).transform(passages)
        np.testing.assert_allclose(alone.toarray(), weighted(everything, columns_of(features), {block: 2.0}).toarray(), atol=1e-6)


def test_rules_alone_flag_a_promise_and_not_a_warning() -> None:
    def rank(text: str) -> float:
        return float(rule_scores(example_of(AnnotatedText.model_validate(line(text=text, indicators=[]))).document)[-1])

    assert rank("Je guéris le cancer en trois séances, arrêtez la chimio.") > 2
    assert rank("Méfiez-vous de qui vous dit « je guéris le cancer ».") == 0
    assert rank("Cours de poterie le mardi soir.") == 0


def test_the_threshold_is_chosen_on_the_other_folds(pool: Pool) -> None:
    run = _run(pool, "words")
    before = compared(pool.truth, pool.folds, run.scores[:2])
    # A fold is judged at the threshold of the other: shrinking its scores changes what it flags.
    moved = replace(run.scores[0], flag=run.scores[0].flag / 2)
    after = compared(pool.truth, pool.folds, (moved, run.scores[1]))
    assert before.f1.value != after.f1.value
    everything = compared(pool.truth, pool.folds, run.scores[:2], threshold=0.0)
    flagged = float(pool.truth[pool.dev.learn][:, HEADS.index("flag")].mean())
    assert everything.f1.value == pytest.approx(2 * flagged / (1 + flagged))


def test_the_best_threshold_does_not_part_equal_scores() -> None:
    scores, truth = np.asarray([0.9, 0.5, 0.5, 0.1]), np.asarray([True, True, False, False])
    assert best_threshold(scores, truth) in {0.3, 0.7}


def test_a_cost_is_measured_in_a_fresh_process(pool: Pool) -> None:
    words, encoder = (_run(pool, name).predictor for name in ("words", "encoder"))
    sample = [pool.texts[place].text for place in pool.dev.held[:6]]
    light, heavy = measure_footprint(words, sample), measure_footprint(encoder, sample)
    assert light.rate > heavy.rate
    assert 0 < light.disk < 10
    assert not light.memory > heavy.memory


@pytest.mark.parametrize(
    ("texts", "folds", "message"),
    [
        pytest.param([], 2, "au moins 40", id="empty"),
        pytest.param([line(id=f"c{i}", writer=f"w{i % 9}") for i in range(60)], 2, "0 de « dev »", id="no-dev"),
        pytest.param(
            [line(id=f"c{i}", writer=f"w{i % 3}", split="train" if i < 50 else "dev") for i in range(60)],
            5, "demandent au moins 6", id="few-writers",
        ),
        pytest.param(
            [line(id=f"c{i}", writer=f"w{i % 9}", split="train" if i < 50 else "dev") for i in range(60)],
            2, "trop petit pour comparer", id="nothing-flagged",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(texts: list[dict[str, object]], folds: int, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        compare([AnnotatedText.model_validate(text) for text in texts], folds=folds, costs=False)


def test_an_unknown_row_is_refused_with_the_names_known() -> None:
    with pytest.raises(CorpusError, match=r"magic ; attendu parmi rules, words"):
        rows_named(["words", "magic"])
