"""The observatory's figures are those of the texts, counted here another way; nothing personal is in them."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pytest
from sqlalchemy import Engine, select, update

from model.labels import CHANNEL_IDS
from service.observatory import measures
from service.observatory.cells import Amount
from service.observatory.families import families
from service.observatory.measures import ModelError, grouped_share
from service.observatory.periods import Calendar, PeriodError, monday_of, month_of, week_of, weeks_of
from service.observatory.report import limits_of, pdf, workbook
from service.observatory.selection import Answer, Wanted, read_wanted
from service.observatory.sheets import HIDDEN, Sheet, cell_of, sheets_of
from service.observatory.snapshot import Snapshot, newest, take
from service.workplace.choices import ChoiceError, choose
from service.workplace.estimates import share
from service.workplace.items import Received, add_items
from service.workplace.people import Person, Role
from service.workplace.schema import ITEM_PRACTICES, ITEMS
from service.workplace.similar import index_all
from tests.timing import quickest

REGIONS = ("Bretagne", "Occitanie", "=cmd()", "Grand Est", None)
STATES = ("new", "done", "open", "unsure")


def fill(engine: Engine, seed: int, count: int = 240) -> list[dict[str, Any]]:
    """Texts with values drawn by a seed; returns what was put in."""
    chance = random.Random(seed)
    start = datetime(2025, 11, 3, tzinfo=UTC)
    made: list[dict[str, Any]] = []
    for number in range(count):
        state = chance.choice(STATES)
        made.append(
            {
                "text": f"Annonce {seed} numéro {number} {chance.random()}, soin à {chance.choice(('Brest', 'Lyon', 'Metz'))}.",
                "captured_at": start + timedelta(days=chance.randrange(210), hours=chance.randrange(24)) if number % 9 else None,
                "channel": chance.choice(CHANNEL_IDS[:4]),
                "source": chance.choice(("annuaire", "forum", "réseau", "06 39 98 41 70")),
                "region": chance.choice(REGIONS),
                "theme": chance.choice(("jeûne", "reiki", "yoga", "rare" if number == 3 else "vente")),
                "author": f"@auteur{chance.randrange(40)}" if chance.random() < 0.7 else None,
                "level": chance.choice((0, 0, 1, 2, 3, None)),
                "state": state,
                "decided_level": chance.randrange(4) if state in ("done", "open") else None,
                "practice": chance.choice(("reiki", "jeune", None)),
            }
        )
    given = ("text", "captured_at", "channel", "source", "region", "theme", "author")
    with engine.begin() as connection:
        added = add_items(connection, [Received(**{name: row[name] for name in given}) for row in made])
        index_all(connection, {one.id: row["text"] for one, row in zip(added, made, strict=True)})
        for one, row in zip(added, made, strict=True):
            values = {name: row[name] for name in ("level", "state", "decided_level")}
            connection.execute(update(ITEMS).where(ITEMS.c.id == one.id).values(**values))
            if row["practice"]:
                connection.execute(ITEM_PRACTICES.insert().values(item_id=one.id, practice=row["practice"]))
            received = connection.execute(select(ITEMS.c.received_at).where(ITEMS.c.id == one.id)).scalar_one()
            row["day"] = (row["captured_at"] or received.replace(tzinfo=UTC)).astimezone(ZoneInfo("Europe/Paris")).date()
    return made


def snapshot_of(engine: Engine) -> Snapshot:
    with engine.connect() as connection:
        return take(connection)


def month(day: date) -> str:
    """The month of a day's week: that of its Thursday."""
    thursday = day - timedelta(days=day.weekday()) + timedelta(days=3)
    return f"{thursday:%Y-%m}"


def counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The measures, counted over rows one by one."""
    decided = [row["decided_level"] for row in rows if row["decided_level"] is not None]
    return {
        "texts": len(rows),
        "read": sum(row["level"] is not None for row in rows),
        "flagged": sum((row["level"] or 0) >= 2 for row in rows),
        "priority": sum(row["level"] == 3 for row in rows),
        "decided": len(decided),
        "kept": sum(level >= 2 for level in decided),
    }


def check(found: Amount, true: int) -> int:
    """An exact amount is the true one and no small one; another says less than it. How many were exact."""
    if found.exact:
        assert found.count == true
        assert found.count >= 5
        return 1
    assert found.count <= true
    return 0


@pytest.mark.parametrize("seed", range(2))
def test_figures_are_those_of_the_texts(engine: Engine, seed: int) -> None:
    rows = fill(engine, seed)
    answer = Answer(snapshot_of(engine), Wanted())
    exact = sum(check(answer.amount(name), true) for name, true in counted(rows).items())
    assert exact == 6
    for period in answer.calendar.periods:
        inside = [row for row in rows if period.begins <= row["day"] <= period.ends]
        for name, true in counted(inside).items():
            exact += check(answer.amount(name, [answer.calendar.nodes[period.key]]), true)
        if period.kind == "month":
            assert {month(row["day"]) for row in inside} <= {period.key}
    names = {"theme": "theme", "channel": "channel", "region": "region", "source": "source", "practice": "practice"}
    for table in answer.counted.tables:
        if table.id not in names:
            continue
        for id, _, amounts, flagged, _ in answer.by_value(table):
            mine = [row for row in rows if value_of(row, table.id) == id]
            if id == "__autres__":
                continue
            sizes = counted(mine)
            exact += sum(check(amounts[name], sizes[name]) for name in amounts)
            if flagged.plain.known:
                assert flagged.plain == share(sizes["flagged"], sizes["read"])
                assert flagged.grouped.low <= flagged.plain.value <= flagged.grouped.high
    assert exact > 150


def value_of(row: dict[str, Any], dimension: str) -> str:
    value = row[dimension]
    if dimension == "practice":
        return value or "–"
    return "" if value is None or (dimension == "source" and value.startswith("06")) else str(value)


def test_a_selection_counts_whole_months_and_one_value(engine: Engine) -> None:
    rows = fill(engine, 7)
    answer = Answer(snapshot_of(engine), Wanted(date(2026, 1, 15), date(2026, 3, 2), dimension="channel", value="ad"))
    assert answer.days == (date(2025, 12, 29), date(2026, 3, 29))
    mine = [row for row in rows if row["channel"] == "ad" and answer.days[0] <= row["day"] <= answer.days[1]]
    true = counted(mine)
    assert sum(check(answer.amount(name), true[name]) for name in true) >= 1
    assert [period.key for period in answer.periods()] == ["2026-01", "2026-02", "2026-03"]
    assert [sheet.id for sheet in sheets_of(answer, None)] == [
        "volumes",
        "parts",
        "niveaux",
        "modele",
        "miviludes",
        "autres-chiffres",
    ]


def test_repeated_texts_count_once_where_asked(base: Engine) -> None:
    said = "Le soin de lumière enlève le zona, l'eczéma et la fatigue en trois séances au cabinet de {}, sur rendez-vous, parking"
    with base.begin() as connection:
        received = [Received(said.format(town), author=who) for town, who in (("Brest", "@a"), ("Lyon", "@b"), ("Metz", "@b"))]
        received.append(Received("Le club de marche du jeudi fait le tour du lac, départ à huit heures du parking.", author="@b"))
        added = add_items(connection, received)
        index_all(connection, {one.id: row.text for one, row in zip(added, received, strict=True)})
        for one, level in zip(added, (1, 3, 2, 0), strict=True):
            connection.execute(update(ITEMS).where(ITEMS.c.id == one.id).values(level=level))
    rows = snapshot_of(base).rows
    assert rows.kept("texts").tolist() == [True] * 4
    assert sorted(rows.level[rows.kept("families")].tolist()) == [0, 3]
    assert sorted(rows.level[rows.kept("authors")].tolist()) == [1, 3]


def test_weeks_belong_to_the_month_of_their_thursday() -> None:
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(0, 4_000, 3)]
    for day in days:
        week = week_of(day)
        assert monday_of(week) <= day < monday_of(week) + timedelta(days=7)
        assert week in weeks_of(month_of(week))
        assert month_of(week) // 12 == day.isocalendar().year
    calendar = Calendar(2025 * 12 + 8, 2027 * 12 + 1)
    weeks = [period.first for period in calendar.of_kind("week")]
    assert weeks == list(range(weeks[0], weeks[-1] + 1))
    for node, period in enumerate(calendar.periods, 1):
        below = [calendar.periods[child - 1] for child in calendar.children[node]]
        if below:
            assert (below[0].first, below[-1].last) == (period.first, period.last)


def test_grouped_intervals_are_wider_where_texts_repeat() -> None:
    groups = np.repeat(np.arange(30), 10)
    hits = np.repeat(np.arange(30) % 2 == 0, 10)
    of = np.ones(300, dtype=np.bool_)
    grouped, alone = grouped_share(hits, of, groups), grouped_share(hits, of, np.arange(300))
    wilson = share(150, 300)
    assert grouped.value == alone.value == wilson.value
    assert alone.high - alone.low == pytest.approx(wilson.high - wilson.low, abs=0.01)
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("sizes", "hit"), [((8, 11), (1, 1)), ((6,) * 4, (0,) * 4), ((1,) * 8, (1,) * 8), ((9, 2, 30), (1, 0, 1))]
)
def test_an_interval_by_groups_is_never_surer_than_its_groups(sizes: tuple[int, ...], hit: tuple[int, ...]) -> None:
    """Where every group says the same, the interval is Wilson's on the groups; it is never narrower than that."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    hits = np.repeat(np.array(hit, dtype=np.bool_), sizes)
    found = grouped_share(hits, np.ones(groups.size, dtype=np.bool_), groups)
    if len(set(hit)) == 1:
        floor = share(sum(hit), len(sizes))
        assert (found.low, found.high) == pytest.approx((floor.low, floor.high))
    alone = share(int(hits.sum()), groups.size)
    assert found.low <= alone.low
    assert found.high >= alone.high
    assert 0 <= found.low < found.high <= 1


