"""The reference that an artefact carries until the operator sets one of his own stream: texts of the corpus, weighed like one.

The corpus is not a stream: a third of it is to be flagged, and it was written to be hard. Only texts that the model did not
learn from are taken (`dev` and `test`), and they are weighed so that the share of those to be flagged is that of a plausible
stream. It remains what it is, and whoever shows a drift from it says so.
"""

from collections.abc import Sequence
from typing import Final

from model.facts import facts_of
from model.records import Prediction
from model.reference import Reference, summarise
from training.corpus import AnnotatedText
from training.evaluate import BASE_RATES

#: Share of texts to be flagged that a stream is supposed to have: the middle one of those that the card speaks of.
ASSUMED_RATE: Final = BASE_RATES[1]


def corpus_reference(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> Reference:
    """The reference of annotated texts and of what a model, which did not learn from them, says of them."""
    flagged = sum(text.flagged for text in texts)
    weigh = 0 < flagged < len(texts)
    rate = ASSUMED_RATE if weigh else None
    weights = {True: ASSUMED_RATE / flagged, False: (1 - ASSUMED_RATE) / (len(texts) - flagged)} if weigh else {}
    facts = [
        facts_of(
            text.text,
            prediction,
            text.group,
            channel=text.channel,
            theme=text.theme,
            weight=weights.get(text.flagged, 1.0) * len(texts),
        )
        for text, prediction in zip(texts, predictions, strict=True)
    ]
    return summarise("corpus", facts, {"assumed_rate": rate, "splits": ["dev", "test"]})
