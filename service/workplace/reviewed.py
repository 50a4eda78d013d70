"""Texts that people reviewed, as lines of the corpus: whoever wrote and read them is named by a code that says nothing.

Adjudicated labels come before those of a golden text, those before a first reading. What is unsure or disputed is left
out, and counted.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, RowMapping, func, select

from model.labels import CHANNEL_IDS
from service.workplace.choices import secret
from service.workplace.decided import VALID
from service.workplace.schema import DECISIONS, GOLDEN, ITEMS

PROVENANCE: Final = "reviewed"
#: Why a decided text is not a line, in French.
LEFT: Final = {"unsure": "laissés sans réponse (« je ne sais pas »)", "disputed": "lus deux fois sans accord, à arbitrer"}
_CODE: Final = 12
_LABELS: Final = ("first", "second", "adjudication", "golden", "revision")
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class ReviewedText:
    """A corpus line, the text of the workplace that it comes from, and the decision that gave its labels."""

    line: Mapping[str, Any]
    item_id: str
    decision_id: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Every reviewed text, oldest item first, and the texts that are left out, counted by the reasons of `LEFT`."""

    texts: tuple[ReviewedText, ...]
    left: Mapping[str, int]

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """The corpus lines alone."""
        return [text.line for text in self.texts]


def reviewed_texts(engine: Engine) -> Reviewed:
    """What people decided, as corpus lines; withdrawn decisions count for nothing.

    A line has no `group` nor `split`: they depend on the other texts. Its `writer` is empty where nobody knows whose hand
    it is.
    """
    with engine.begin() as connection:
        key = secret(connection)
    found: list[ReviewedText] = []
    left: dict[str, int] = {}
    with engine.connect() as connection:
        for readings in _by_item(connection):
            chosen = _standing(readings)
            reason = _left_out(readings, chosen)
            if reason:
                left[reason] = left.get(reason, 0) + 1
            elif chosen is not None:
                found.append(ReviewedText(_line(key, readings, chosen), chosen["item_id"], chosen["decision_id"]))
    return Reviewed(tuple(found), left)


def count_decided(connection: Connection) -> int:
    """How many texts have a decision that holds, unsure ones left out; an index answers."""
    done = select(func.count()).select_from(ITEMS).where(ITEMS.c.decided_level.is_not(None))
    return int(connection.execute(done).scalar_one())


def _by_item(connection: Connection) -> Iterator[list[RowMapping]]:
    """The readings that hold of each text, oldest first."""
    query = (
        select(
            DECISIONS.c.number,
            DECISIONS.c.id.label("decision_id"),
            DECISIONS.c.user_id,
            DECISIONS.c.kind,
            DECISIONS.c.verdict,
            DECISIONS.c.stance.label("decided"),
            DECISIONS.c.level.label("given"),
            DECISIONS.c.targets,
            DECISIONS.c.indicators,
            GOLDEN.c.decision_id.label("golden_id"),
            ITEMS.c.id.label("item_id"),
            *(ITEMS.c[name] for name in ("text", "source", "channel", "theme", "author", "url", "state")),
        )
        .join(ITEMS, ITEMS.c.id == DECISIONS.c.item_id)
        .outerjoin(GOLDEN, GOLDEN.c.item_id == DECISIONS.c.item_id)
        .where(VALID, DECISIONS.c.kind.in_(_LABELS))
        .order_by(DECISIONS.c.item_id, DECISIONS.c.number)
        .execution_options(yield_per=_AT_ONCE)
    )
    for _, rows in groupby(connection.execute(query).mappings(), key=lambda row: row["item_id"]):
        yield list(rows)


