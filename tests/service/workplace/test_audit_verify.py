"""Whatever is changed in the log by direct access to its database is found, and where."""

import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from model.errors import VigieError
from service.workplace.audit_chain import (
    COVERED,
    FIELDS,
    NOTHING,
    OPENING,
    START,
    Head,
    chained,
    digest_of,
    instant_of,
    read_head,
)
from service.workplace.audit_list import exported
from service.workplace.audit_verify import (
    Expected,
    Report,
    keys_by_name,
    read_anchors,
    records_of,
    rows_of_file,
    verify,
    verify_database,
)
from tests.service.workplace.audited import head, unguarded, write

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KEY, OTHER = b"k" * 32, b"o" * 32
COUNT = 12


def chain(count: int, key: bytes | None = None, sealed_from: int = 1) -> list[dict[str, Any]]:
    """A log of so many records, ten seconds apart."""
    rows: list[dict[str, Any]] = []
    before = START
    for number in range(1, count + 1):
        values = {
            "at": instant_of(NOW + timedelta(seconds=10 * number)),
            "actor": f"u{number % 3}",
            "means": "session",
            "means_id": "",
            "address": "192.0.2.7",
            "action": OPENING if number == 1 else "text.view",
            "object": f"text:{number}",
            "details": json.dumps({"masked": False}),
        }
        rows.append(chained(before, values, key if number >= sealed_from else None))
        before = Head(number, rows[-1]["hash"])
    return rows


def check(rows: list[dict[str, Any]], **expected: Any) -> Report:
    return verify(rows, Expected(**expected), LATER)


def kinds(report: Report) -> set[str]:
    return {fault.kind for fault in report.faults}


def test_a_log_that_nobody_touched_is_whole() -> None:
    rows = chain(COUNT, KEY)
    report = check(rows, keys=keys_by_name([KEY]), heads=[Head(row["number"], row["hash"]) for row in rows])
    assert report.whole
    assert (report.checked, report.sealed, report.warnings) == (COUNT, COUNT, [])
    assert report.head == Head(COUNT, rows[-1]["hash"])


_VALUES = st.one_of(
    st.text(max_size=40), st.integers(-5, 10**9), st.none(), st.binary(max_size=8), st.floats(allow_nan=False), st.booleans()
)


@settings(max_examples=600)
@given(number=st.integers(1, COUNT), name=st.sampled_from(FIELDS), value=_VALUES)
def test_any_single_change_of_any_field_of_any_record_is_found(number: int, name: str, value: object) -> None:
    rows = chain(COUNT, KEY)
    was = rows[number - 1][name]
    if value == was and type(value) is type(was):
        return
    rows[number - 1][name] = value
    assert not check(rows, keys=keys_by_name([KEY])).whole


@settings(max_examples=200)
@given(number=st.integers(1, COUNT), name=st.sampled_from([one for one in COVERED if one != "number"]), data=st.data())
def test_one_character_is_enough(number: int, name: str, data: st.DataObject) -> None:
    rows = chain(COUNT)
    was = rows[number - 1][name]
    place = data.draw(st.integers(0, len(was)))
    added = data.draw(st.characters(exclude_categories=["Cs"]))
    rows[number - 1][name] = was[:place] + added + was[place:]
    assert not check(rows).whole


@settings(max_examples=200)
@given(st.permutations(range(COUNT)))
def test_no_other_order_is_whole(order: list[int]) -> None:
    rows = chain(COUNT)
    moved = [rows[place] for place in order]
    assert check(moved).whole == (order == list(range(COUNT)))
    renumbered = [row | {"number": place + 1} for place, row in enumerate(moved)]
    assert check(renumbered).whole == (order == list(range(COUNT)))


@settings(max_examples=200)
@given(st.sets(st.integers(1, COUNT), min_size=1))
def test_no_part_of_a_log_is_whole_against_its_head(gone: set[int]) -> None:
    rows = chain(COUNT)
    left = [row for row in rows if row["number"] not in gone]
    assert not check(left, heads=[Head(COUNT, rows[-1]["hash"])]).whole


