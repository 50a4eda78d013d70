"""What the texts read in the order by chance say of all: per cohort, a beginning that was read to its end, weighted.

A cohort is what came together: an import, or together all those too small to stand alone, with what came by no import.
Its texts lie in the order of their SHA-256, which nobody chooses. Its frontier is the first text of that order that nobody
decided yet (or that the model has not read yet); the texts before it are all decided, whatever way each came to be read, and
are a random sample of the cohort: what people pick beyond the frontier does not count, and a text that came later moves the
frontier of its own cohort alone. A cohort counts once the walk by chance read at least one text before its frontier: until
then the texts there are only the run that people happened to pick. Reading until the next text that only chance would
give, and leaving that one out, is inverse sampling, where the plain share has no bias (Haldane, Biometrika 1945).

Each sample stands for its cohort: its texts weigh the cohort's size over the sample's. Intervals are Wilson's on the
effective number of texts (Kish, « Survey Sampling », 1965), as in Korn and Graubard (Survey Methodology, 1998).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, exists, func, or_, select

from service.privacy.schema import PAST_DECISIONS, PURGED
from service.workplace.decided import VALID
from service.workplace.estimates import Estimate, weighted_share
from service.workplace.said import FLAGGED
from service.workplace.schema import DECISIONS, ITEMS, TRAINING_DECISIONS, TRAININGS
from service.workplace.times import aware

#: Imports of fewer texts than this make one cohort together.
SMALL: Final = 100
_TOGETHER: Final = ""
_RANDOM: Final = "random"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the random sample says.

    `texts` lie before the frontiers of the cohorts that count, of which `decided`, `unsure` (in the sample, without an
    answer) and `learned` from by the model that serves. `cohorts` of `all_cohorts` count; they hold `covered` of the
    `analysed` texts (those that the model could read, or has not read yet).

    `prevalence`: share of the covered texts that people flag. `precision`: share of the flagged texts that people flag
    too; `recall`: share of what people flag that the model flags; both on the texts that the model did not learn from.
    """

    texts: int
    decided: int
    unsure: int
    learned: int
    cohorts: int
    all_cohorts: int
    covered: int
    analysed: int
    precision: Estimate
    prevalence: Estimate
    recall: Estimate


@dataclass(slots=True)
class _Cohort:
    """A cohort's texts: how many, how many learned from, its frontier (None: read to the end), its sample."""

    size: int = 0
    learned: int = 0
    frontier: str | None = None
    sample: list[Any] = field(default_factory=list)

    def weight(self, texts: int, *, unlearned: bool) -> float:
        return (self.size - self.learned if unlearned else self.size) / texts


def sample(connection: Connection) -> Sample:
    """The estimates of a database as it stands, by queries along indexes."""
    cohorts = _sampled(connection)
    counted = [cohort for cohort in cohorts.values() if any(row.by_chance for row in cohort.sample)]
    rows = [row for cohort in counted for row in cohort.sample]
    return Sample(
        texts=len(rows),
        decided=sum(row.decided_level is not None for row in rows),
        unsure=sum(row.decided_level is None for row in rows),
        learned=sum(bool(row.learned) for row in rows),
        cohorts=len(counted),
        all_cohorts=len(cohorts),
        covered=sum(cohort.size for cohort in counted),
        analysed=sum(cohort.size for cohort in cohorts.values()),
        precision=_share(counted, _flagged, _true, unlearned=True),
        prevalence=_share(counted, _any, _true, unlearned=False),
        recall=_share(counted, _true, _flagged, unlearned=True),
    )


@dataclass(frozen=True, slots=True)
class Flagged:
    """A text of the random sample that the model flags: when it was received, whether people flag it, what it weighs."""

    received_at: datetime
    right: bool
    weight: float


def flagged_by_chance(connection: Connection) -> list[Flagged]:
    """The texts on which the precision of `sample` is estimated, those that the model learned from left out."""
    found = []
    for cohort in _sampled(connection).values():
        rows = [row for row in cohort.sample if not row.learned]
        answered = [row for row in rows if row.decided_level is not None]
        if answered and any(row.by_chance for row in rows):
            weight = cohort.weight(len(answered), unlearned=True)
            found += [Flagged(aware(row.received_at), _true(row), weight) for row in answered if _flagged(row)]
    return found


def _sampled(connection: Connection) -> dict[str, _Cohort]:
    """The cohorts with what was read before their frontiers."""
    cohorts = _cohorts(connection)
    frontiers = [cohort.frontier for cohort in cohorts.values()]
    furthest = None if None in frontiers else max((each for each in frontiers if each), default="")
    of_import = {name: cohort for name, cohort in cohorts.items() if name != _TOGETHER}
    together = cohorts.get(_TOGETHER)
    for row in (*_decided(connection, furthest), *_past(connection)):
        cohort = of_import.get(row.import_id, together)
        if cohort is None:
            continue  # came since the cohorts were counted
        cohort.learned += bool(row.learned)
        if cohort.frontier is None or row.sha256 < cohort.frontier:
            cohort.sample.append(row)
    return cohorts


def _any(_: Any) -> bool:
    return True


def _flagged(row: Any) -> bool:
    return (row.level or 0) >= FLAGGED


def _true(row: Any) -> bool:
    return int(row.decided_level) >= FLAGGED


