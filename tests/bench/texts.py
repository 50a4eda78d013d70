"""Any number of distinct texts, to measure speed and memory with, and nothing else.

They are sentences of the annotated corpus put together anew: nobody wrote them, their labels are only likely. They must
never be learned from, nor serve to choose or to judge a model.
"""

import hashlib
import json
import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Literal, NamedTuple

from model.text import sentences
from training.corpus import AnnotatedText

Kind = Literal["risky", "alternative", "other"]
KINDS: Final[tuple[Kind, ...]] = ("risky", "alternative", "other")
KIND_NAMES: Final[Mapping[Kind, str]] = {
    "risky": "à risque (niveau 2 ou 3)",
    "alternative": "alternatif sans risque (promeut, niveau 0 ou 1)",
    "other": "autre (thèmes de la vie courante, niveau 0)",
}
#: What share of each kind a mix holds.
MIXES: Final[Mapping[str, Mapping[Kind, float]]] = {
    "realistic": {"risky": 0.08, "alternative": 0.12, "other": 0.80},
    "worst": {"risky": 1.0, "alternative": 0.0, "other": 0.0},
}
MIX_NAMES: Final[Mapping[str, str]] = {"realistic": "mélange réaliste", "worst": "pire cas (tout à risque)"}

_THEMES: Final = Path(__file__).resolve().parents[2] / "training" / "data" / "themes.toml"
_EVERYDAY: Final = "everyday"
_MOST_BORROWED: Final = 2
#: A text is never made of fewer sentences of its own than this.
_LEAST_KEPT: Final = 2
_LEAST_DONORS: Final = 8
_ATTEMPTS: Final = 200
_DIGEST: Final = 8
#: A number of one to three digits by itself (a price, an hour, an age); those of a telephone or a date stay.
_NUMBER: Final = re.compile(r"(?<![\d.,/:+-])(?<!\d )(?!0)\d{1,3}(?![\d/:]| \d|[.,-]\d)")
_LETTERS: Final = "aaabcdeeeefgiiilmnnooprrssttuuv"
_EMOJI: Final = ("✨", "🙏", "🌿", "👉", "💫", "😀", "🚲", "❤️")


class Made(NamedTuple):
    """A text that was put together, its number from 0, and the kind of the texts that its sentences come from."""

    number: int
    kind: Kind
    text: str


class _Sentence(NamedTuple):
    text: str
    ending: str
    #: Whether it holds a passage that shows an indicator: without it the text may no longer be of its kind.
    bears: bool


@dataclass(frozen=True, slots=True)
class _Base:
    theme: str
    sentences: tuple[_Sentence, ...]


def kind_of(text: AnnotatedText, everyday: frozenset[str]) -> Kind | None:
    """The kind of an annotated text; None for those of no kind (warnings, press, care)."""
    if text.risk_level >= 2:
        return "risky"
    if text.theme in everyday:
        return "other" if text.risk_level == 0 else None
    return "alternative" if text.stance == "promotes" else None