def test_a_part_can_be_checked_from_a_head_that_was() -> None:
    rows = chain(COUNT)
    start = Head(5, rows[4]["hash"])
    report = check(rows[4:], since=start)
    assert report.whole
    assert report.checked == COUNT - 4
    assert kinds(check(rows[4:], since=Head(5, "0" * 64))) == {"rewritten"}
    assert kinds(check(rows[5:], since=start)) == {"missing"}
    assert kinds(check([], since=start)) == {"cut"}


def test_a_clock_that_goes_back_is_told_and_no_fault() -> None:
    rows, before = chain(COUNT), START
    again = []
    for row in rows:
        values = {name: row[name] for name in COVERED} | ({"at": instant_of(NOW)} if row["number"] == 6 else {})
        again.append(chained(before, values, None))
        before = Head(row["number"], again[-1]["hash"])
    report = check(again)
    assert report.whole
    assert "l'horloge a reculé" in report.warnings[0]
    assert "plus tard que maintenant" in verify(rows, Expected(), NOW).warnings[0]


def test_seals_tell_a_log_made_anew_by_who_has_not_the_secret() -> None:
    keys = keys_by_name([KEY])
    assert kinds(check(chain(COUNT, OTHER), keys=keys)) == {"seal"}
    rows = chain(COUNT, KEY, sealed_from=4)
    assert check(rows, keys=keys).whole
    assert (check(rows, keys=keys).sealed, check(rows, keys=keys).unsealed) == (COUNT - 3, 3)
    assert kinds(check([row | {"seal": None} if row["number"] == 9 else row for row in rows], keys=keys)) == {"unsealed"}
    assert check(chain(COUNT, OTHER), keys=keys_by_name([KEY, OTHER])).whole, "l'ancien secret vérifie ce qu'il a scellé"
    report = check(rows)
    assert report.whole
    assert "non vérifié" in report.warnings[0]


def test_faults_are_counted_and_a_hundred_told() -> None:
    rows = [row | {"actor": "x"} for row in chain(300)]
    report = check(rows)
    assert (report.count, len(report.faults)) == (300, 100)


# Each of these changes a database with nothing to stop it; `head` is the end of the log that was noted before.
Tampering = Callable[[Connection], None]


def _sql(*statements: str) -> Tampering:
    def do(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    return do


def _rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text("select * from audit_records order by number")).mappings()]