def _standing(readings: Sequence[RowMapping]) -> RowMapping | None:
    """The reading that gives the labels: the last revision or adjudication, else what a golden text is agreed to be, the first.

    A golden text is what it is agreed to be, whatever somebody says of it later.
    """
    last = {row["kind"]: row["number"] for row in readings}
    revised = last.get("revision", 0) > max(last.get("adjudication", 0), last.get("second", 0))
    tests: tuple[Callable[[RowMapping], bool], ...] = (
        lambda row: revised and row["kind"] == "revision" and row["golden_id"] is None,
        lambda row: row["kind"] == "adjudication",
        lambda row: row["decision_id"] == row["golden_id"],
        lambda row: row["kind"] == "first",
        lambda row: row["kind"] == "second",
        lambda row: row["kind"] == "revision",
    )
    return next((row for test in tests for row in reversed(readings) if test(row)), None)


def _left_out(readings: Sequence[RowMapping], chosen: RowMapping | None) -> str | None:
    """Why a text is not a line; None where it is one, or where nobody but to measure readers has read it."""
    if chosen is None:
        return None
    if chosen["verdict"] == "unsure":
        return "unsure"
    if chosen["kind"] in ("adjudication", "revision") or chosen["decision_id"] == chosen["golden_id"]:
        return None
    other = _other(readings, chosen)
    if other is not None and other["verdict"] == "unsure":
        return "unsure"
    differ = other is not None and (other["decided"], other["given"]) != (chosen["decided"], chosen["given"])
    return "disputed" if differ or chosen["state"] == "disputed" else None


def _other(readings: Sequence[RowMapping], chosen: RowMapping) -> RowMapping | None:
    """The blind second reading beside a first one."""
    kinds = ("second",) if chosen["kind"] == "first" else ("first",)
    return next((row for row in reversed(readings) if row["kind"] in kinds), None)


def _line(key: bytes, readings: Sequence[RowMapping], chosen: RowMapping) -> dict[str, Any]:
    channel = chosen["channel"] if chosen["channel"] in CHANNEL_IDS else "website"
    line = {
        "id": chosen["item_id"],
        "text": chosen["text"],
        "channel": channel,
        **_labels(chosen),
        "theme": chosen["theme"] or "",
        "provenance": PROVENANCE,
        "writer": _writer(key, chosen),
        "annotator": _reader(key, chosen),
    }
    others = [row for row in readings if row["kind"] in ("first", "second") and row is not chosen]
    # Readings given up for a newer one of the same person say nothing more.
    latest = {row["user_id"]: row for row in others if row["user_id"] != chosen["user_id"] and row["verdict"] != "unsure"}
    if latest:
        line["annotations"] = [{"annotator": _reader(key, row), **_labels(row)} for row in latest.values()]
    if chosen["kind"] == "first" and (second := next((r for r in latest.values() if r["kind"] == "second"), None)):
        line["second_reader"] = {**_reader(key, second), "changed": _changed(_labels(chosen), _labels(second))}
    return line


def _labels(row: RowMapping) -> dict[str, Any]:
    promotes = row["decided"] == "promotes"
    marks = sorted(row["indicators"], key=lambda mark: (mark["start"], mark["end"], mark["label"])) if promotes else []
    return {
        "stance": row["decided"],
        "risk_level": row["given"],
        "indicators": [{"label": mark["label"], "start": mark["start"], "end": mark["end"]} for mark in marks],
        "targets": sorted(row["targets"]),
    }


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    fields = {"stance": "stance", "indicators": "signs", "risk_level": "level", "targets": "targets"}
    return [name for field, name in fields.items() if first[field] != second[field]]


def _reader(key: bytes, row: RowMapping) -> dict[str, str]:
    return {"id": f"p-{_code(key, 'person', row['user_id'])}", "kind": "person"}


def _writer(key: bytes, row: RowMapping) -> str:
    """The hand, as a code: the author at its source, else the site; nothing where neither is known."""
    if row["author"]:
        return f"a-{_code(key, 'author', row['source'], row['author'])}"
    try:
        site = urlsplit(row["url"] or "").hostname
    except ValueError:
        site = None
    return f"a-{_code(key, 'site', site)}" if site else ""


def _code(key: bytes, *parts: str) -> str:
    """A code that only this database can make again: a handle is too easy to guess from a plain hash."""
    return hmac.new(key, "\x1f".join(("corpus", *parts)).encode(), hashlib.sha256).hexdigest()[:_CODE]
