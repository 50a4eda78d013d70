"""Every regular expression of the product, found in its source and its tables, and texts made to be slow on it."""

import ast
import importlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import regex

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("model", "service", "training")
_CALLS: Final = frozenset({"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
#: Characters that patterns repeat: of words, numbers, spaces, and marks.
_FILLERS: Final = (*"aéA0 \n.-'\"«([<&,@", "a ", "a.", "a-", "0 ", "! ")
_AT_START: Final = frozenset({"match", "fullmatch"})
#: Patterns that are never tried on more than so many characters, whatever the text: what cuts it before.
BOUNDED: Final[Mapping[str, int]] = {
    "model.masks._ADDRESS": 240,  # `_in_address` reads a hundred characters on each side of a word of forty at most
}
#: What stands between two words that a pattern looks for: one word, or many, in all ways of parting them.
_LINKS: Final = ("a", "a ", "a-", "a'", "la ", " ", ", ")
_MOST_BEGINNINGS: Final = 9
#: Seconds that nobody waits for, and how many times more a text four times as long may cost.
_NOTHING_MUCH: Final = 0.02
_GROWTH: Final = 8
_MOST: Final = 3.0
#: So many pieces of a pattern's own words are tried.
_MOST_PIECES: Final = 12
_SOURCE_WORD: Final = re.compile(r"[^\W_]{2,}(?:[ '’-][^\W_]+)*")
#: What stands in the source of a pattern but is none of its words.
_SYNTAX: Final = re.compile(r"\\[pPxuUN]\{?\w*\}?|\\L<\w*>|\(\?P<\w*>|\(\?P=\w*\)|\(\?[aiLmsuxV01-]+[:)]|\\.|\{[\w,]*\}")


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern, where it stands, and words that it looks for."""

    place: str
    pattern: "re.Pattern[str] | regex.Pattern[str]"
    words: tuple[str, ...]
    #: Its name in its module, where it has one, and whether it is only tried at the start of a text.
    name: str = ""
    anchored: bool = False


def _modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                yield ".".join(part for part in parts if part != "__init__"), path


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call of `re` or `regex` that takes a pattern, with the function that it stands in (« » at the top)."""

    def walk(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, child.name if named and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else inside)
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in _CALLS:
                owner = child.func.value
                if isinstance(owner, ast.Name) and owner.id in ("re", "regex"):
                    yield inside, child

    return walk(tree, "")


def _evaluated(node: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<motif>", "eval"), dict(names))


def _flags(call: ast.Call) -> ast.expr | None:
    named = next((one.value for one in call.keywords if one.arg == "flags"), None)
    at = {"compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "sub": 4, "subn": 4, "split": 3}
    place = at[call.func.attr] if isinstance(call.func, ast.Attribute) else 1
    return named if named is not None else (call.args[place] if len(call.args) > place else None)


@dataclass(frozen=True, slots=True)
class Read:
    """What reading the source gave: patterns, and the places of those that are put together while the product runs."""

    found: tuple[Found, ...]
    computed: tuple[str, ...]


def in_source() -> Read:
    """The patterns that the source states, and where it makes others of what it is given."""
    found: dict[tuple[str, int], Found] = {}
    computed: dict[str, None] = {}
    for name, path in _modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = list(_calls(tree))
        if not calls:
            continue
        names = vars(importlib.import_module(name))
        assigned, used = _named(tree), _uses(tree)
        for inside, call in calls:
            library = regex if isinstance(call.func, ast.Attribute) and _owner(call) == "regex" else re
            try:
                source = _evaluated(call.args[0], names)
                given = _flags(call)
                flags = _evaluated(given, names) if given is not None else 0
                if not isinstance(source, str):  # a compiled pattern, which stands elsewhere
                    continue
                made = library.compile(source, flags)
            except NameError:
                computed[f"{name}:{inside}"] = None
                continue
            place = f"{name}:{inside}" if inside else name
            held = assigned.get(call, "")
            anchored = used.get(held, {_method(call)}) <= _AT_START
            made_of = Found(f"{place}, ligne {call.lineno}", made, words_of(source), f"{name}.{held}", anchored)
            found.setdefault((made.pattern, int(made.flags)), made_of)
    return Read(tuple(found.values()), tuple(computed))


def _named(tree: ast.Module) -> dict[ast.Call, str]:
    """The calls that give a name of the module its pattern."""
    given = (node for node in tree.body if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Call))
    targets = ((node.target if isinstance(node, ast.AnnAssign) else node.targets[0], node.value) for node in given)
    return {call: target.id for target, call in targets if isinstance(target, ast.Name) and isinstance(call, ast.Call)}


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    """What is asked of each name: « search », « fullmatch »…; « » where it is handed on whole."""
    asked: dict[str, set[str]] = {}
    owners = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            asked.setdefault(node.id, set()).add(owners.get(id(node), ""))
    return asked


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _owner(call: ast.Call) -> str:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else ""


def words_of(source: str) -> tuple[str, ...]:
    """Words of the source of a pattern, without its syntax, spread over its whole length."""
    plain = _SYNTAX.sub("\x00", source)
    words = list(dict.fromkeys(match.group() for match in _SOURCE_WORD.finditer(plain)))
    step = max(1, len(words) // _MOST_PIECES)
    return tuple(islice(words[::step], _MOST_PIECES))


def in_tables() -> Iterator[Found]:
    """The patterns of the tables of wordings, as they are compiled, with their examples and near-misses as their words."""
    context, signals, wordings = (importlib.import_module(f"model.{name}") for name in ("context", "signals", "wordings"))
    seen = set()
    guards: set[str] = set()
    for finder in (context.context_finder(), signals.signal_finder()):
        for number, wording in enumerate(finder.wordings):
            key = (wording.pattern, tuple(sorted(wording.slots)))
            if key in seen:
                continue
            seen.add(key)
            classes = tuple(word for words in wording.slots.values() for word in words[:: max(1, len(words) // 3)][:3])
            told = tuple(wordings.fold(one) for one in (wording.example, wording.counter) if one)
            own = words_of(wording.pattern)
            yield Found(f"tournure {wording.id}", finder._pattern(number), (*told, *classes[:6], *own))
            for pattern in set(wording.absent) - guards:
                guards.add(pattern)
                yield Found(f"« absent » de {wording.id}", regex.compile(pattern), words_of(pattern))


def attacks(words: Sequence[str]) -> Iterator[str]:
    """Short strings that make a hostile text when they are repeated: fillers, the pattern's own words, near-misses of them."""
    yield from _FILLERS
    for word in words:
        yield word + " "
        yield word
        yield word[:-1] + " "
    for one, other in pairwise(words):
        yield f"{one} {other} "
        yield f"{one} a a a {other[:-1]} "


def texts(words: Sequence[str]) -> Iterator[tuple[str, Callable[[int], str]]]:
    """Hostile texts: a name, and what makes each at a given length.

    What the pattern's words are made of, again and again; then the beginnings of the first two of them (its example and its
    near-miss, if it has any), each followed without end by what a repetition of the pattern may take.
    """

    def repeated(piece: str, head: str = "") -> Callable[[int], str]:
        return lambda n: (head + piece * (n // len(piece) + 1))[:n] + "\x01"

    for piece in filter(None, attacks(words)):
        yield f"{piece[:40]!r} répété", repeated(piece)
    for phrase in words[:2]:
        parts = phrase.split(" ")
        for count in range(1, min(len(parts), _MOST_BEGINNINGS) + 1):
            head = " ".join(parts[:count])
            for filler in _LINKS:
                yield f"{head[-40:]!r} puis {filler!r} répété", repeated(filler, f"{head} ")


@dataclass(frozen=True, slots=True)
class Slow:
    """A pattern whose cost grows faster than a text: seconds of the processor at two lengths."""

    place: str
    text: str
    lengths: tuple[int, int]
    seconds: tuple[float, float]

    def __str__(self) -> str:
        one, other = (f"{seconds * 1000:.0f} ms à {length}" for seconds, length in zip(self.seconds, self.lengths, strict=True))
        return f"{self.place} : {self.text} : {one}, {other}"


def seconds_of(found: Found, text: str) -> float:
    """What a pattern costs on a text, of the processor; `_MOST` where it was not done with after as much by the clock."""
    limit: dict[str, Any] = {} if isinstance(found.pattern, re.Pattern) else {"timeout": _MOST}
    started = time.thread_time()
    try:
        if found.anchored:
            found.pattern.fullmatch(text, **limit)
        else:
            for _ in found.pattern.finditer(text, **limit):
                pass
    except TimeoutError:
        # By the clock: on a busy machine it had less of the processor.
        return _MOST
    return time.thread_time() - started


def slow_texts(found: Found, length: int = 2_000, chosen: Callable[[int, str], bool] = lambda *_: True) -> Iterator[Slow]:
    """The hostile texts on which a pattern costs more than in proportion: four times as long, more than eight times as much,
    or that it is not done with in `_MOST` seconds.

    Where it costs under `_NOTHING_MUCH` at this length, it is not looked at further.
    """
    longer = 4 * length
    if found.name in BOUNDED:
        length, longer = BOUNDED[found.name] // 4, BOUNDED[found.name]
    for number, (name, make) in enumerate(texts(found.words)):
        if not chosen(number, name) or seconds_of(found, make(length)) < _NOTHING_MUCH:
            continue
        costs = [min(seconds_of(found, make(size)) for _ in range(2)) for size in (length, longer)]
        # What does not end in time has no growth to be told: it may be cut at both lengths.
        if max(costs) >= _MOST or costs[1] > _GROWTH * max(costs[0], _NOTHING_MUCH):
            yield Slow(found.place, name, (length, longer), (costs[0], costs[1]))


def main() -> int:
    """Try every pattern on every text: `python -m tests.harness.hostile_patterns [length]`; 1 if one is not linear."""
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    read = in_source()
    every = [*read.found, *in_tables()]
    slow = []
    for found in every:
        worst = max(slow_texts(found, length), key=lambda one: one.seconds[1], default=None)
        if worst:
            slow.append(worst)
            sys.stdout.write(f"{worst}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(every)} motifs, {len(slow)} dont le coût croît plus vite que le texte\n")
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