@pytest.mark.parametrize(("share_of", "largest"), [(0.3, 8), (0.04, 3), (0.9, 40)])
def test_many_groups_are_drawn_at_once_with_the_same_interval(
    share_of: float, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick way for many groups agrees with the bootstrap that draws each group."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, largest, 900)
    groups = np.repeat(np.arange(900), sizes)
    hits = np.repeat(rng.random(900) < share_of, sizes)
    of = rng.random(groups.size) < 0.9
    quick = grouped_share(hits & of, of, groups)
    monkeypatch.setattr(measures, "MANY", 10_000)
    slow = grouped_share(hits & of, of, groups)
    assert (quick.value, quick.hits, quick.total) == (slow.value, slow.hits, slow.total)
    width = slow.high - slow.low
    assert abs(quick.low - slow.low) < 0.12 * width
    assert abs(quick.high - slow.high) < 0.12 * width


def test_the_corrected_share_undoes_the_errors_of_the_model() -> None:
    error = ModelError("m", "balanced", 10_000, share(8_000, 10_000), share(8, 10), share(1_000, 10_000))
    # 30 % to examine, of which 80 % are flagged, and 10 % of the others.
    flagged = share(3_100, 10_000)
    corrected = error.corrected(flagged)
    assert corrected.value == pytest.approx(0.3)
    assert corrected.low < 0.3 < corrected.high
    assert not ModelError("m", "balanced", 10, share(5, 10), share(5, 10), share(5, 10)).corrected(flagged).known


def test_families_hold_texts_that_share_half_of_their_words() -> None:
    chance = np.random.default_rng(1)
    one = chance.integers(0, 2**32, 72, dtype=np.uint64).astype("<u4")
    near, far = one.copy(), one.copy()
    near[:20] = 1
    far[:60] = 2
    found = families({0: one.tobytes(), 1: near.tobytes(), 2: far.tobytes(), 3: b""}, 5)
    assert found.tolist() == [0, 0, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"du": "2026-02-30"}, "Du"),
        ({"du": "2026-03-01", "au": "2026-02-01"}, "Au"),
        ({"par": "siècle"}, "Par"),
        ({"compter": "tout"}, "Compter"),
        ({"dimension": "text"}, "Dimension"),
    ],
)
def test_a_selection_that_cannot_be_understood_names_the_field(given: dict[str, str], told: str) -> None:
    with pytest.raises(PeriodError, match=f"^{told} "):
        read_wanted(given)


def test_a_value_that_is_not_shown_cannot_be_asked_for(base: Engine) -> None:
    fill(base, 1)
    snapshot = snapshot_of(base)
    with pytest.raises(PeriodError, match="rare"):
        Answer(snapshot, Wanted(dimension="theme", value="rare"))
    with pytest.raises(PeriodError, match="aucun texte"):
        Answer(snapshot, Wanted(date(2019, 1, 1), date(2019, 2, 1)))


def sheets(snapshot: Snapshot) -> Iterator[Sheet]:
    for wanted in (
        Wanted(),
        Wanted(unit="week"),
        Wanted(unit="quarter", mode="authors"),
        Wanted(dimension="channel", value="ad"),
    ):
        yield from sheets_of(Answer(snapshot, wanted), None)


