"""Whether a case that was judged right stays right when its writing is disguised or damaged.

The transformations are CheckList's invariance tests (Ribeiro et al., ACL 2020): none changes what a reader understands,
so none may change what is expected of the case. All are seeded by the case: two runs measure the same texts.
"""

import html
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from model.analyser import Analyser, Options
from model.document import read_document
from model.errors import CorpusError
from model.text import MAX_CHARACTERS, Span, word_spans
from training.corpus import AnnotatedText, of_split
from training.intervals import Estimate, share
from training.suite import Case, judge

Change = Callable[[str, random.Random], str]

HARMLESS_WORDS: Final = 3_000
_TYPO_EVERY: Final = 8
_LEAST_TYPO: Final = 4
_LEAST_TELLING: Final = 5
_TELLING: Final = frozenset(
    {"condition"}
    | {f"lexicon.{name}" for name in ("cure_verb", "stop_verb", "treatment_noun", "doctor_noun", "guarantee_word", "danger_word")}
)
_LEET: Final = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$"}
_NEIGHBOURS: Final = {
    "a": "zq", "b": "vn", "c": "xv", "d": "sf", "e": "zr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl",
    "l": "km", "m": "lp", "n": "bv", "o": "ip", "p": "om", "q": "sw", "r": "et", "s": "qd", "t": "ry", "u": "yi", "v": "cb",
    "w": "xq", "x": "wc", "y": "tu", "z": "ae",
}  # fmt: skip
_EMOJI: Final = ("🌿", "✨", "💚", "🙏", "•", "·", "❤️")
_INSIDE: Final = ("<b>{}</b>", "<em>{}</em>", '<span style="color:#333">{}</span>', "<!-- bloc -->{}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One transformation: its French name, the share of right cases that turn wrong, and which did, with their faults."""

    name: str
    turned: Estimate
    cases: tuple[tuple[str, tuple[str, ...]], ...]

    def row(self) -> tuple[str, str, str]:
        """What the terminal shows: name, counts, share with its interval."""
        figure = self.turned
        if not figure.total:
            return self.name, "–", "–"
        low, high = 100 * figure.low, 100 * figure.high
        return self.name, f"{figure.hits}/{figure.total}", f"{100 * figure.value:.1f} % [{low:.1f} ; {high:.1f}]"


def telling_words(text: str) -> list[Span]:
    """The raw ranges of the words of 5 letters or more that name a condition, a treatment, a cure, a stop… in a text."""
    document = read_document(text)
    found: set[tuple[int, int]] = set()
    for hit in document.hits:
        if hit.table in _TELLING:
            for token in document.tokens[hit.first : hit.after]:
                place = document.clean.to_raw(token.span)
                if place.end - place.start >= _LEAST_TELLING and text[place.start : place.end].isalpha():
                    found.add((place.start, place.end))
    return [Span(*place) for place in sorted(found)]


def without_accents(text: str) -> str:
    """A text without its accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def with_typos(text: str, chance: random.Random) -> str:
    """A text with one typo in each 8 words: two letters swapped, one dropped, doubled, or hit on the next key (AZERTY)."""
    spans = word_spans(text)
    chosen = []
    for first in range(0, len(spans), _TYPO_EVERY):
        words = [(span, text[span.start : span.end]) for span in spans[first : first + _TYPO_EVERY]]
        long = [span for span, word in words if len(word) >= _LEAST_TYPO and word.isalpha()]
        if long:
            chosen.append(chance.choice(long))
    return _replaced(text, chosen, lambda word: _typo(word, chance))


def _typo(word: str, chance: random.Random) -> str:
    place = chance.randrange(1, len(word) - 1)
    kind = chance.choice(("swap", "drop", "double", "neighbour"))
    if kind == "swap":
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == "drop":
        return word[:place] + word[place + 1 :]
    if kind == "double":
        return word[: place + 1] + word[place:]
    letter = without_accents(word[place]).lower()
    other = chance.choice(_NEIGHBOURS.get(letter, letter))
    return word[:place] + (other.upper() if word[place].isupper() else other) + word[place + 1 :]


def _replaced(text: str, spans: Sequence[Span], change: Callable[[str], str]) -> str:
    parts, cursor = [], 0
    for span in spans:
        parts += [text[cursor : span.start], change(text[span.start : span.end])]
        cursor = span.end
    return "".join([*parts, text[cursor:]])


def in_leetspeak(text: str, chance: random.Random) -> str:
    """A text whose telling words have one to three letters written as digits or signs."""

    def change(word: str) -> str:
        plain = without_accents(word).lower()
        places = [i for i, letter in enumerate(plain) if letter in _LEET] if len(plain) == len(word) else []
        letters = list(word)
        for place in chance.sample(places, min(len(places), chance.randint(1, 3))):
            letters[place] = chance.choice(_LEET[plain[place]])
        return "".join(letters)

    return _replaced(text, telling_words(text), change)


def spaced(text: str, chance: random.Random) -> str:
    """A text whose telling words are written letter by letter."""
    return _replaced(text, telling_words(text), lambda word: chance.choice((" ", ".", "-", " . ", "_")).join(word))


def starred(text: str, chance: random.Random) -> str:
    """A text whose telling words hide one inner letter behind a star or an underscore."""

    def change(word: str) -> str:
        place = chance.randrange(1, len(word) - 1)
        return word[:place] + chance.choice("*_") + word[place + 1 :]

    return _replaced(text, telling_words(text), change)


def with_emoji(text: str, chance: random.Random) -> str:
    """A text whose telling words have an emoji or a bullet between two letters."""

    def change(word: str) -> str:
        place = chance.randrange(2, len(word) - 1)
        return word[:place] + chance.choice(_EMOJI) + word[place:]

    return _replaced(text, telling_words(text), change)


def with_html(text: str, chance: random.Random) -> str:
    """A text as a careless scrape leaves it: tags and comments inside words, entities, no-break spaces, paragraphs."""

    def change(word: str) -> str:
        place = chance.randrange(2, len(word) - 1)
        # Private-use marks stand for the markup, so that the escaping below leaves it alone.
        return word[:place] + "\ue000" + chance.choice("0123") + word[place:] + "\ue001"

    marked = _replaced(text, telling_words(text), change)
    escaped = html.escape(marked, quote=False)
    for kind, shape in enumerate(_INSIDE):
        before, after = shape.split("{}")
        pieces = escaped.split(f"\ue000{kind}")
        escaped = pieces[0] + "".join(before + piece.replace("\ue001", after, 1) for piece in pieces[1:])
    named = "".join(f"&#{ord(c)};" if ord(c) > 0x7F and c.isalpha() and chance.random() < 0.5 else c for c in escaped)
    spaces = named.split("</span>")
    body = "</span>".join("&nbsp;".join(part.rsplit(" ", 1)) if "<" not in part else part for part in spaces)
    return "<div class='contenu'><p>" + body.replace("\n", "</p>\n<p>") + "</p></div><!-- fin -->"


def _harmless_before(texts: Sequence[str]) -> Change:
    def change(text: str, chance: random.Random) -> str:
        parts: list[str] = []
        words = 0
        for part in chance.sample(texts, len(texts)):
            if words >= HARMLESS_WORDS:
                break
            parts.append(part)
            words += len(part.split())
        return "\n".join([*parts, text])

    return change


def changes(corpus: Sequence[AnnotatedText]) -> dict[str, Change]:
    """The transformations by French name; the last one puts level-0 texts of the `test` split before the case.

    Raises:
        CorpusError: the level-0 texts of the `test` split have fewer than 3,000 words together.
    """
    texts = [text.text for text in of_split(corpus, "test") if text.risk_level == 0]
    if sum(len(text.split()) for text in texts) < HARMLESS_WORDS:
        raise CorpusError(f"Moins de {HARMLESS_WORDS} mots de niveau 0 dans la partie « test » du corpus.")
    return {
        "tout en capitales": lambda text, _: text.upper(),
        "tout en minuscules": lambda text, _: text.lower(),
        "sans accents": lambda text, _: without_accents(text),
        "une faute de frappe tous les 8 mots": with_typos,
        "chiffres pour lettres": in_leetspeak,
        "lettres espacées": spaced,
        "lettre masquée": starred,
        "emoji dans les mots": with_emoji,
        "restes de HTML": with_html,
        f"après {HARMLESS_WORDS} mots anodins": _harmless_before(texts),
    }


def measure(
    analyser: Analyser,
    cases: Sequence[Case],
    by_name: Mapping[str, Change],
    options: Options,
    *,
    seed: int = 0,
    progress: Callable[[str, float, float], None] | None = None,
) -> list[Outcome]:
    """For each transformation, how many of the cases that the model gets right turn wrong; the last record is all together.

    Cases that are wrong as they stand are left out.
    """
    # What is added to a case must not make it too long to be read.
    options = replace(options, max_characters=3 * MAX_CHARACTERS)
    right = []
    for done, case in enumerate(cases, start=1):
        if judge(case, analyser.predict(case.text, options=options)).passed:
            right.append(case)
        if progress:
            progress("Cas", done, len(cases))
    found = []
    for name, change in by_name.items():
        wrong = []
        for done, case in enumerate(right, start=1):
            text = change(case.text, random.Random(f"{seed}:{name}:{case.id}"))
            outcome = judge(case, analyser.predict(text, options=options))
            if not outcome.passed:
                wrong.append((case.id, outcome.faults))
            if progress:
                progress(name, done, len(right))
        found.append(Outcome(name, share(len(wrong), len(right)), tuple(wrong)))
    turned = sum(len(outcome.cases) for outcome in found)
    found.append(Outcome("ensemble", share(turned, len(right) * len(found)), ()))
    return found


def sample(cases: Sequence[Case], count: int, seed: int = 0) -> list[Case]:
    """At most `count` cases, drawn without order, in the order of the suite."""
    chosen = sorted(random.Random(seed).sample(range(len(cases)), min(count, len(cases))))
    return [cases[place] for place in chosen]
