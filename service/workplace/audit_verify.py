"""Reads the audit log from end to end, one record at a time, and says what was changed, removed, added or reordered."""

import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, func, or_, select

from model.errors import VigieError
from service.workplace.audit_chain import (
    FIELDS,
    NOTHING,
    OPENING,
    START,
    Head,
    digest_of,
    instant_of,
    key_name,
    read_head,
    seal_of,
)
from service.workplace.audit_schema import AUDIT, missing_guards

#: opening: it does not begin as a log does. changed: what a record says. missing: a hole. unlinked: a record that does not follow
#: the one before. branch: two that follow the same. repeated: a number twice, or going back. cut: an end that was there is
#: gone. rewritten: another record stands where one was noted. seal, unsealed: a seal that is wrong, or gone. guards: nothing
#: protects the table.
Kind = Literal[
    "opening", "changed", "missing", "unlinked", "branch", "repeated", "cut", "rewritten", "seal", "unsealed", "guards"
]

_PAGE: Final = 5_000
_MOST_TOLD: Final = 100
_LONGEST_LINE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which record, in French."""

    kind: Kind
    number: int
    message: str


@dataclass(slots=True)
class Report:
    """What was found: `checked` records up to `head`, `sealed` of them with a good seal, `unsealed` before the first seal.

    The first hundred faults and warnings are kept, all are counted. `complete`: the log ends there.
    """

    checked: int = 0
    sealed: int = 0
    unsealed: int = 0
    unread_seals: int = 0
    head: Head = START
    complete: bool = True
    count: int = 0
    faults: list[Fault] = field(default_factory=list)
    warned: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.count == 0

    def blame(self, kind: Kind, number: int, message: str) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.faults) < _MOST_TOLD:
            self.faults.append(Fault(kind, number, message))

    def warn(self, message: str) -> None:
        """Note what may have an innocent reason."""
        self.warned += 1
        if len(self.warnings) < _MOST_TOLD:
            self.warnings.append(message)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a log from elsewhere: heads that were noted, keys of its seals by name, a head to begin at."""

    heads: Collection[Head] = ()
    keys: Mapping[str, bytes] = field(default_factory=dict)
    since: Head | None = None


def keys_by_name(keys: Iterable[bytes]) -> dict[str, bytes]:
    """Keys as `Expected` has them."""
    return {key_name(key): key for key in keys}


class _Reading:
    """One reading of a log."""

    def __init__(self, expected: Expected, report: Report) -> None:
        self.expected, self.report = expected, report
        self.noted: dict[int, set[str]] = {}
        for head in (*expected.heads, *((expected.since,) if expected.since else ())):
            self.noted.setdefault(head.number, set()).add(head.hash)
        self.ends = {NOTHING}  # what the next record may name as the one before
        self.before: Mapping[str, Any] | None = None
        self.last = expected.since.number - 1 if expected.since else 0

    def take(self, row: Mapping[str, Any]) -> None:
        """Check the next record."""
        number, report = row["number"], self.report
        report.checked += 1
        if type(number) is not int:
            report.blame("changed", self.last, f"Après le n° {self.last} : un enregistrement n'a pas de numéro.")
            return
        computed = self._digest(row)
        self._place(row, number)
        self._noted(row, number)
        self._seal(row, number)
        self._clock(row, number)
        self.before, self.last = row, number
        self.ends = {str(row["hash"]), computed}
        report.head = Head(number, str(row["hash"]))

    def _digest(self, row: Mapping[str, Any]) -> str:
        try:
            computed = digest_of(row)
        except TypeError:
            computed = ""
        if computed != row["hash"]:
            told = f"N° {row['number']} : son contenu n'est plus celui qui a été enregistré."
            self.report.blame("changed", row["number"], told)
        return computed

    def _place(self, row: Mapping[str, Any], number: int) -> None:
        report, wanted = self.report, self.last + 1
        if number > wanted:
            holes = f"n° {wanted}" if number == wanted + 1 else f"n° {wanted} à {number - 1}"
            report.blame("missing", wanted, f"Manque : {holes}.")
        elif number < wanted:
            report.blame("repeated", number, f"N° {number} : il vient après le n° {self.last}.")
        elif number == 1:
            if row["action"] != OPENING or row["previous"] != NOTHING:
                report.blame("opening", 1, "N° 1 : ce n'est pas l'ouverture du journal ; il a été vidé, puis repris.")
        elif self.before is not None and row["previous"] not in self.ends:
            if row["previous"] == self.before["previous"]:
                report.blame("branch", number, f"N° {number} : il suit le même enregistrement que le n° {self.last} (branche).")
            else:
                report.blame("unlinked", number, f"N° {number} : il ne suit pas le n° {self.last} qui est là.")

    def _noted(self, row: Mapping[str, Any], number: int) -> None:
        wanted = self.noted.pop(number, None)
        if wanted and wanted != {row["hash"]}:
            told = f"N° {number} : ce n'est pas l'enregistrement dont l'empreinte avait été relevée ; le journal a été refait."
            self.report.blame("rewritten", number, told)

    def _seal(self, row: Mapping[str, Any], number: int) -> None:
        report, seal, by = self.report, row["seal"], row["sealed_by"]
        if (seal is None) != (by == ""):
            report.blame("unsealed", number, f"N° {number} : son sceau a été retiré, ou ajouté.")
        elif seal is None:
            if report.sealed or report.unread_seals:
                report.blame(
                    "unsealed", number, f"N° {number} : il n'a pas de sceau, alors que des enregistrements d'avant en ont un."
                )
            report.unsealed += 1
        elif not self.expected.keys:
            report.unread_seals += 1
        elif (key := self.expected.keys.get(str(by))) is None:
            report.blame("seal", number, f"N° {number} : son sceau est d'un secret que l'on n'a pas ici.")
        elif not _same(seal_of(key, str(row["hash"])), str(seal)):
            report.blame("seal", number, f"N° {number} : son sceau est faux.")
        else:
            report.sealed += 1

    def _clock(self, row: Mapping[str, Any], number: int) -> None:
        if self.before is not None and str(row["at"]) < str(self.before["at"]):
            self.report.warn(f"N° {number} : il est daté d'avant le n° {self.last} ; l'horloge a reculé ({row['at']}).")

    def end(self, now: datetime) -> None:
        """Say what is missing once the last record was read."""
        report, last = self.report, self.last
        if self.before is None:
            if self.expected.since is None:
                report.blame("opening", 0, "Le journal est vide : son premier enregistrement n'est plus là.")
            last = 0
        elif str(self.before["at"]) > instant_of(now):
            report.warn(f"N° {last} : il est daté de plus tard que maintenant ({self.before['at']}).")
        for number in sorted(self.noted):
            if number > last and report.complete:
                told = f"N° {number} : il avait été relevé, et le journal s'arrête au n° {last} ; sa fin a été coupée."
                report.blame("cut", number, told)
        first = self.expected.since.number if self.expected.since else 1
        if early := [number for number in self.noted if 0 < number < first]:
            report.warn(f"{len(early)} tête(s) relevée(s) avant le n° {first} n'ont pas été comparées.")
        if report.unread_seals:
            report.warn(f"{report.unread_seals} sceau(x) non vérifié(s) : VIGIE_SECRET_KEY n'est pas posé ici.")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def verify(
    rows: Iterable[Mapping[str, Any]], expected: Expected, now: datetime, over: Callable[[int], bool] = lambda _: True
) -> Report:
    """Check records in the order given, by what is known from elsewhere; memory does not grow with them.

    `over`: whether the log ends with the record of this number, the last one given.
    """
    report = Report()
    reading = _Reading(expected, report)
    for row in rows:
        reading.take(row)
    report.complete = over(reading.last)
    reading.end(now)
    return report


