"""Texts that people reviewed, beside the corpus: what is learned from, what is kept apart to judge models, what is left.

The frozen test stays frozen: a reviewed text that resembles a text of `dev` or `test` is not learned from. A fixed share
of the reviewed texts, drawn by a hash of their identifier, is never learned from by any model: always the same ones.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from model.errors import CorpusError
from model.levels import level_of
from training.corpus import AnnotatedText
from training.split import assign
from training.themes import themes

#: The share of reviewed texts that no model learns from.
HELD_SHARE: Final = 0.2
#: Why a reviewed text is not learned from, in French.
LEFT: Final = {
    "held_out": "gardés à part pour juger les modèles",
    "near_test": "proches d'un texte de réglage ou d'épreuve du corpus",
    "near_held_out": "proches d'un texte gardé à part",
    "same_text": "déjà dans le corpus",
}


@dataclass(frozen=True, slots=True)
class Joined:
    """The corpus and the reviewed texts to learn from (`texts`), those kept apart that no model has seen (`fresh`).

    `learned` are the identifiers of the reviewed texts among `texts`; `left` counts, by the reasons of `LEFT`, those that
    are not learned from.
    """

    texts: tuple[AnnotatedText, ...]
    learned: frozenset[str]
    fresh: tuple[AnnotatedText, ...]
    left: Mapping[str, int]


def is_held_out(id: str) -> bool:
    """Whether the reviewed text of this identifier is kept apart; the answer never changes."""
    return int(hashlib.sha256(id.encode()).hexdigest()[:8], 16) / 0x1_0000_0000 < HELD_SHARE


def read_reviewed(lines: Sequence[Mapping[str, Any]]) -> list[AnnotatedText]:
    """Reviewed texts from corpus lines, with `group`, `writer` and `split` set where they can only be told together.

    A text whose author is not known gets a writer of its group, so that near-duplicates are never dealt to two folds.

    Raises:
        CorpusError: a line is not one of the corpus, or its level does not follow from its labels.
    """
    texts = []
    for number, line in enumerate(lines, start=1):
        theme = line.get("theme", "")
        try:
            text = AnnotatedText.model_validate({**line, "theme": theme if theme in themes() else ""})
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"])) or "ligne"
            raise CorpusError(f"Texte relu {line.get('id', number)} : champ « {place} » : {fault['msg']}.") from error
        level = level_of(text.stance, text.labels(), text.targets).value
        if level != text.risk_level:
            raise CorpusError(f"Texte relu {text.id} : niveau {text.risk_level}, mais le guide donne {level}.")
        texts.append(text)
    return [
        text.model_copy(update={"writer": text.writer or f"a-{text.group}", "split": "test" if is_held_out(text.id) else "train"})
        for text in assign(texts)
    ]


def join(corpus: Sequence[AnnotatedText], reviewed: Sequence[AnnotatedText], known: Collection[str] = ()) -> Joined:
    """Add reviewed texts to a corpus, whose own texts keep their group and split.

    Args:
        corpus: the texts of the corpus.
        reviewed: as `read_reviewed` gives them; a text that comes both ways (same identifier) is taken from the corpus.
        known: identifiers of the reviewed texts that the model to beat has learned from.
    """
    there = {text.id for text in corpus}
    added = [text for text in reviewed if text.id not in there]
    groups = [text.group for text in assign([*corpus, *added])]
    splits: dict[str, set[str]] = defaultdict(set)
    held: set[str] = set()
    seen: set[str] = set()
    for text, group in zip(corpus, groups, strict=False):
        splits[group].add(text.split)
    for text, group in zip(added, groups[len(corpus) :], strict=True):
        if is_held_out(text.id):
            held.add(group)
        elif text.id in known:
            seen.add(group)
    left: Counter[str] = Counter()
    if len(added) < len(reviewed):
        left["same_text"] = len(reviewed) - len(added)
    learned: list[AnnotatedText] = []
    fresh: list[AnnotatedText] = []
    for text, group in zip(added, groups[len(corpus) :], strict=True):
        placed = text.model_copy(update={"group": group})
        if is_held_out(text.id):
            left["held_out"] += 1
            # A model that learned a near-duplicate, or was tuned on one, would be judged on what it knows.
            if group not in seen and not splits[group] & {"train", "dev"}:
                fresh.append(placed.model_copy(update={"split": "test"}))
        elif splits[group] & {"dev", "test"}:
            left["near_test"] += 1
        elif group in held:
            left["near_held_out"] += 1
        else:
            learned.append(placed.model_copy(update={"split": "train"}))
    return Joined((*corpus, *learned), frozenset(text.id for text in learned), tuple(fresh), dict(left))
