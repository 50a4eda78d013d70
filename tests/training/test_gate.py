"""The gate lets through what is no worse and stops what is; reviewed texts join the corpus without touching the frozen test."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import CorpusError
from tests.training.test_corpus import line
from training.corpus import AnnotatedText
from training.gate import RULES, Columns, Held, Part, columns_of_texts, pass_gate, passes
from training.joining import HELD_SHARE, is_held_out, join, read_reviewed

_STANCES = ("promotes", "warns", "neutral")


def seen(count: int = 600, wrong: float = 0.1, seed: int = 1, *, shift: float = 0.0) -> dict[str, NDArray[Any]]:
    """What a model with this share of errors says of texts of which a third is to be flagged; `shift` spoils its scores."""
    random = np.random.default_rng(seed)
    truth = np.arange(count) % 3 == 0
    errs = random.random(count) < wrong
    stance = np.where(truth, 0, np.arange(count) % 2 + 1)
    scores = np.clip(np.where(truth, 0.9, 0.1) * (1 - shift) + 0.5 * shift, 0, 1)
    return {
        "truth": truth,
        "flagged": truth ^ errs,
        "scores": scores,
        "right_level": ~errs,
        **{name: stance == place for place, name in enumerate(_STANCES)},
    }


def by_id(held: list[Held]) -> dict[str, Held]:
    return {one.rule.id: one for one in held}


def gate(first: Columns, second: Columns, part: Part = "test") -> list[Held]:
    return pass_gate({part: first}, {part: second})


def test_a_model_that_says_the_same_passes_and_what_was_not_read_is_said() -> None:
    held = gate(seen(), seen())
    assert passes(held)
    found = by_id(held)
    assert {id for id, one in found.items() if one.verdict == "not_measured"} == {"derivecheck", "fresh_f1", "fresh_level"}
    assert found["derivecheck"].why == "aucun texte de cette sorte ici"
    assert found["flag_f1"].champion == found["flag_f1"].challenger
    assert {one.rule.id for one in held} == {rule.id for rule in RULES}


def test_a_better_model_passes_and_a_clearly_worse_one_does_not() -> None:
    assert passes(gate(seen(wrong=0.2), seen(wrong=0.05)))
    held = gate(seen(wrong=0.05), seen(wrong=0.2))
    assert not passes(held)
    failed = {one.rule.id for one in held if one.verdict == "failed"}
    assert failed >= {"flag_f1", "flag_recall", "warns_flagged", "neutral_flagged"}
    worse = by_id(held)["flag_f1"]
    assert worse.high is not None
    assert worse.high < 0
    assert "hasard" in worse.why


def test_spoilt_scores_fail_on_calibration_alone() -> None:
    failed = {one.rule.id for one in gate(seen(), seen(shift=0.6)) if one.verdict == "failed"}
    assert failed == {"brier", "ece"}


def test_a_small_loss_within_the_noise_passes_but_not_a_loss_over_the_limit() -> None:
    champion = seen(wrong=0.0)
    spoilt = {**champion, "flagged": champion["flagged"].copy()}
    spoilt["flagged"][0] = False  # one of 200
    assert passes(gate(champion, spoilt))
    few = {name: values[:120] for name, values in champion.items()}
    lost = {**few, "flagged": few["flagged"].copy()}
    lost["flagged"][[0, 3]] = False  # two of 40: 5 points of recall, within the noise of 40 texts
    recall = by_id(gate(few, lost))["flag_recall"]
    assert recall.high is not None
    assert recall.high >= 0
    assert (recall.verdict, recall.why) == ("failed", "perd plus que ce qui est admis")


def test_too_few_texts_say_nothing_and_a_required_figure_keeps_the_gate_shut() -> None:
    few = {name: values[:60] for name, values in seen().items()}
    held = by_id(gate(few, few))
    assert held["flag_f1"].verdict == "not_measured"
    assert "20 texte(s)" in held["flag_f1"].why
    assert not passes(list(held.values()))


def test_the_suite_and_the_fresh_texts_count_too() -> None:
    cases = {"passed": np.arange(800) % 10 != 0}
    fewer = {"passed": np.arange(800) % 8 != 0}
    same = {"test": seen(), "fresh": seen(90)}
    held = pass_gate({**same, "derivecheck": cases}, {**same, "derivecheck": fewer})  # type: ignore[dict-item]
    assert by_id(held)["derivecheck"].verdict == "failed"
    assert by_id(held)["fresh_level"].verdict == "held"
    worse = pass_gate({"test": seen(), "fresh": seen(90, 0.0)}, {"test": seen(), "fresh": seen(90, 0.3)})
    assert {one.rule.id for one in worse if one.verdict == "failed"} == {"fresh_f1", "fresh_level"}


def reviewed(id: str, words: str, **changes: Any) -> dict[str, Any]:
    base = line(id=id, text=f"{words}, je harmonise vos chakras {id}", provenance="reviewed", split="", group="", theme="inconnu")
    start = base["text"].index("je harmonise")
    base["indicators"] = [{"label": "mystical_discourse", "start": start, "end": start + 12}]
    return base | {"writer": "", "annotator": {"id": "p-1", "kind": "person"}} | changes


def ids(held: bool, count: int) -> list[str]:
    """Identifiers that are kept apart, or not."""
    return [id for number in range(500) if is_held_out(id := f"i{number}") == held][:count]


_LONG = "Une séance de soin à la ferme du bois joli avec thé offert à toutes les personnes qui viennent le samedi {}"


def test_what_is_kept_apart_is_a_fixed_share_and_never_learned() -> None:
    names = [f"item-{number}" for number in range(4000)]
    share = sum(map(is_held_out, names)) / len(names)
    assert abs(share - HELD_SHARE) < 0.03
    corpus = [AnnotatedText.model_validate(line())]
    (kept,), (free,) = ids(True, 1), ids(False, 1)
    texts = read_reviewed([reviewed(kept, "Au bord de la mer bleue"), reviewed(free, "Tout en haut de la montagne verte")])
    assert [(text.id, text.split) for text in texts] == [(kept, "test"), (free, "train")]
    joined = join(corpus, texts)
    assert joined.learned == {free}
    assert [text.id for text in joined.fresh] == [kept]
    assert joined.left == {"held_out": 1}
    assert joined.texts[0] == corpus[0]
    assert all(text.writer and text.group for text in joined.texts)


def test_near_duplicates_never_cross_from_learning_to_judging() -> None:
    (kept,), (one, two, three) = ids(True, 1), ids(False, 3)
    corpus = [
        AnnotatedText.model_validate(line(id="c1", text=_LONG.format("matin"), indicators=[], risk_level=0, split="test")),
        AnnotatedText.model_validate(line(id="c2")),
    ]
    other = _LONG.replace("ferme", "grange").replace("thé", "café").replace("samedi", "lundi").replace("bois", "lac")
    texts = read_reviewed(
        [
            reviewed(one, _LONG.format("soir")),  # resembles the frozen test
            reviewed(kept, other.format("soir")),
            reviewed(two, other.format("midi")),  # resembles what is kept apart
            reviewed(three, "Rien à voir avec le reste, ni de près ni de loin, promis"),
        ]
    )
    joined = join(corpus, texts)
    assert joined.learned == {three}
    assert joined.left == {"near_test": 1, "held_out": 1, "near_held_out": 1}
    assert [text.id for text in joined.fresh] == [kept]
    assert texts[1].writer == texts[2].writer  # nobody known: the hand is that of the group
    # The model that serves learned a near-duplicate of it: then it judges nobody.
    assert not join(corpus, texts, known={two}).fresh


def test_a_line_that_is_not_of_the_corpus_is_refused() -> None:
    with pytest.raises(CorpusError, match="niveau 3, mais le guide donne 1"):
        read_reviewed([reviewed("i1", "Bonjour", risk_level=3)])
    with pytest.raises(CorpusError, match="i2 : champ « stance »"):
        read_reviewed([reviewed("i2", "Bonjour", stance="bad")])


def test_predictions_that_were_refused_count_as_nothing_found() -> None:
    from model.records import Prediction

    refused = Prediction(status="error", model_version="m", operating_point="balanced")
    columns = columns_of_texts([AnnotatedText.model_validate(line())], [refused])
    assert columns["scores"].tolist() == [0.0]
    assert not columns["flagged"].any()
    assert columns["promotes"].all()