def records_of(engine: Engine, first: int | None = None, most: int | None = None) -> Iterator[Mapping[str, Any]]:
    """The records by number, from one on, a page at a time: nothing is held open between two pages."""
    wanted = select(*(AUDIT.c[name] for name in FIELDS)).order_by(AUDIT.c.number)
    rest = wanted if first is None else wanted.where(AUDIT.c.number >= first)
    left = most
    while left is None or left > 0:
        with engine.connect() as connection:
            rows = connection.execute(rest.limit(_PAGE if left is None else min(_PAGE, left))).mappings().all()
        yield from map(dict, rows)
        if not rows:
            return
        left = left - len(rows) if left is not None else None
        rest = wanted.where(AUDIT.c.number > rows[-1]["number"])


def verify_database(engine: Engine, expected: Expected, now: datetime, most: int | None = None) -> Report:
    """Check the log of a database, and that its guards stand; `most` records at most, to go on later from `head`."""
    first = expected.since.number if expected.since else None

    def over(last: int) -> bool:
        with engine.connect() as connection:
            return connection.execute(select(AUDIT.c.number).where(AUDIT.c.number > last).limit(1)).first() is None

    report = verify(records_of(engine, first, most), expected, now, over)
    with engine.connect() as connection:
        if missing := missing_guards(connection):
            report.blame("guards", 0, f"Rien n'empêche plus de changer le journal : il manque {', '.join(missing)}.")
        _count(connection, first, report)
    return report


def _count(connection: Connection, first: int | None, report: Report) -> None:
    """Records that reading by number would pass over: without a number, or with one that another has."""
    among = or_(AUDIT.c.number.is_(None), AUDIT.c.number <= report.head.number)
    query = select(func.count()).select_from(AUDIT).where(among)
    found = connection.execute(query if first is None else query.where(AUDIT.c.number >= first)).scalar_one()
    if found != report.checked and report.head.number:
        report.blame(
            "repeated", 0, f"{found} enregistrements là où {report.checked} numéros sont lus : des numéros sont en double."
        )


def rows_of_file(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a log exported whole as JSONL.

    Raises:
        VigieError: it cannot be read, or a line is no record; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE), ""), start=1):
                yield _row_of(line, f"{path}, ligne {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise VigieError(f"{path} : le fichier ne peut pas être lu ({error}).") from error


def _row_of(line: str, place: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise VigieError(f"{place} : un objet JSON est attendu.") from error
    if not isinstance(row, dict) or any(name not in row for name in FIELDS):
        raise VigieError(f"{place} : les champs {', '.join(FIELDS)} sont attendus.")
    if any(not isinstance(row[name], str | int | None) for name in FIELDS):
        raise VigieError(f"{place} : des champs sans liste ni objet sont attendus.")
    return row


def read_anchors(path: Path) -> Sequence[Head]:
    """The heads that a file of anchors holds (`service.workplace.audit_anchor` writes it), oldest first.

    Raises:
        VigieError: it cannot be read, or a line is no anchor; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VigieError(f"{path} : le fichier des têtes relevées ne peut pas être lu ({error}).") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(read_head(line.split()[-1]))
        except ValueError as error:
            raise VigieError(f"{path}, ligne {number} : {error}") from error
    return found