def _put(connection: Connection, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(FIELDS)
    connection.execute(text("delete from audit_records"))
    given = text(f"insert into audit_records ({names}) values ({', '.join(':' + name for name in FIELDS)})")
    connection.execute(given, [dict(row) for row in rows])


def _made_anew(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records, chained and hashed again as they now read."""
    before, found = START, []
    for row in rows:
        found.append(chained(before, {name: row[name] for name in COVERED}, None))
        before = Head(found[-1]["number"], found[-1]["hash"])
    return found


def _rehashed(connection: Connection) -> None:
    row = _rows(connection)[9] | {"actor": "quelqu'un d'autre"}
    changed = {"actor": row["actor"], "hash": digest_of(row)}
    connection.execute(text("update audit_records set actor = :actor, hash = :hash where number = 10"), changed)


def _rewritten_from(first: int) -> Tampering:
    def do(connection: Connection) -> None:
        rows = _rows(connection)
        rows[first - 1]["actor"] = "quelqu'un d'autre"
        _put(connection, _made_anew(rows))

    return do


def _removed_and_rechained(connection: Connection) -> None:
    rows = _rows(connection)
    _put(connection, _made_anew(rows[:9] + rows[10:]))


def _inserted_and_rechained(connection: Connection) -> None:
    rows = _rows(connection)
    _put(connection, _made_anew([*rows[:9], rows[4], *rows[9:]]))


def _branch(connection: Connection) -> None:
    rows = _rows(connection)
    other = rows[9] | {"actor": "quelqu'un d'autre"}
    fork = chained(Head(8, rows[8]["previous"]), {name: other[name] for name in COVERED}, None)
    forked = {**fork, "number": 10, "hash": digest_of(fork | {"number": 10})}
    _put(connection, [*rows[:9], forked, *rows[10:]])


def _swapped(connection: Connection) -> None:
    rows = _rows(connection)
    first, second = rows[8], rows[9]
    _put(connection, [*rows[:8], second | {"number": 9}, first | {"number": 10}, *rows[10:]])


def _moved_to_the_end(connection: Connection) -> None:
    rows = _rows(connection)
    _put(connection, [*rows[:5], *rows[6:], rows[5] | {"number": rows[-1]["number"] + 1}])


def _emptied_then_reopened(connection: Connection) -> None:
    rows = _rows(connection)
    _put(connection, _made_anew([row for row in rows if row["number"] in (3, 4)]))


def _twice(connection: Connection) -> None:
    rows = _rows(connection)
    connection.execute(text("create table copy as select * from audit_records"))
    connection.execute(text("drop table audit_records"))
    connection.execute(text("alter table copy rename to audit_records"))
    names = ", ".join(FIELDS)
    given = text(f"insert into audit_records ({names}) values ({', '.join(':' + name for name in FIELDS)})")
    connection.execute(given, [rows[9]])


TAMPERING: dict[str, tuple[Tampering, str]] = {
    "acteur": (_sql("update audit_records set actor = 'u9' where number = 7"), "changed"),
    "instant": (_sql("update audit_records set at = '2001-01-01T00:00:00.000000Z' where number = 7"), "changed"),
    "moyen": (_sql("update audit_records set means = 'service' where number = 7"), "changed"),
    "clé": (_sql("update audit_records set means_id = 'k' where number = 7"), "changed"),
    "adresse": (_sql("update audit_records set address = '198.51.100.1' where number = 7"), "changed"),
    "action": (_sql("update audit_records set action = 'session.open' where number = 7"), "changed"),
    "objet": (_sql("update audit_records set object = 'text:x' where number = 7"), "changed"),
    "détails": (_sql("update audit_records set details = '{}' where number = 7"), "changed"),
    "précédent": (_sql(f"update audit_records set previous = '{NOTHING}' where number = 7"), "changed"),
    "empreinte": (_sql(f"update audit_records set hash = '{NOTHING}' where number = 7"), "changed"),
    "sceau": (_sql("update audit_records set seal = 'faux' where number = 7"), "unsealed"),
    "numéro": (_sql("update audit_records set number = 900 where number = 7"), "missing"),
    "retiré": (_sql("delete from audit_records where number = 7"), "missing"),
    "plusieurs retirés": (_sql("delete from audit_records where number between 7 and 12"), "missing"),
    "début retiré": (_sql("delete from audit_records where number < 5"), "missing"),
    "fin coupée": (_sql("delete from audit_records where number > 15"), "cut"),
    "vidé": (_sql("delete from audit_records"), "opening"),
    "vidé puis repris": (_emptied_then_reopened, "opening"),
    "changé et rehaché": (_rehashed, "unlinked"),
    "retiré et rechaîné": (_removed_and_rechained, "cut"),
    "ajouté et rechaîné": (_inserted_and_rechained, "rewritten"),
    "refait depuis le 10": (_rewritten_from(10), "rewritten"),
    "refait en entier": (_rewritten_from(1), "rewritten"),
    "branche": (_branch, "branch"),
    "échangés": (_swapped, "changed"),
    "déplacé à la fin": (_moved_to_the_end, "missing"),
    "deux fois le même": (_twice, "repeated"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_direct_access_to_the_database_changes_is_found(engine: Engine, name: str) -> None:
    write(engine, 20)
    noted, (tamper, kind) = head(engine), TAMPERING[name]
    expected = Expected(heads=[noted], keys=keys_by_name([KEY]))
    assert verify_database(engine, expected, LATER).whole
    # A table that is made anew has no guards to put back.
    rebuilt = name == "deux fois le même"
    with engine.begin() if rebuilt else unguarded(engine) as connection:
        tamper(connection)
    report = verify_database(engine, expected, LATER)
    assert kind in kinds(report), report
    if not rebuilt:
        assert "guards" not in kinds(report), "c'est la chaîne elle-même qui le montre"


def test_guards_that_are_gone_are_told(base: Engine) -> None:
    with base.begin() as connection:
        connection.execute(text("drop trigger audit_records_no_update"))
    report = verify_database(base, Expected(), LATER)
    assert kinds(report) == {"guards"}
    assert "audit_records_no_update" in report.faults[0].message


def test_guards_that_sleep_are_told(postgres_base: Engine) -> None:
    with postgres_base.begin() as connection:
        connection.execute(text("alter table audit_records disable trigger audit_records_no_delete"))
    assert kinds(verify_database(postgres_base, Expected(), LATER)) == {"guards"}


def test_a_check_goes_on_from_where_it_stopped(engine: Engine) -> None:
    write(engine, 30)
    noted = head(engine)
    first = verify_database(engine, Expected(heads=[noted]), LATER, 12)
    assert (first.whole, first.complete, first.head.number) == (True, False, 12)
    rest = verify_database(engine, Expected(heads=[noted], since=first.head), LATER)
    assert (rest.whole, rest.complete, rest.head) == (True, True, noted)


def test_what_is_written_meanwhile_does_not_disturb(base: Engine) -> None:
    write(base, 20)
    noted = head(base)

    def rows() -> Iterator[Mapping[str, Any]]:
        for number, row in enumerate(records_of(base)):
            if number == 10:
                write(base, 5)
            yield row

    assert verify(rows(), Expected(heads=[noted]), LATER).whole


def test_memory_does_not_grow_with_the_log() -> None:
    def peak(count: int) -> int:
        rows = chain(500)
        head = Head(500, rows[-1]["hash"])

        def many() -> Iterator[Mapping[str, Any]]:
            nonlocal head
            yield from rows
            values = {name: rows[-1][name] for name in COVERED}
            for _ in range(count):
                row = chained(head, values, None)
                head = Head(row["number"], row["hash"])
                yield row

        tracemalloc.start()
        assert verify(many(), Expected(), LATER).whole
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # Twenty thousand rows that were held would take more; a server of another test may run in this process.
    assert peak(20_000) < peak(500) + 10_000_000


def test_an_exported_log_is_checked_without_its_database(base: Engine, tmp_path: Path) -> None:
    write(base, 30)
    noted, path = head(base), tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(exported(base, "jsonl")))
    report = verify(rows_of_file(path), Expected(heads=[noted]), LATER)
    assert report.whole
    assert report.head == noted
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    assert kinds(verify(rows_of_file(path), Expected(heads=[noted]), LATER)) == {"cut"}


@pytest.mark.parametrize("line", ["", "[]", "{}", "pas du JSON", "[" * 5_000, '{"number": 1}'])
def test_a_file_that_is_no_log_is_named_by_line(base: Engine, tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(exported(base, "jsonl")) + line.encode() + b"\n")
    with pytest.raises(VigieError, match="ligne 2 :"):
        list(rows_of_file(path))


def test_a_file_of_anchors_that_cannot_be_read_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "têtes"
    path.write_text(f"2026-11-30T08:00:00.000000Z 3:{'a' * 64}\n\n2026 quatre:abc\n")
    with pytest.raises(VigieError, match="ligne 3 :"):
        read_anchors(path)
    with pytest.raises(VigieError, match="ne peut pas être lu"):
        read_anchors(tmp_path / "absent")


@given(st.integers(0, 10**9 - 1), st.binary(min_size=32, max_size=32))
def test_a_head_is_read_as_it_is_written(number: int, digest: bytes) -> None:
    assert read_head(f" {Head(number, digest.hex())}\n") == Head(number, digest.hex())
    assert read_head(f"{number}:{digest.hex().upper()}") == Head(number, digest.hex())


@given(st.text(max_size=90))
def test_what_is_no_head_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="NUMÉRO:EMPREINTE"):
        read_head(given)
