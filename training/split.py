"""Groups and splits: texts that resemble each other stay together; some writers are kept for dev and test only."""

import hashlib
from collections.abc import Sequence
from typing import Final

from training.corpus import AnnotatedText
from training.neardup import near_pairs

#: Writers whose texts the model never learns from, so that dev and test say how it does on an unseen hand.
HELD_OUT: Final = {"w12": "dev", "w11": "test", "w22": "test", "w40": "test"}
_DEV_SHARE: Final = 0.07
_TEST_SHARE: Final = 0.07


def assign(texts: Sequence[AnnotatedText]) -> list[AnnotatedText]:
    """The same texts with `group` and `split` set: existing groups are kept, near-duplicates share one.

    A group goes to one split, drawn by a hash of its name, so a text keeps its split when others are added. Groups of a
    held-out writer go where that writer goes.
    """
    names = _groups(texts)
    wanted: dict[str, str] = {}
    for text, name in zip(texts, names, strict=True):
        held = HELD_OUT.get(text.writer)
        wanted[name] = held or wanted.get(name) or _drawn(name)
    return [text.model_copy(update={"group": name, "split": wanted[name]}) for text, name in zip(texts, names, strict=True)]


def _drawn(name: str) -> str:
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    if share < _TEST_SHARE:
        return "test"
    return "dev" if share < _TEST_SHARE + _DEV_SHARE else "train"


def _groups(texts: Sequence[AnnotatedText]) -> list[str]:
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    by_group: dict[str, int] = {}
    links = [(pair.first, pair.second) for pair in near_pairs([text.text for text in texts])]
    for index, text in enumerate(texts):
        if text.group:
            links.append((by_group.setdefault(text.group, index), index))
    for first, second in links:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [texts[root(index)].group or f"g-{texts[root(index)].id}" for index in range(len(texts))]
