"""What the documents show between fences: their blocks, and the shell commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
#: Blocks where what follows a prompt is a command, and the rest an answer; « # » is the prompt of root.
PROMPTED: Final = frozenset({"console", "text", ""})
SHELL: Final = PROMPTED | {"sh", "bash", "shell"}
_PROMPTS: Final = ("$ ", "# ")
_FENCE: Final = re.compile(
    r"^(?P<example><!-- exemple : docs/exemples/\S+ -->\n)?"
    r"(?P<indent> *)```(?P<language>[\w-]*)\n(?P<content>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
_ASSIGNMENT: Final = re.compile(r"\w+=")
_BETWEEN: Final = frozenset({"&&", "||", "|", ";", "&"})


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, its language as written, its content without indentation, whether it is a file of examples."""

    document: str
    line: int
    language: str
    content: str
    example: bool = False


@dataclass(frozen=True)
class Command:
    """A shell command as a document shows it, on one line or more, without its prompt."""

    document: str
    line: int
    shown: str

    @property
    def place(self) -> str:
        """Where it is, for messages and for the names of tests."""
        return f"{self.document}:{self.line}"

    @property
    def parts(self) -> list[list[str]]:
        """The words of each simple command in it, without assignments in front; comments and redirections are left in no part."""
        lexer = shlex.shlex(self.shown, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        found: list[list[str]] = [[]]
        for word in lexer:
            if word in _BETWEEN:
                found.append([])
            elif found[-1] or not _ASSIGNMENT.match(word):
                found[-1].append(word)
        return [part for part in found if part]


def documents() -> list[Path]:
    """The README and every page of docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        indent = found["indent"]
        content = "".join(line.removeprefix(indent) for line in found["content"].splitlines(keepends=True))
        name = path.relative_to(ROOT).as_posix()
        yield Block(name, text.count("\n", 0, found.start()) + 2, found["language"], content, bool(found["example"]))


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block: lines after a prompt where there are prompts, every line otherwise, those that go on joined."""
    begun, first = "", 0
    for number, line in enumerate(block.content.splitlines()):
        if not begun:
            if block.language in PROMPTED:
                if not line.startswith(_PROMPTS):
                    continue
                line = line[2:]
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            first = number
        begun += line + "\n"
        if _whole(begun):
            yield Command(block.document, block.line + first, begun.strip())
            begun = ""
    assert not begun, f"{block.document}:{block.line + first} : commande sans fin"


def _whole(command: str) -> bool:
    if command.endswith("\\\n"):
        return False
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def all_commands() -> list[Command]:
    """Every shell command that a document shows; the examples of the API, which are whole programs, are run by their own test."""
    shown = [block for path in documents() for block in blocks(path) if block.language in SHELL and not block.example]
    return [command for block in shown for command in commands(block)]
