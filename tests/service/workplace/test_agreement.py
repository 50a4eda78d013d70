"""Agreement is what the reference libraries say, on the texts drawn at random; readers are compared with what was agreed on."""

import math

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import Engine, update

from service.workplace.agreement import alpha, kappa, measure, quality
from service.workplace.choices import choose
from service.workplace.estimates import from_draws, share
from service.workplace.people import Person, Role
from service.workplace.plots import agreement_figure, quality_figure
from service.workplace.reading import DRAWN_SECOND, make_golden
from service.workplace.schema import DECISIONS
from service.workplace.times import now
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