def _share(cohorts: Iterable[_Cohort], among: Any, hit: Any, *, unlearned: bool) -> Estimate:
    """The share of `hit` among the answered texts that are `among`, each weighing as many texts as it stands for."""
    parts = []
    for cohort in cohorts:
        rows = [row for row in cohort.sample if not (unlearned and row.learned)]
        if not any(row.by_chance for row in rows):
            continue
        answered = [row for row in rows if row.decided_level is not None]
        chosen = [row for row in answered if among(row)]
        if chosen:
            parts.append((cohort.weight(len(answered), unlearned=unlearned), sum(map(hit, chosen)), len(chosen)))
    return weighted_share(parts)


def _cohorts(connection: Connection) -> dict[str, _Cohort]:
    """The cohorts by import (the small ones and what has no import under the empty name), their sizes and frontiers."""
    open_text = or_(ITEMS.c.status.is_(None), ITEMS.c.state == "new")
    query = (
        select(ITEMS.c.import_id, func.count(), func.min(case((open_text, ITEMS.c.sha256))))
        .where(or_(ITEMS.c.status == "ok", ITEMS.c.status.is_(None)))
        .group_by(ITEMS.c.import_id)
    )
    units = {import_id or _TOGETHER: (size, frontier) for import_id, size, frontier in connection.execute(query)}
    # What was purged still counts: leaving out what goes first, level 0, would make of the rest no random sample.
    for import_id, size, frontier in connection.execute(_purged()):
        there, other = units.get(import_id or _TOGETHER, (0, None))
        units[import_id or _TOGETHER] = there + size, min((one for one in (frontier, other) if one is not None), default=None)
    found: dict[str, _Cohort] = defaultdict(_Cohort)
    for name, (size, frontier) in units.items():
        cohort = found[name if size >= SMALL else _TOGETHER]
        cohort.size += size
        if frontier is not None:
            cohort.frontier = frontier if cohort.frontier is None else min(cohort.frontier, frontier)
    return dict(found)


def _purged() -> "Select[Any]":
    """As `_cohorts` counts texts, those that were purged; one that nobody had decided on is a frontier for good."""
    open_text = or_(PURGED.c.status.is_(None), PURGED.c.state == "new")
    columns = (PURGED.c.import_id, func.count(), func.min(case((open_text, PURGED.c.sha256))))
    read = or_(PURGED.c.status == "ok", PURGED.c.status.is_(None))
    return select(*columns).where(PURGED.c.kind == "item", read).group_by(PURGED.c.import_id)


def _past(connection: Connection) -> Sequence[Any]:
    """As `_decided`, the texts that were purged."""
    drawn = PAST_DECISIONS.c.item_id == PURGED.c.item_id, PAST_DECISIONS.c.drawn_by == _RANDOM, PAST_DECISIONS.c.held
    taught = (
        select(PAST_DECISIONS.c.item_id)
        .join(TRAINING_DECISIONS, TRAINING_DECISIONS.c.decision_id == PAST_DECISIONS.c.id)
        .join(TRAININGS, TRAININGS.c.id == TRAINING_DECISIONS.c.training_id)
        .where(PAST_DECISIONS.c.item_id == PURGED.c.item_id, TRAININGS.c.challenger == PURGED.c.model_version)
    )
    columns = [PURGED.c[name] for name in ("import_id", "sha256", "level", "decided_level", "received_at")]
    flags = (exists(select(PAST_DECISIONS.c.id).where(*drawn)).label("by_chance"), exists(taught).label("learned"))
    where = (PURGED.c.kind == "item", PURGED.c.status == "ok", PURGED.c.state != "new")
    return connection.execute(select(*columns, *flags).where(*where)).all()


def _decided(connection: Connection, furthest: str | None) -> Sequence[Any]:
    """The decided texts that the model read: those that may lie before a frontier, and all that it learned from."""
    by_chance = exists(
        select(DECISIONS.c.number).where(DECISIONS.c.item_id == ITEMS.c.id, DECISIONS.c.drawn_by == _RANDOM, VALID)
    )
    learned_from = (
        select(DECISIONS.c.item_id)
        .join(TRAINING_DECISIONS, TRAINING_DECISIONS.c.decision_id == DECISIONS.c.id)
        .join(TRAININGS, TRAININGS.c.id == TRAINING_DECISIONS.c.training_id)
        .where(TRAININGS.c.challenger == ITEMS.c.model_version)
        .where(DECISIONS.c.item_id == ITEMS.c.id)
    )
    columns = [ITEMS.c[name] for name in ("import_id", "sha256", "level", "decided_level", "received_at")]
    said: list[ColumnElement[bool]] = [ITEMS.c.status == "ok", ITEMS.c.state != "new"]
    flags = (by_chance.label("by_chance"), exists(learned_from).label("learned"))
    if furthest is None:
        return connection.execute(select(*columns, *flags).where(*said)).all()
    near = select(*columns, *flags).where(*said, ITEMS.c.sha256 < furthest)
    # Beyond every frontier only what was learned from matters, and only how many: the cohort's size is less by them.
    beyond = select(*columns, *flags).where(*said, ITEMS.c.sha256 >= furthest, exists(learned_from))
    return [*connection.execute(near), *connection.execute(beyond)]


def frontiers(connection: Connection) -> Mapping[str, str | None]:
    """The frontier of each cohort, by import (empty: the small ones together); None where it is read to its end."""
    return {name: cohort.frontier for name, cohort in _cohorts(connection).items()}


__all__ = ["SMALL", "Flagged", "Sample", "flagged_by_chance", "frontiers", "sample"]
