"""Agreement is what the reference libraries say, on the texts drawn at random; readers are compared with what was agreed on."""

import math

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import Engine, update

from service.workplace.agreement import alpha, kappa, measure, quality
from service.workplace.choices import choose
from service.workplace.decided import decisions_of, valid_decisions
from service.workplace.decisions import DecisionError, withdraw
from service.workplace.estimates import from_draws, share
from service.workplace.golden import make_golden
from service.workplace.people import Person, Role
from service.workplace.plots import agreement_figure, quality_figure
from service.workplace.reading import DRAWN_SECOND, two_readings
from service.workplace.schema import DECISIONS
from service.workplace.times import now
from tests.service.workplace.conftest import add_person
from tests.service.workplace.made import add, say, unsure

People = dict[Role, Person]


def _table(one: np.ndarray, two: np.ndarray, values: int) -> np.ndarray:
    table = np.zeros((1, values, values))
    np.add.at(table[0], (one, two), 1)
    return table


@pytest.mark.parametrize("values", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_alpha_and_kappa_are_those_of_the_libraries(values: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    one = random.integers(0, values, 40)
    two = np.where(random.random(40) < 0.6, one, random.integers(0, values, 40))
    table = _table(one, two, values)
    both = np.stack([one, two]).astype(float)
    domain = list(range(values))
    nominal = krippendorff.alpha(reliability_data=both, level_of_measurement="nominal", value_domain=domain)
    ordinal = krippendorff.alpha(reliability_data=both, level_of_measurement="ordinal", value_domain=domain)
    assert alpha(table)[0] == pytest.approx(nominal)
    assert alpha(table, ordinal=True)[0] == pytest.approx(ordinal)
    assert kappa(table)[0] == pytest.approx(cohen_kappa_score(one, two))
    assert kappa(table, weighted=True)[0] == pytest.approx(cohen_kappa_score(one, two, weights="quadratic"))


def test_alpha_is_not_known_where_nothing_varies() -> None:
    assert math.isnan(alpha(np.array([[[9.0, 0.0], [0.0, 0.0]]]))[0])
    assert math.isnan(kappa(np.array([[[9.0, 0.0], [0.0, 0.0]]]))[0])


def test_shares_have_wilson_intervals() -> None:
    rate = share(8, 10)
    assert (rate.value, round(rate.low, 4), round(rate.high, 4)) == (0.8, 0.4902, 0.9433)
    assert rate.few
    assert math.isnan(share(0, 0).value)
    assert from_draws(0.5, np.array([0.1, np.nan, 0.9]), 3).low == pytest.approx(0.12)


def _pair(engine: Engine, people: People, first: str | None, second: str | None, drawn_by: str = DRAWN_SECOND) -> str:
    """A text read twice: by the analyst, then by the reviewer; None for no sign at all."""
    from service.workplace.decisions import decide

    with engine.begin() as connection:
        item = add(connection)
    say(engine, item, people["analyst"], *([first] if first else []))
    if second == "?":
        decide(engine, item, people["reviewer"], unsure("second", drawn_by=drawn_by), None)
    else:
        say(engine, item, people["reviewer"], *([second] if second else []), kind="second", drawn_by=drawn_by)
    return item


def test_agreement_counts_blind_pairs_drawn_at_random(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1, people["administrator"])
    cure = "miracle_cure"
    for first, second in ((cure, cure), (cure, None), (None, None), (None, None)):
        _pair(engine, people, first, second)
    _pair(engine, people, cure, None, drawn_by="suspect")
    _pair(engine, people, cure, "?")
    with engine.connect() as connection:
        found = measure(connection)
    assert (found.texts, found.unsure, found.other) == (4, 1, 1)
    labels = {label.id: label for label in found.labels}
    one = labels[cure]
    assert (one.first, one.second, one.both, one.raw.value) == (2, 1, 1, 0.75)
    # Coincidences of the four pairs: 1-1 twice, 0-0 four times, 0-1 once each way.
    assert one.alpha.value == pytest.approx(1 - 2 * 7 / (2 * 3 * 5))
    assert one.kappa.value == pytest.approx(0.5)
    assert one.alpha.low <= one.alpha.value <= one.alpha.high
    assert not labels["isolation"].alpha.known
    assert labels["flag"].alpha.value == one.alpha.value, "un signe grave seul fait le drapeau"
    figure = agreement_figure(found)
    assert "promesse de guérison" in figure.to_csv()
    assert "4 textes" in figure.note


def test_readers_are_compared_with_golden_texts_and_adjudications(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    for answer in ("miracle_cure", "miracle_cure", "pseudo_science"):
        with engine.begin() as connection:
            item = add(connection)
        say(engine, item, people["administrator"], "miracle_cure")
        with engine.begin() as connection:
            make_golden(connection, item, people["administrator"])
        say(engine, item, people["analyst"], answer, kind="golden")
    disputed = _pair(engine, people, "miracle_cure", "pseudo_science")
    say(engine, disputed, people["administrator"], "pseudo_science", kind="adjudication")
    with engine.connect() as connection:
        found = quality(connection)
        own = quality(connection, people["analyst"])
    golden = next(one for one in own if one.against == "golden")
    assert (golden.texts, golden.flag.hits, golden.level.hits, golden.signs.hits) == (3, 2, 2, 2)
    assert (golden.given, golden.right, golden.missed, golden.unsure) == (3, 2, 1, 0)
    assert (golden.month, golden.flag.few) == (f"{now():%Y-%m}", True)
    against = {(one.name, one.against): one.flag.hits for one in found}
    assert against == {("Analyst", "golden"): 2, ("Analyst", "adjudication"): 0, ("Reviewer", "adjudication"): 1}
    assert all("peu de textes" in row for row in quality_figure(found).rows)


def test_what_is_filed_or_taken_back_after_the_second_reading_changes_no_figure(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1, people["administrator"])

    def figures() -> tuple[int, int | None, list[int | None]]:
        with engine.connect() as connection:
            found = measure(connection)
            readers = quality(connection)
        flags = next(label for label in found.labels if label.id == "flag")
        return found.texts, flags.raw.hits, [one.flag.hits for one in readers]

    # Corrected before anybody else read it: the correction is what is compared.
    with engine.begin() as connection:
        item = add(connection)
    say(engine, item, people["analyst"])
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "miracle_cure", kind="second", drawn_by=DRAWN_SECOND)
    assert figures() == (1, 1, [])
    say(engine, item, people["analyst"])
    assert figures() == (1, 1, [])
    # As it was recorded before revisions had a kind of their own.
    with engine.begin() as connection:
        connection.execute(update(DECISIONS).where(DECISIONS.c.kind == "revision").values(kind="first"))
        pair = two_readings(list(valid_decisions(connection, DECISIONS.c.item_id == item)))
        assert pair
        assert (pair[0].level, pair[1].level) == (2, 2)
    assert figures() == (1, 1, [])
    # In dispute, then adjudicated: each is compared as they read, whatever they say once they know.
    other = _pair(engine, people, "miracle_cure", None)
    assert figures() == (2, 1, [])
    judged = say(engine, other, people["administrator"], kind="adjudication")
    before = figures()
    assert before == (2, 1, [0, 1])
    with engine.connect() as connection:
        first = decisions_of(connection, other)[0].id
    withdraw(engine, first, people["administrator"])
    say(engine, other, people["administrator"], "miracle_cure")
    assert figures() == before
    withdraw(engine, judged, people["administrator"])
    assert figures() == (2, 1, [])


def test_one_text_agreed_on_is_no_clear_agreement(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1, people["administrator"])
    for number in range(42):
        _pair(engine, people, "miracle_cure" if number == 0 else None, "miracle_cure" if number == 0 else None)
    with engine.connect() as connection:
        found = {label.id: label for label in measure(connection).labels}
    label = found["miracle_cure"]
    assert (label.alpha.value, label.clear) == (1, False)
    assert label.alpha.low < 0.5 < label.alpha.high
    # Where the sign is given often, agreement throughout is clear.
    for _ in range(30):
        _pair(engine, people, "miracle_cure", "miracle_cure")
    with engine.connect() as connection:
        again = {label.id: label for label in measure(connection).labels}
    assert again["miracle_cure"].clear


def test_nobody_chooses_which_second_reading_counts(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1, people["administrator"])

    def raw() -> tuple[int, int | None]:
        with engine.connect() as connection:
            found = measure(connection)
        return found.texts, next(label.raw.hits for label in found.labels if label.id == "flag")

    with engine.begin() as connection:
        item = add(connection)
        other = add_person(connection, "autre", "administrator")
    say(engine, item, people["administrator"], "miracle_cure")
    second = say(engine, item, people["analyst"], kind="second", drawn_by=DRAWN_SECOND)
    assert raw() == (1, 0)
    with pytest.raises(DecisionError, match="une autre personne"):
        withdraw(engine, second, people["administrator"])
    # Somebody who read neither may take it back, for a good reason: the disagreement stays counted, whoever reads next.
    withdraw(engine, second, other)
    say(engine, item, people["reviewer"], "miracle_cure", kind="second", drawn_by=DRAWN_SECOND)
    assert raw() == (1, 0)


def test_the_first_answer_to_a_golden_text_counts_even_taken_back(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        item = add(connection)
    say(engine, item, people["administrator"], "miracle_cure")
    with engine.begin() as connection:
        make_golden(connection, item, people["administrator"])
    wrong = say(engine, item, people["analyst"], kind="golden")
    withdraw(engine, wrong, people["administrator"])
    say(engine, item, people["analyst"], "miracle_cure", kind="golden")
    with engine.connect() as connection:
        (found,) = quality(connection, people["analyst"])
    assert (found.texts, found.flag.hits) == (1, 0)


def test_an_adjudication_by_one_of_the_readers_measures_nobody(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    item = _pair(engine, people, "miracle_cure", None)
    say(engine, item, people["reviewer"], kind="adjudication", note="Convenu ensemble.")
    with engine.connect() as connection:
        assert quality(connection) == []


def test_quality_is_by_month(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    disputed = [_pair(engine, people, "miracle_cure", None) for _ in range(2)]
    for item in disputed:
        say(engine, item, people["administrator"], kind="adjudication")
    with engine.begin() as connection:
        january = now().replace(year=2026, month=1, day=15)
        connection.execute(update(DECISIONS).where(DECISIONS.c.item_id == disputed[0]).values(made_at=january))
        found = quality(connection, people["reviewer"])
    assert [(one.month, one.texts, one.flag.value) for one in found] == [(f"{now():%Y-%m}", 1, 1.0), ("2026-01", 1, 1.0)]
