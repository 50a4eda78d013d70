"""Texts in great number, in which campaigns are planted: what `tests.harness.campaigns` measures on.

Half of the texts stand alone. The others are of campaigns of 2 to 5,000 texts, by Zipf's law, each text a few changes away from
its campaign's first one; most give a number, some only that, some none. A third end with the words of the site that they are
taken from, and one in ten gives the number of a platform, whose own contact it is not. Words are drawn as often as the corpus
has them. Everything follows from the seed: a run that is broken off goes on with the same texts.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.labels import INDICATORS
from model.text import words_of
from service.workplace.items import Received

_CORPUS: Final = Path(__file__).resolve().parents[2] / "data" / "annotated"
_SEED: Final = 11
_LARGEST: Final = 5_000
_ALONE: Final = 0.5
_ZIPF: Final = 0.95
_WORDS: Final = (35, 110)
_ALONE_FROM: Final = 50_000_000
_SOURCES: Final = 40
_START: Final = datetime(2025, 1, 6, tzinfo=UTC)
#: The number that so many texts give, or a tenth of them where that is less.
PLATFORM: Final = "+33536491000"
_SAID_PLATFORM: Final = "05 36 49 10 00"
PLATFORM_TEXTS: Final = 100_000
REGIONS: Final = ("Bretagne", "Occitanie", "Grand Est", "Normandie", "Corse", "Île-de-France", "Réunion", None)


@dataclass(frozen=True, slots=True)
class Planted:
    """A text with the prediction that goes with it; `campaign`: the one that it is of, None for a text that stands alone."""

    received: Received
    prediction: dict[str, Any]
    campaign: int | None


@dataclass(frozen=True)
class Plan:
    """Of each text its campaign (-1: none) and its rank in it, in the order in which texts come."""

    campaign: NDArray[np.int64]
    rank: NDArray[np.int64]


def plan(texts: int) -> Plan:
    """What is planted in so many texts. The texts of a campaign come over a stretch of the whole, longer for larger ones."""
    chance = np.random.default_rng(_SEED)
    sizes: list[int] = []
    left = int(texts * (1 - _ALONE))
    while left > 1:
        drawn = min(left, _LARGEST, int(2 * (1 - chance.random()) ** (-1 / _ZIPF)))
        sizes.append(drawn)
        left -= drawn
    campaign = np.repeat(np.arange(len(sizes)), sizes)
    starts = chance.random(len(sizes))
    spans = np.minimum(1.0, np.array(sizes) * 40 / texts + 0.02)
    at = starts[campaign] * (1 - spans[campaign]) + chance.random(campaign.size) * spans[campaign]
    alone = texts - campaign.size
    every = np.concatenate([campaign, np.full(alone, -1)])
    order = np.argsort(np.concatenate([at, chance.random(alone)]), kind="stable")
    every = every[order]
    rank = np.zeros(texts, dtype=np.int64)
    seen: Counter[int] = Counter()
    for place, one in enumerate(every.tolist()):
        rank[place] = seen[one]
        seen[one] += 1
    return Plan(every, rank)


def texts_of(made: Plan, first: int, last: int) -> Iterator[Planted]:
    """The texts from one place to another, the last not among them."""
    total = made.campaign.size
    every = max(10, total // PLATFORM_TEXTS)
    for place in range(first, last):
        yield _text(place, int(made.campaign[place]), int(made.rank[place]), platform=place % every == 3, total=total)


def _text(place: int, campaign: int, rank: int, *, platform: bool, total: int) -> Planted:
    chance = random.Random(f"{_SEED}:t:{place}")
    own = random.Random(f"{_SEED}:c:{campaign}") if campaign >= 0 else chance
    size = own.randint(*_WORDS)
    words = _drawn(own, size)
    kind = own.random()
    # Nobody else's: two campaigns that gave one number by chance would rightly be joined.
    number = campaign if campaign >= 0 else _ALONE_FROM + place
    author = f"@compte{number}x" if own.random() < 0.3 else None
    source = own.choices(range(_SOURCES), cum_weights=_source_weights())[0]
    if campaign >= 0 and kind < 0.1:
        # Nothing but its number joins the texts of this campaign.
        words = _drawn(chance, size)
    elif campaign >= 0:
        for _ in range(min(6, int(chance.expovariate(0.6)))):
            words[chance.randrange(size)] = _drawn(chance, 1)[0]
    parts = [f"{' '.join(words).capitalize()}."]
    entities: list[dict[str, Any]] = []
    gives = chance.random() < 0.5 if campaign < 0 else kind < 0.7
    numbers = [(f"07 {_pairs(number)}", f"+337{number:08}")] if gives else []
    numbers += [(_SAID_PLATFORM, PLATFORM)] if platform else []
    for said, value in numbers:
        parts.append(f"Réservations au {said}.")
        end = len(" ".join(parts)) - 1
        entities.append({"start": end - len(said), "end": end, "text": said, "kind": "phone", "value": {"e164": value}})
    if chance.random() < 1 / 3:
        parts.append(_footer(source))
    received = Received(
        " ".join(parts) + f" Réf. {place}.",
        external_id=f"{campaign}:{rank}:{place}",
        source=f"site-{source}.example",
        channel="social_post" if author else "ad",
        theme=f"theme-{own.randrange(30)}",
        author=author,
        region=REGIONS[own.randrange(len(REGIONS))],
        captured_at=_START + timedelta(days=600 * place / total, seconds=chance.randrange(60)),
    )
    level = chance.choices((0, 1, 2, 3), (70, 15, 11, 4))[0] if campaign < 0 else own.choices((0, 1, 2, 3), (40, 20, 25, 15))[0]
    said_of = {"status": "ok", "model_version": "essai", "risk": {"level": level}, "entities": entities, "context": []}
    return Planted(received, said_of | {"indicators": _indicators()}, campaign if campaign >= 0 else None)


def _pairs(number: int) -> str:
    digits = f"{number:08}"
    return " ".join(digits[place : place + 2] for place in range(0, 8, 2))


def _drawn(chance: random.Random, count: int) -> list[str]:
    words, weights = _vocabulary()
    return chance.choices(words, cum_weights=weights, k=count)


@cache
def _vocabulary() -> tuple[list[str], list[int]]:
    counted: Counter[str] = Counter()
    for path in sorted(_CORPUS.glob("*.jsonl"))[:40]:
        for line in path.read_text(encoding="utf-8").splitlines():
            counted.update(words_of(json.loads(line)["text"].lower()))
    kept = [(word, count) for word, count in counted.most_common(20_000) if not word.isdigit()]
    return [word for word, _ in kept], list(accumulate(count for _, count in kept))


@cache
def _source_weights() -> list[float]:
    return list(accumulate(1 / (rank + 1) for rank in range(_SOURCES)))


@cache
def _footer(source: int) -> str:
    words = " ".join(_drawn(random.Random(f"{_SEED}:s:{source}"), 14))
    return f"{words.capitalize()}."


@cache
def _indicators() -> list[dict[str, Any]]:
    return [{"id": one.id, "label": one.name, "score": 0.04, "present": False, "evidence": []} for one in INDICATORS]
