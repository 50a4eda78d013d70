"""The tables of the data card, written between its marks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from model.errors import CorpusError
from training.stats import Counts

#: Between these marks a data card holds what was generated.
STATS_MARKS: Final = ("<!-- tableaux : début (vigie corpus stats --card) -->", "<!-- tableaux : fin -->")
AGREEMENT_MARKS: Final = ("<!-- accord : début (vigie corpus agreement --card) -->", "<!-- accord : fin -->")


def markdown_tables(counts: Sequence[Counts]) -> str:
    """The tables as Markdown, for the data card."""
    blocks = []
    for found in counts:
        header = "| " + " | ".join(found.header) + " |"
        rule = "| " + " | ".join(["---"] + ["---:"] * (len(found.header) - 1)) + " |"
        rows = ["| " + " | ".join(map(str, row)) + " |" for row in found.rows]
        blocks.append("\n".join([f"### {found.title}", "", header, rule, *rows]))
    return "\n\n".join(blocks)


def update_card(card: Path, counts: Sequence[Counts], marks: tuple[str, str]) -> None:
    """Write the tables between two marks of a data card.

    Raises:
        CorpusError: the card cannot be read or lacks its marks.
    """
    begin, end = marks
    try:
        content = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{card} : carte illisible ({error}).") from error
    if begin not in content or end not in content.split(begin, 1)[-1]:
        raise CorpusError(f"{card} : les marques « {begin} » et « {end} » sont attendues.")
    before, rest = content.split(begin, 1)
    after = rest.split(end, 1)[1]
    partial = card.with_name(f".{card.name}.partial")
    try:
        partial.write_text(f"{before}{begin}\n\n{markdown_tables(counts)}\n\n{end}{after}", encoding="utf-8")
        partial.replace(card)
    except OSError as error:
        raise CorpusError(f"{card} : impossible d'écrire ({error.strerror or error}).") from error
    finally:
        partial.unlink(missing_ok=True)
