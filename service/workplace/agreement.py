"""How far two readers agree who read the same texts blind, and each reader with the readings that were agreed on.

Krippendorff's alpha (Content Analysis, 2004, chapter 11) and Cohen's kappa (1960; quadratic weights on the level) are taken
from the table that crosses both readings, so that the bootstrap over texts is a draw of tables: a thousand in milliseconds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, func, select

from model.labels import INDICATOR_IDS, INDICATOR_NAMES, LEVELS, STANCE_IDS, STANCES
from service.workplace.estimates import Estimate, from_draws, share
from service.workplace.people import Person
from service.workplace.reading import DRAWN_SECOND
from service.workplace.said import FLAGGED
from service.workplace.schema import DECISIONS, GOLDEN, USERS
from service.workplace.times import aware

#: Alpha at which tentative conclusions may be drawn (Krippendorff, 2004, p. 241).
FLOOR: Final = 0.667
_DRAWS: Final = 1000
_LATER: Final = DECISIONS.alias("later")

_Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Read:
    """What is compared of a decision; `level` is None where the reader was unsure, `gone_at` the number of its withdrawal."""

    number: int
    id: str
    item_id: str
    user_id: str
    made_at: datetime
    kind: str
    stance: str | None
    level: int | None
    signs: frozenset[str]
    drawn_by: str
    gone_at: int | None

    @property
    def flag(self) -> bool:
        """Whether the reader holds that the text is to be examined (level 2 or 3)."""
        return self.level is not None and self.level >= FLAGGED


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """One label over the texts read twice; `first`, `second`, `both`: on how many the readings give it.

    For the stance and the level, which everyone gives, those three are None. Alpha and kappa are NaN where nothing varied.
    """

    id: str
    name: str
    alpha: Estimate
    kappa: Estimate
    raw: Estimate
    first: int | None
    second: int | None
    both: int | None

    @property
    def clear(self) -> bool:
        """Whether alpha reaches the floor, and its interval too: a label given once and twice agreed on tells nothing."""
        return self.alpha.known and self.alpha.low >= FLOOR


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on `texts` texts read twice; `unsure` pairs hold an « je ne sais pas » and `other` were not drawn at random."""

    texts: int
    unsure: int
    other: int
    labels: tuple[LabelAgreement, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """A reader in a month (« 2026-11 », UTC) against golden texts or adjudications: shares of texts with the same answer.

    `given` signs that the reader gave, `right` of them in the reference too, `missed` only there; `unsure` texts left out.
    """

    user_id: str
    name: str
    month: str
    against: str
    stance: Estimate
    flag: Estimate
    level: Estimate
    signs: Estimate
    given: int
    right: int
    missed: int
    unsure: int

    @property
    def texts(self) -> int:
        """How many texts were compared."""
        return self.flag.total


def _reads(connection: Connection, *where: ColumnElement[bool]) -> Iterator[Read]:
    """Decisions by number, withdrawn ones too."""
    names = ("number", "id", "item_id", "user_id", "made_at", "kind", "verdict", "stance", "level", "indicators", "drawn_by")
    gone = select(func.min(_LATER.c.number)).where(_LATER.c.withdraws == DECISIONS.c.id).correlate(DECISIONS).scalar_subquery()
    query = select(*(DECISIONS.c[name] for name in names), gone.label("gone_at")).where(*where).order_by(DECISIONS.c.number)
    for row in connection.execute(query):
        yield _read(row)


def _read(row: Any) -> Read:
    level = None if row.verdict == "unsure" else row.level
    found = frozenset(mark["label"] for mark in row.indicators)
    made_at = aware(row.made_at)
    return Read(
        row.number, row.id, row.item_id, row.user_id, made_at, row.kind, row.stance, level, found, row.drawn_by, row.gone_at
    )


def blind_pairs(connection: Connection, *where: ColumnElement[bool]) -> Iterator[tuple[Read, Read]]:
    """Of each text read twice, what the first reader held when the second reading was made, and that one.

    Neither had seen the other's. What either filed, or anybody took back, later changes nothing: it was done with both in
    sight, and whoever took back the reading that differs could choose which one counts.
    """
    seconds: dict[str, Read] = {}
    for read in _reads(connection, DECISIONS.c.kind == "second", *where):
        seconds.setdefault(read.item_id, read)
    twice = select(DECISIONS.c.item_id).where(DECISIONS.c.kind == "second")
    firsts: dict[str, Read] = {}
    for read in _reads(connection, DECISIONS.c.kind == "first", DECISIONS.c.item_id.in_(twice), *where):
        second = seconds.get(read.item_id)
        if second is None or read.number > second.number or read.user_id == second.user_id:
            continue
        if read.gone_at is None or read.gone_at > second.number:
            firsts[read.item_id] = read
    return ((firsts[id], second) for id, second in seconds.items() if id in firsts)


def measure(connection: Connection, seed: int = 0) -> Agreement:
    """Agreement between first and second readings, on the second ones that the set share drew.

    Those asked because an error was suspected are counted apart (`other`): they would make people look worse than they are.
    """
    pairs = list(blind_pairs(connection))
    drawn = [pair for pair in pairs if pair[1].drawn_by == DRAWN_SECOND]
    sure = [pair for pair in drawn if pair[0].level is not None and pair[1].level is not None]
    return Agreement(len(sure), len(drawn) - len(sure), len(pairs) - len(drawn), tuple(compare(sure, seed)))


def compare(pairs: Sequence[tuple[Read, Read]], seed: int = 0) -> Iterator[LabelAgreement]:
    """Agreement of pairs of sure readings on the flag, the level, the stance and each indicator."""
    random = np.random.default_rng(seed)
    yield _label("flag", "à examiner (niveau 2 ou 3)", [(int(a.flag), int(b.flag)) for a, b in pairs], 2, random)
    levels = [(a.level or 0, b.level or 0) for a, b in pairs]
    yield _label("level", "niveau (ordinal)", levels, len(LEVELS), random, ordinal=True)
    stances = [(STANCE_IDS.index(a.stance or ""), STANCE_IDS.index(b.stance or "")) for a, b in pairs]
    yield _label("stance", "position de l'auteur", stances, len(STANCES), random)
    for id in INDICATOR_IDS:
        yield _label(id, INDICATOR_NAMES[id], [(int(id in a.signs), int(id in b.signs)) for a, b in pairs], 2, random)


def _label(
    id: str, name: str, codes: Sequence[tuple[int, int]], values: int, random: np.random.Generator, *, ordinal: bool = False
) -> LabelAgreement:
    table = np.zeros((values, values))
    for one, two in codes:
        table[one, two] += 1
    count = len(codes)
    raw = share(int(np.trace(table)), count)
    yes = values == 2
    given = (int(table[1].sum()), int(table[:, 1].sum()), int(table[1, 1])) if yes else (None, None, None)
    if not count:
        none = Estimate(float("nan"), float("nan"), float("nan"), 0)
        return LabelAgreement(id, name, none, none, raw, *given)
    # One pair more that differs, anywhere: where all agree, a bootstrap of what was seen alone would have no width at all.
    apart = (1 - np.eye(values)) / (values * (values - 1))
    draws = random.multinomial(count, (table + apart).ravel() / (count + 1), _DRAWS).reshape(_DRAWS, values, values).astype(float)
    alpha_of = from_draws(float(alpha(table[None], ordinal=ordinal)[0]), alpha(draws, ordinal=ordinal), count)
    kappa_of = from_draws(float(kappa(table[None], weighted=ordinal)[0]), kappa(draws, weighted=ordinal), count)
    return LabelAgreement(id, name, alpha_of, kappa_of, raw, *given)


def alpha(tables: _Counts, *, ordinal: bool = False) -> _Counts:
    """Krippendorff's alpha of two readers without gaps, for each table of counts.

    Args:
        tables: shape (n, values, values), first reader by second.
        ordinal: whether values further apart disagree more, as Krippendorff weighs ranks; else any two differ alike.

    Returns:
        shape (n,); NaN where only one value was given.
    """
    coincidences = tables + tables.transpose(0, 2, 1)
    margins = coincidences.sum(axis=2)
    total = margins.sum(axis=1)
    if ordinal:
        up_to = margins.cumsum(axis=1)
        between = up_to[:, None, :] - up_to[:, :, None] + margins[:, :, None]
        ranks = np.triu((between - (margins[:, :, None] + margins[:, None, :]) / 2) ** 2, 1)
        distance = ranks + ranks.transpose(0, 2, 1)
    else:
        distance = np.broadcast_to(1 - np.eye(tables.shape[1]), tables.shape)
    observed = (coincidences * distance).sum(axis=(1, 2)) * (total - 1)
    expected = (margins[:, :, None] * margins[:, None, :] * distance).sum(axis=(1, 2))
    return _one_minus(observed, expected)


def kappa(tables: _Counts, *, weighted: bool = False) -> _Counts:
    """Cohen's kappa for each table of counts, shape (n, values, values); quadratic weights if asked; NaN where undefined."""
    size = tables.shape[1]
    steps = np.arange(size)
    weights = (steps[:, None] - steps[None, :]) ** 2 if weighted else 1 - np.eye(size)
    by_chance = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    return _one_minus((tables * weights).sum(axis=(1, 2)) * tables.sum(axis=(1, 2)), (by_chance * weights).sum(axis=(1, 2)))


def _one_minus(observed: _Counts, expected: _Counts) -> _Counts:
    defined = expected > 0
    return np.where(defined, 1 - observed / np.where(defined, expected, 1), np.nan)


def quality(connection: Connection, person: Person | None = None) -> list[Quality]:
    """Readers by month, newest first, against golden texts and against adjudications by others; one reader if given.

    Adjudicated texts are those on which two people differed: agreement there is lower than on texts at large.
    """
    compared: dict[tuple[str, str, str], list[tuple[Read, Read]]] = defaultdict(list)
    for against, made, reference in (*_against_golden(connection), *_against_adjudications(connection)):
        if person is None or made.user_id == person.id:
            compared[made.user_id, f"{made.made_at:%Y-%m}", against].append((made, reference))
    names = {row.id: row.name for row in connection.execute(select(USERS.c.id, USERS.c.name))}
    found = [_quality(user, names[user], month, against, pairs) for (user, month, against), pairs in compared.items()]
    found.sort(key=lambda one: (one.name.casefold(), one.user_id, one.against))
    return sorted(found, key=lambda one: one.month, reverse=True)


def _against_golden(connection: Connection) -> Iterator[tuple[str, Read, Read]]:
    """The first answer that each reader gave to a golden text, withdrawn since or not, and what it is agreed to be."""
    chosen = select(GOLDEN.c.decision_id)
    references = {read.item_id: read for read in _reads(connection, DECISIONS.c.id.in_(chosen)) if read.gone_at is None}
    given: set[tuple[str, str]] = set()
    for read in _reads(connection, DECISIONS.c.kind == "golden"):
        if read.item_id in references and (read.item_id, read.user_id) not in given:
            given.add((read.item_id, read.user_id))
            yield "golden", read, references[read.item_id]


def _against_adjudications(connection: Connection) -> Iterator[tuple[str, Read, Read]]:
    """Both readings of an adjudicated text, as they were made blind, and what somebody who made neither decided."""
    adjudicated = select(DECISIONS.c.item_id).where(DECISIONS.c.kind == "adjudication")
    references: dict[str, list[Read]] = defaultdict(list)
    for read in _reads(connection, DECISIONS.c.kind == "adjudication"):
        if read.gone_at is None:
            references[read.item_id].append(read)
    for pair in blind_pairs(connection, DECISIONS.c.item_id.in_(adjudicated)):
        readers = {read.user_id for read in pair}
        judged = [read for read in references[pair[0].item_id] if read.user_id not in readers]
        if judged:
            yield from (("adjudication", read, judged[-1]) for read in pair)


def _quality(user_id: str, name: str, month: str, against: str, pairs: Sequence[tuple[Read, Read]]) -> Quality:
    sure = [(made, reference) for made, reference in pairs if made.level is not None and reference.level is not None]
    hits = (
        sum(made.stance == reference.stance for made, reference in sure),
        sum(made.flag == reference.flag for made, reference in sure),
        sum(made.level == reference.level for made, reference in sure),
        sum(made.signs == reference.signs for made, reference in sure),
    )
    given = sum(len(made.signs) for made, _ in sure)
    right = sum(len(made.signs & reference.signs) for made, reference in sure)
    missed = sum(len(reference.signs - made.signs) for made, reference in sure)
    stance, flag, level, same_signs = (share(same, len(sure)) for same in hits)
    return Quality(user_id, name, month, against, stance, flag, level, same_signs, given, right, missed, len(pairs) - len(sure))
