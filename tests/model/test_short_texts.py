"""Comments and posts of a few words, by a writer whose texts no model has learned from (tests/data/short/README.md)."""

import json
from pathlib import Path

from model.analyser import Analyser

TEXTS = Path(__file__).parents[1] / "data" / "short" / "comments.jsonl"
#: Measured: recall 0.81, precision 0.84, of 26 texts to look at among 84. Less by one text in ten is a step back.
LEAST = (0.70, 0.72)


def test_comments_of_a_few_words_are_told_apart(analyser: Analyser) -> None:
    texts = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    wanted = {text["id"] for text in texts if text["risk_level"] >= 2}
    read = {text["id"]: analyser.predict(text["text"]).risk for text in texts}
    found = {id for id, risk in read.items() if risk is not None and risk.level >= 2}
    assert (len(texts), len(wanted)) == (84, 26)
    right = wanted & found
    assert len(right) / len(wanted) >= LEAST[0], sorted(wanted - found)
    assert len(right) / len(found) >= LEAST[1], sorted(found - wanted)
