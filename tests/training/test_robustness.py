"""The rewritings change what they say and nothing else, repeat themselves, and what turns wrong is counted."""

import json
import random
from pathlib import Path

import pytest

from model.analyser import Analyser, Options
from model.errors import CorpusError
from tests.service.test_batch import inside
from training.corpus import AnnotatedText
from training.robustness import (
    HARMLESS_WORDS,
    Change,
    changes,
    in_leetspeak,
    measure,
    sample,
    spaced,
    starred,
    telling_words,
    with_emoji,
    with_html,
    with_typos,
    without_accents,
)
from training.suite import Case

TEXT = (
    "Je guéris le cancer et la dépression par les plantes : arrêtez la chimiothérapie, votre médecin vous ment depuis toujours."
)


@pytest.fixture(scope="module")
def rewritings(corpus: list[AnnotatedText]) -> dict[str, Change]:
    return changes(corpus)


def test_telling_words_are_those_of_the_tables() -> None:
    words = [TEXT[span.start : span.end] for span in telling_words(TEXT)]
    assert {"cancer", "dépression", "chimiothérapie", "médecin"} <= set(words)
    assert "plantes" not in words


def test_the_same_case_is_always_rewritten_the_same_way(rewritings: dict[str, Change]) -> None:
    for change in rewritings.values():
        one, two = (change(TEXT, random.Random("graine")) for _ in range(2))
        assert one == two != TEXT


def test_a_text_of_24_words_gets_a_typo_in_each_8() -> None:
    text = " ".join(["traitement"] * 24)
    for seed in range(20):
        changed = with_typos(text, random.Random(seed)).split()
        assert len(changed) == 24
        assert all(sum(word != "traitement" for word in changed[first : first + 8]) <= 1 for first in (0, 8, 16))
        assert any(word != "traitement" for word in changed)


@pytest.mark.parametrize("change", [in_leetspeak, spaced, starred, with_emoji])
def test_only_telling_words_are_disguised(change: Change) -> None:
    changed = change(TEXT, random.Random(1))
    assert "cancer" not in changed
    assert "par les plantes :" in changed
    assert without_accents("dépression") not in without_accents(changed)


def test_html_remains_show_the_same_text() -> None:
    changed = with_html(TEXT, random.Random(2))
    assert changed.startswith("<div")
    assert "cancer" not in changed
    assert "\ue000" not in changed
    assert "\ue001" not in changed


def test_harmless_words_come_before(rewritings: dict[str, Change]) -> None:
    long = rewritings[f"après {HARMLESS_WORDS} mots anodins"](TEXT, random.Random(3))
    assert long.endswith(TEXT)
    assert HARMLESS_WORDS <= len(long.split()) < HARMLESS_WORDS + 1_500


def test_too_few_harmless_words_are_refused(corpus: list[AnnotatedText]) -> None:
    with pytest.raises(CorpusError, match="3000"):
        changes(corpus[:5])


def _case(name: str, text: str, level: int) -> Case:
    stance = "promotes" if level else "neutral"
    return Case.model_validate({"id": name, "functionality": "f", "text": text, "stance": [stance], "levels": [level]})


def test_right_cases_that_turn_wrong_are_counted_and_wrong_ones_left_out(analyser: Analyser) -> None:
    right = _case("juste", "Je soigne le cancer par les plantes, arrêtez la chimio.", 3)
    wrong = _case("faux", "Je soigne le cancer par les plantes, arrêtez la chimio.", 0)
    by_name: dict[str, Change] = {"rien": lambda text, _: text, "tout": lambda *_: "Vends vélo enfant, très bon état, 40 €."}
    nothing, everything, whole = measure(analyser, [right, wrong], by_name, Options())
    assert (nothing.turned.hits, nothing.turned.total, nothing.cases) == (0, 1, ())
    assert (everything.turned.hits, [name for name, _ in everything.cases]) == (1, ["juste"])
    assert (whole.turned.hits, whole.turned.total) == (1, 2)
    assert everything.row()[1] == "1/1"


def test_a_sample_keeps_the_order_and_repeats() -> None:
    cases = [_case(str(number), "Bonjour", 0) for number in range(20)]
    drawn = sample(cases, 5)
    assert drawn == sample(cases, 5)
    assert [int(case.id) for case in drawn] == sorted(int(case.id) for case in drawn)
    assert sample(cases, 99) == cases


def test_the_verb_prints_a_table_and_json(artefacts: Path) -> None:
    shown = inside("evaluate", "--robustness", "--sample", "2", artefacts=artefacts)
    assert shown.returncode == 0, shown.stderr
    assert "lettres espacées" in shown.stdout
    assert "ensemble" in shown.stdout
    done = inside("evaluate", "--robustness", "--suite", "regressions", "--sample", "1", "--json", artefacts=artefacts)
    found = json.loads(done.stdout)
    assert found["suite"] == "regressions"
    assert len(found["robustness"]) == 11
    assert {"name", "turned", "cases"} == set(found["robustness"][0])
