"""Intervals, evaluation, counts and cards say what they should of small cases that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from model.classifier import MIXED_HEADS
from model.decide import Affirmed, Decision, OperatingPoint, decide
from model.errors import CorpusError
from model.labels import INDICATOR_IDS, OPERATING_POINTS, TARGET_IDS
from model.records import IndicatorScore, Prediction, Risk, Stance
from tests.training.test_corpus import line
from training.agreement import agreement_tables, measure_agreement
from training.corpus import AnnotatedText
from training.data_card import AGREEMENT_MARKS, STATS_MARKS, markdown_tables, update_card
from training.evaluate import evaluate
from training.intervals import bootstrap, share
from training.stats import READINGS, REVIEWS, count_corpus, count_readings, count_reviews, write_plots
from training.thresholds import Scored, operating_points, page_penalty


def test_wilson_interval_of_a_known_case() -> None:
    found = share(8, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.8, 0.49, 0.943)


def test_a_share_of_nothing_is_unknown() -> None:
    found = share(0, 0)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)


def test_bootstrap_holds_the_value_and_repeats() -> None:
    rows = np.asarray([0.0, 1.0] * 50)
    one, two = (bootstrap(100, lambda chosen: float(rows[chosen].mean())) for _ in range(2))
    assert one == two
    assert one.low < one.value < one.high


def prediction(level: int, stance: str, present: tuple[str, ...] = (), score: float = 0.5) -> Prediction:
    """A prediction with a level, a stance and indicators present, without passages."""
    return Prediction(
        status="ok",
        model_version="t",
        operating_point="balanced",
        risk=Risk(score=score, level=level, label="", reasons=[]),
        stance=Stance.model_validate({"value": stance, "scores": {"promotes": 1.0, "warns": 0.0, "neutral": 0.0}}),
        indicators=[
            IndicatorScore(id=name, label=name, score=0.5, present=name in present, evidence=[]) for name in INDICATOR_IDS
        ],
    )


def test_evaluate_counts_by_hand() -> None:
    texts = [
        AnnotatedText.model_validate(line(risk_level=2, targets=["illness"])),
        AnnotatedText.model_validate(line(id="c2", stance="warns", risk_level=0, indicators=[], lookalike="warning")),
        AnnotatedText.model_validate(line(id="c3", stance="neutral", risk_level=0, indicators=[])),
    ]
    found = evaluate(
        texts,
        [
            prediction(2, "promotes", ("mystical_discourse",), 0.9),
            prediction(3, "promotes", ("miracle_cure",), 0.6),
            prediction(0, "neutral", (), 0.1),
        ],
    )
    assert found["flag"]["recall"]["hits"] == 1
    assert found["flag"]["precision"] == share(1, 2).to_json()
    assert found["flag"]["average_precision"] == 1.0
    assert found["flagged_among"]["warns"]["hits"] == 1
    assert found["flagged_among"]["lookalike_warning"]["total"] == 1
    assert found["stance"]["accuracy"]["hits"] == 2
    assert found["level"]["accuracy"]["hits"] == 2
    assert found["indicators"]["labels"]["mystical_discourse"]["f1"] == 1.0
    assert found["indicators"]["labels"]["miracle_cure"]["precision"]["hits"] == 0


def _scored(seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    truth = random.random((400, len(MIXED_HEADS))) < 0.3
    logits = np.where(truth, 1.5, -1.5) + random.normal(0, 1.2, truth.shape)
    return Scored(logits, truth, tuple(frozenset({"illness", "minor"}) for _ in range(400)), (Affirmed(),) * 400)


def test_operating_points_are_nested() -> None:
    scored = _scored()
    points = operating_points(scored)
    assert tuple(points) == OPERATING_POINTS
    for row, mentioned in zip(scored.logits, scored.mentioned, strict=True):
        wide, middle, narrow = (set(decide(row, mentioned, points[name]).present) for name in OPERATING_POINTS)
        assert narrow <= middle <= wide


def test_a_flagged_text_has_a_sign_that_makes_the_level_and_only_then() -> None:
    point = OperatingPoint(dict.fromkeys(INDICATOR_IDS, 0.5), 0.5, dict.fromkeys(TARGET_IDS, 0.5), flag=0.6)
    logits = dict.fromkeys(MIXED_HEADS, -4.0) | {"promotes": 3.0, "mystical_discourse": 2.0, "isolation": -0.5}

    def found(**changed: float) -> Decision:
        return decide(np.asarray(list((logits | changed).values())), frozenset(), point)

    assert found(flag=0.0).present == ("mystical_discourse",)
    assert found(flag=1.0).present == ("mystical_discourse", "isolation")
    assert found(flag=1.0, promotes=-3.0).present == ()
    assert found(flag=1.0, undue_influence=1.0).present == ("mystical_discourse", "undue_influence")
    # Three weak signs make level 2 without it.
    assert found(flag=1.0, pseudo_science=1.0, misleading_title=1.0).present == (
        "mystical_discourse",
        "pseudo_science",
        "misleading_title",
    )


def test_page_penalty_keeps_the_highest_of_many_draws_as_rare_as_one() -> None:
    random = np.random.default_rng(1)
    logits = np.tile(random.exponential(0.8, (20_000, 1)), (1, len(MIXED_HEADS)))
    penalty = page_penalty(logits, np.zeros(logits.shape, dtype=bool))
    assert penalty[0] == pytest.approx(0.8, rel=0.15)
    pages = random.choice(logits[:, 0], (20_000, 20)).max(axis=1) - penalty[0] * np.log(20)
    assert (pages > 4).mean() <= 2 * (logits[:, 0] > 4).mean()


def test_counts_agree_with_the_corpus(corpus: list[AnnotatedText]) -> None:
    tables = {found.title: found for found in count_corpus(corpus)}
    assert dict(tables["Vue d'ensemble"].rows)["textes"] == len(corpus)
    assert tables["Stance et niveau"].rows[-1][-1] == len(corpus)
    assert tables["Canal et niveau"].rows[-1][-1] == len(corpus)


def test_plots_and_card_are_written(tmp_path: Path, corpus: list[AnnotatedText]) -> None:
    for path in write_plots(corpus[:40], tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
    card = tmp_path / "README.md"
    card.write_text("avant\n<!-- tableaux : début (vigie corpus stats --card) -->\nx\n<!-- tableaux : fin -->\naprès\n", "utf-8")
    update_card(card, count_corpus(corpus[:40]), STATS_MARKS)
    content = card.read_text("utf-8")
    assert content.startswith("avant")
    assert content.endswith("après\n")
    assert "| textes | 40 |" in content
    card.write_text("sans marques", "utf-8")
    with pytest.raises(CorpusError, match="marques"):
        update_card(card, [], STATS_MARKS)


def test_the_data_card_is_up_to_date(corpus: list[AnnotatedText]) -> None:
    folder = Path(__file__).resolve().parents[2] / "data" / "annotated"
    card = (folder / "README.md").read_text("utf-8")
    counted = [*count_corpus(corpus), count_reviews(folder / REVIEWS), count_readings(folder / READINGS)]
    assert f"{STATS_MARKS[0]}\n\n{markdown_tables(counted)}\n\n{STATS_MARKS[1]}" in card, "vigie corpus stats --card"
    agreed = markdown_tables(agreement_tables(measure_agreement(corpus)))
    assert f"{AGREEMENT_MARKS[0]}\n\n{agreed}\n\n{AGREEMENT_MARKS[1]}" in card, "vigie corpus agreement --card"


def test_reviews_of_doubtful_labels_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("id,label,verdict\na,isolation,kept\nb,isolation,changed\nc,minor,kept\n", encoding="utf-8")
    assert count_reviews(path).rows == (("isolation", 2, 1), ("minor", 1, 0), ("ensemble", 3, 1))
    path.write_text("id,label,verdict\na,isolation,maybe\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"reviews\.csv:2"):
        count_reviews(path)


def test_last_readings_are_counted_by_writer(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_text("id,writer,relabel,template,unbelievable\na,w2,1,0,0\nb,w1,0,1,0\nc,w1,0,1,1\n", encoding="utf-8")
    assert count_readings(path).rows == (
        ("w1", 2, "0 (0.0 %)", "2 (100.0 %)", "1 (50.0 %)"),
        ("w2", 1, "1 (100.0 %)", "0 (0.0 %)", "0 (0.0 %)"),
        ("ensemble", 3, "1 (33.3 %)", "2 (66.7 %)", "1 (33.3 %)"),
    )
    path.write_text("id,writer,relabel,template,unbelievable\na,w2,oui,0,0\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"readings\.csv:2"):
        count_readings(path)