def test_no_small_count_and_nothing_personal_is_in_any_sheet(base: Engine) -> None:
    fill(base, 3)
    outside = ("modele", "miviludes", "autres-chiffres")
    for sheet in sheets(snapshot_of(base)):
        content = sheet.figure().to_csv() + str(sheet.plot)
        assert "@auteur" not in content
        assert "06 39 98" not in content
        assert "rare" not in content.split()
        for row in sheet.rows:
            for cell in row:
                if isinstance(cell, Amount) and sheet.id not in outside:
                    assert cell.count == 0 if not cell.exact and cell.count < 5 else cell.count >= 5
                    assert (cell_of(cell) == HIDDEN) == (not cell.exact and cell.count == 0)


def test_the_workbook_holds_every_table_and_no_formula(base: Engine) -> None:
    fill(base, 5)
    answer = Answer(snapshot_of(base), Wanted())
    made = sheets_of(answer, None)
    book = openpyxl.load_workbook(io.BytesIO(workbook(answer, made, limits_of(answer, None, "balanced"))))
    assert book.sheetnames == ["Lisez-moi", *(sheet.id for sheet in made)]
    for sheet in made:
        rows = list(book[sheet.id].iter_rows(values_only=True))
        assert list(rows[2][: len(sheet.columns)]) == list(sheet.columns)
        lines = list(csv.reader(io.StringIO(sheet.figure().to_csv())))
        assert len(rows) - 3 == len(lines) - 1 == len(sheet.rows)
    cells = [cell for page in book for row in page.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert "'=cmd()" in [cell.value for cell in cells]


def test_the_report_is_a_tagged_document_with_method_and_plots(base: Engine) -> None:
    import pikepdf
    import pypdfium2

    fill(base, 6)
    answer = Answer(snapshot_of(base), Wanted())
    content = pdf(answer, sheets_of(answer, None), limits_of(answer, None, "balanced"))
    assert content == pdf(answer, sheets_of(answer, None), limits_of(answer, None, "balanced"))
    with pikepdf.open(io.BytesIO(content)) as document:
        assert bool(document.Root.MarkInfo.Marked)
        assert str(document.Root.Lang).startswith("fr")
    document = pypdfium2.PdfDocument(content)
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
    document.close()
    for part in ("Ce que ces figures ne mesurent pas", "Textes par région", "saisines publiées de la Miviludes", "à vérifier"):
        assert part in text
    assert "@auteur" not in text


def test_the_share_of_health_is_never_drawn(base: Engine) -> None:
    fill(base, 2, 20)
    made = {sheet.id: sheet for sheet in sheets_of(Answer(snapshot_of(base), Wanted()), None)}
    assert made["autres-chiffres"].plot is None
    assert Counter(row[0] for row in made["miviludes"].rows)["2024"] == 1
    assert all(row[4] for row in made["autres-chiffres"].rows), "chaque chiffre a sa source"
    assert {row[1] for row in made["miviludes"].rows} >= {2160, 3008, 4020, 4571}


def test_an_empty_workplace_shows_no_figure(engine: Engine) -> None:
    answer = Answer(snapshot_of(engine), Wanted())
    assert answer.amount("texts") == Amount(0, False)
    assert sheets_of(answer, None)


def test_the_least_count_is_an_administrators_setting(base: Engine, request: pytest.FixtureRequest) -> None:
    from tests.service.workplace.conftest import add_people

    people: dict[Role, Person] = add_people(base)
    fill(base, 1, 60)

    def counted() -> None:
        with base.connect() as connection:
            take(connection).counted("texts")

    # So few texts that nearly all is hidden: that is seen in some rounds, each of some seconds, not in forty.
    assert quickest(counted, 30) < 30
    assert newest(base).least == 5
    with pytest.raises(ChoiceError):
        choose(base, "observatory_least", 2, people["administrator"])
    with pytest.raises(ChoiceError):
        choose(base, "observatory_least", 10, people["analyst"])
    choose(base, "observatory_least", 10, people["administrator"])
    answer = Answer(snapshot_of(base), Wanted())
    shown = [cell for sheet in sheets_of(answer, None)[:8] for row in sheet.rows for cell in row if isinstance(cell, Amount)]
    assert all(cell.count >= 10 for cell in shown if cell.exact)
