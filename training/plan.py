"""The plan of the corpus, `data/plan.toml`: what it should hold, measured."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, get_args

import numpy as np

from model.labels import INDICATOR_IDS
from model.levels import level_of
from model.text import fold, words_of
from training.corpus import AnnotatedText, Contrast, Region
from training.themes import themes

_LONG: Final = 90
_OPENING_WORDS: Final = 3
_NAMES: Final = {
    "texts": "textes",
    "writers": "rédacteurs",
    "themes": "thèmes d'au moins dix textes",
    "level_0": "niveau 0",
    "level_1": "niveau 1",
    "level_3": "niveau 3",
    "warns": "met en garde",
    "neutral": "neutre",
    "prudent_wellness": "bien-être prudent, sans signe",
    "lookalikes": "faux amis",
    "page_passages": "passages de pages",
    "page_passages_without_serious_sign": "passages de pages de niveau 0 ou 1",
    "over_90_words": "plus de 90 mots",
    "soft_sentence": "une seule phrase douce fait le risque",
    "facade_disclaimer": "clause de prudence de façade",
    "evasive_or_noise": "graphie d'évitement ou bruit",
    "person_at_risk": "personne en danger",
    "each_indicator": "l'indicateur le plus rare",
    "each_indicator_alone_or_weaker": "seul, ou sans décider du niveau (le moins souvent)",
    "each_region": "la région francophone la plus rare",
    "contrast_pairs": "paires de contraste",
    "each_contrast": "le genre de contraste le plus rare (paires)",
    "read_by_another": "relus par un autre que le rédacteur",
    "most_words_of_a_passage_median": "mots d'un passage (médiane), au plus",
    "most_common_opening": "ouverture de trois mots la plus commune, au plus",
}
_THEME_TEXTS: Final = 10


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the plan: what was asked for and what was found, both counts or both shares."""

    id: str
    name: str
    asked: float
    found: float

    @property
    def reached(self) -> bool:
        """Whether the corpus holds what was asked."""
        return self.found <= self.asked if self.id.startswith("most") else self.found >= self.asked


@cache
def _asked() -> dict[str, float]:
    return tomllib.loads(resources.files("training").joinpath("data/plan.toml").read_text(encoding="utf-8"))


def measure(texts: Sequence[AnnotatedText]) -> list[Goal]:
    """Every line of the plan with what the texts hold; nothing for an empty corpus."""
    if not texts:
        return []
    found = _shares(texts) | _numbers(texts) | _indicators(texts) | _contrasts(texts)
    return [Goal(name, _NAMES[name], asked, found[name]) for name, asked in _asked().items()]


def is_page(text: AnnotatedText) -> bool:
    """Whether a text is a passage as a web page or a directory yields it."""
    return text.channel in ("website", "directory")


def pairs_of(texts: Sequence[AnnotatedText]) -> dict[str, list[AnnotatedText]]:
    """The halves of each contrast pair, by group."""
    halves: dict[str, list[AnnotatedText]] = defaultdict(list)
    for text in texts:
        if text.contrast:
            halves[text.group].append(text)
    return dict(halves)


def is_alone_or_weaker(text: AnnotatedText, label: str) -> bool:
    """Whether an indicator of the text stands alone, or the level would be the same without it."""
    others = text.labels() - {label}
    return not others or level_of(text.stance, others, text.targets).value == text.risk_level


def _shares(texts: Sequence[AnnotatedText]) -> dict[str, float]:
    def share(test: Callable[[AnnotatedText], bool], among: Sequence[AnnotatedText] = texts) -> float:
        return sum(map(test, among)) / max(1, len(among))

    openings = Counter(" ".join(words_of(fold(text.text))[:_OPENING_WORDS]) for text in texts)
    return {
        **{f"level_{level}": share(lambda text, level=level: text.risk_level == level) for level in range(4)},  # type: ignore[misc]
        "page_passages_without_serious_sign": share(lambda text: not text.flagged, [text for text in texts if is_page(text)]),
        "over_90_words": share(lambda text: len(words_of(text.text)) > _LONG),
        "read_by_another": share(lambda text: text.second_reader is not None and text.second_reader.id != text.writer),
        "most_common_opening": max(openings.values()) / len(texts),
    }


def _numbers(texts: Sequence[AnnotatedText]) -> dict[str, float]:
    marks = Counter(mark for text in texts for mark in text.marks)
    by_theme = Counter(text.theme for text in texts if text.theme in themes())
    regions = Counter(text.region for text in texts)
    passages = [len(words_of(text.text[passage.start : passage.end])) for text in texts for passage in text.indicators]
    return {
        "texts": len(texts),
        "writers": len({text.writer for text in texts}),
        "themes": sum(count >= _THEME_TEXTS for count in by_theme.values()),
        "warns": sum(text.stance == "warns" for text in texts),
        "neutral": sum(text.stance == "neutral" for text in texts),
        "lookalikes": sum(text.lookalike is not None for text in texts),
        "prudent_wellness": sum(text.stance == "promotes" and not text.indicators for text in texts),
        "page_passages": sum(map(is_page, texts)),
        "soft_sentence": marks["soft_sentence"],
        "facade_disclaimer": marks["facade_disclaimer"],
        "evasive_or_noise": sum(bool({"evasive_spelling", "noise"} & set(text.marks)) for text in texts),
        "person_at_risk": marks["person_at_risk"],
        "each_region": min(regions[region] for region in get_args(Region)),
        "most_words_of_a_passage_median": float(np.median(passages)) if passages else 0.0,
    }


def _indicators(texts: Sequence[AnnotatedText]) -> dict[str, float]:
    holders = {label: [text for text in texts if label in text.labels()] for label in INDICATOR_IDS}
    weaker = [
        sum(is_alone_or_weaker(text, label) for text in found) / len(found) if found else 0.0 for label, found in holders.items()
    ]
    return {"each_indicator": min(map(len, holders.values())), "each_indicator_alone_or_weaker": min(weaker)}


def _contrasts(texts: Sequence[AnnotatedText]) -> dict[str, float]:
    pairs = pairs_of(texts)
    kinds = Counter(halves[0].contrast for halves in pairs.values())
    return {"contrast_pairs": len(pairs), "each_contrast": min(kinds[kind] for kind in get_args(Contrast))}