class Maker:
    """Makes texts from the part of a corpus that no model learned from (`dev` and `test`).

    A screen lets more pass of what it learned from: measured on such texts, it would look faster than it is.
    """

    def __init__(self, corpus: Sequence[AnnotatedText]) -> None:
        everyday = _everyday_themes()
        self._bases: dict[Kind, list[_Base]] = {kind: [] for kind in KINDS}
        for text in corpus:
            kind = kind_of(text, everyday)
            if kind is not None and text.split != "train":
                self._bases[kind].append(_Base(text.theme, tuple(_cut(text))))
        self._donors: dict[tuple[Kind, str], list[_Base]] = defaultdict(list)
        for kind, bases in self._bases.items():
            for base in bases:
                self._donors[kind, base.theme].append(base)

    def stream(self, mix: str, count: int, seed: int = 0) -> Iterator[Made]:
        """`count` distinct texts of a mix, one by one; fewer of the same seed are the first of more.

        Raises:
            ValueError: the corpus has no text of a kind that the mix asks for, or too few to go on making distinct ones.
        """
        random = Random(f"{mix}-{seed}")
        kinds, shares = zip(*MIXES[mix].items(), strict=True)
        missing = [kind for kind, share in MIXES[mix].items() if share and not self._bases[kind]]
        if missing:
            raise ValueError(f"corpus sans texte pour : {', '.join(KIND_NAMES[kind] for kind in missing)}")
        # Eight bytes a text, so that the texts themselves need not be held to be told apart.
        seen: set[bytes] = set()
        for number in range(count):
            kind = random.choices(kinds, shares)[0]
            for _ in range(_ATTEMPTS):
                text = self._make(kind, random)
                digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST).digest()
                if digest not in seen:
                    break
            else:
                raise ValueError(f"trop peu de phrases pour {count} textes distincts ({KIND_NAMES[kind]})")
            seen.add(digest)
            yield Made(number, kind, text)

    def varied(self, count: int, seed: int = 0) -> Iterator[Made]:
        """As `stream` of the realistic mix, a third of it altered: words never met, capitals, no accents, emoji, long texts."""
        random = Random(f"varied-{seed}")
        recent: list[str] = []
        for made in self.stream("realistic", count, seed):
            recent = [*recent[-7:], made.text]
            yield made._replace(text=_altered(made.text, recent, random))

    def _make(self, kind: Kind, random: Random) -> str:
        base = random.choice(self._bases[kind])
        near = self._donors[kind, base.theme]
        donors = near if len(near) >= _LEAST_DONORS else self._bases[kind]
        parts = list(base.sentences)
        count = random.randint(1, _MOST_BORROWED)
        for _ in range(count):
            silent = [place for place, part in enumerate(parts) if not part.bears]
            if silent and len(parts) > _LEAST_KEPT:
                parts.pop(random.choice(silent))
        for _ in range(count):
            parts.insert(random.randint(1, len(parts)), random.choice(random.choice(donors).sentences))
        joined = "".join(part.text + part.ending for part in parts).strip()
        return _NUMBER.sub(lambda found: _like(found.group(), random), joined)


def write_texts(path: Path, texts: Iterable[Made]) -> None:
    """Write texts as JSON lines with `id` (number and kind) and `text`, holding one at a time."""
    with path.open("w", encoding="utf-8") as target:
        for made in texts:
            target.write(json.dumps({"id": f"{made.number:07d}-{made.kind}", "text": made.text}, ensure_ascii=False) + "\n")


def kind_of_id(id: str) -> str:
    """The kind that `write_texts` put into an identifier."""
    return id.rpartition("-")[2]


def _everyday_themes() -> frozenset[str]:
    families = tomllib.loads(_THEMES.read_text(encoding="utf-8"))["families"]
    return frozenset(theme["id"] for family in families if family["id"] == _EVERYDAY for theme in family["themes"])


def _cut(text: AnnotatedText) -> Iterator[_Sentence]:
    for span in sentences(text.text):
        following = text.text[span.end : span.end + 3]
        bears = any(passage.start < span.end and span.start < passage.end for passage in text.indicators)
        yield _Sentence(text.text[span.start : span.end], "\n" if "\n" in following else " ", bears)


def _like(number: str, random: Random) -> str:
    """Another number with as many digits."""
    return str(random.randint(10 ** (len(number) - 1), 10 ** len(number) - 1))


def _altered(text: str, recent: Sequence[str], random: Random) -> str:
    draw = random.random()
    if draw < 0.15:
        words = text.split(" ")
        for _ in range(random.randint(1, 4)):
            words.insert(random.randint(0, len(words)), _new_word(random))
        return " ".join(words)
    if draw < 0.20:
        return text.upper()
    if draw < 0.25:
        return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    if draw < 0.30:
        return text.replace(". ", f" {random.choice(_EMOJI)} ")
    if draw < 0.33:
        return "\n".join(recent)
    return text


def _new_word(random: Random) -> str:
    """A word, a handle or an address that nobody has met before."""
    word = "".join(random.choices(_LETTERS, k=random.randint(6, 14)))
    return random.choice((word, word.capitalize(), f"@{word}", f"#{word}", f"https://{word}.example/{random.randint(1, 10**6)}"))
