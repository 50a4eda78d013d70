"""Which words show a sign: the best sentence of an indicator, cut down to the clause that still shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import regex

from model.attribution import best_run
from model.classifier import Classifier, WindowScores, probability
from model.context import RuleHit
from model.document import Document, Unit
from model.features import Passage, View
from model.labels import INDICATOR_IDS
from model.text import Span, fold

_MOST: Final = 3
_MARGIN: Final = 2.0
_DOUBT: Final = 1.5
_SHORT: Final = 12
_WORD_COST: Final = 0.04
_LEAST: Final = 4
_NEAR: Final = 2
_ANNOUNCING: Final = frozenset(
    [
        "a",
        "au",
        "aux",
        "avec",
        "c",
        "ce",
        "ces",
        "cette",
        "d",
        "dans",
        "de",
        "des",
        "du",
        "elle",
        "en",
        "et",
        "est",
        "il",
        "ils",
        "j",
        "je",
        "l",
        "la",
        "le",
        "les",
        "leur",
        "leurs",
        "m",
        "ma",
        "mes",
        "mon",
        "n",
        "ne",
        "nos",
        "notre",
        "nous",
        "on",
        "ont",
        "ou",
        "par",
        "pas",
        "plus",
        "pour",
        "qu",
        "que",
        "qui",
        "s",
        "sa",
        "sans",
        "se",
        "ses",
        "son",
        "sous",
        "sur",
        "t",
        "ta",
        "tes",
        "ton",
        "tu",
        "un",
        "une",
        "vers",
        "vos",
        "votre",
        "vous",
        "y",
        "ai",
        "as",
    ]
)
_CLAUSE: Final = regex.compile(r"[,:()\"«»]| - | (?=(?:et|mais|car|ou|pour|afin|parce|puis|donc)\b)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage in the clean text that shows an indicator: score in [0, 1], and the rule that named it, if any."""

    span: Span
    score: float
    rule: str | None


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """A window as read: its part of the document, its view and its scores."""

    document: Document
    view: View
    scores: WindowScores


def find_evidence(classifier: Classifier, windows: Sequence[ReadWindow], label: str, rules: Sequence[RuleHit]) -> list[Shown]:
    """At least one passage for an indicator, at most three, in the order of the text.

    The sentences with the highest sentence score are taken, within 2 logits of the best (1.5 where it is in doubt); a rule of
    the indicator that
    fires inside one gives the words, else the words that bear most of its score are shown.
    """
    column = INDICATOR_IDS.index(label)
    ranked = [
        (float(window.scores.sentences[row, column]), number, row)
        for number, window in enumerate(windows)
        for row in range(len(window.scores.sentences))
    ]
    if not ranked:
        document = windows[0].document
        return [Shown(Span(0, len(document.text)), 0.0, None)]
    # A sentence where a rule of the indicator fires comes before the others: its words alone show the sign.
    own = [hit.span for hit in rules if hit.label == label]
    ruled = {
        (number, row) for _, number, row in ranked if any(span.overlaps(windows[number].view.units[row].span) for span in own)
    }
    ranked.sort(key=lambda item: ((item[1], item[2]) not in ruled, -item[0], item[1], item[2]))
    shown: list[Shown] = []
    for logit, number, row in ranked:
        if len(shown) == _MOST or (shown and (number, row) not in ruled and logit < _floor(ranked[0][0])):
            break
        unit = windows[number].view.units[row]
        score = float(probability(np.asarray(logit)))
        rule = next((hit for hit in rules if hit.label == label and hit.span.overlaps(unit.span)), None)
        if rule:
            passage = Shown(_widened(rule.span, unit, windows[number].document.text), score, rule.rule)
        else:
            passage = Shown(
                _shortest(classifier, windows[number].document, unit, windows[number].view.sentences[row], column), score, None
            )
        if not any(passage.span.overlaps(other.span) for other in shown):
            shown.append(passage)
    return sorted(shown, key=lambda passage: (passage.span.start, passage.span.end))


def _floor(best: float) -> float:
    """The sentence logit below which no further passage is shown: near the best one, nearer where the best is in doubt."""
    return best - _MARGIN if best > _MARGIN else best - _DOUBT


def _widened(span: Span, unit: Unit, text: str) -> Span:
    """A rule's words, completed to whole words and kept inside their sentence."""
    start, end = max(span.start, unit.span.start), min(span.end, unit.span.end)
    while start > unit.span.start and text[start - 1].isalnum():
        start -= 1
    while end < unit.span.end and text[end].isalnum():
        end += 1
    return Span(start, end)


def _shortest(classifier: Classifier, document: Document, unit: Unit, passage: Passage, column: int) -> Span:
    """The run of words that bears most of the sentence's logit, less a cost for each word, completed to a near clause edge."""
    text = document.text
    words, scores = classifier.word_scores(passage, unit.span.start, column)
    if len(words) <= _SHORT:
        return unit.span
    first, after = best_run(scores, _WORD_COST, _LEAST)
    edges = {unit.span.start, unit.span.end} | {found.end() for found in _CLAUSE.finditer(text, unit.span.start, unit.span.end)}
    for earlier in range(max(0, first - _NEAR), first):
        if words[earlier].start in edges:
            first = earlier
            break
    for later in range(min(len(words), after + _NEAR), after, -1):
        if any(words[later - 1].end <= edge <= (words[later].start if later < len(words) else unit.span.end) for edge in edges):
            after = later
            break
    # No passage ends on « ou à » or « n' »: it runs on to the word that these announce.
    while after < len(words) and fold(text[words[after - 1].start : words[after - 1].end]) in _ANNOUNCING:
        after += 1
    return _trimmed(Span(words[first].start, words[after - 1].end), text)


def _trimmed(span: Span, text: str) -> Span:
    start, end = span.start, span.end
    while end > start and text[end - 1] in ' ,:;-("«':
        end -= 1
    while start < end and text[start] in ' ,:;-)"»':
        start += 1
    return Span(start, end) if start < end else span
