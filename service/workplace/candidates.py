"""Which texts each policy would have read next, best first; counted over bounded lots so that it takes about a second."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import log, sqrt
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.utils.extmath import randomized_svd
from sqlalchemy import Connection, Select, and_, exists, select
from threadpoolctl import threadpool_limits

from model.decide import NEVER, OperatingPoint
from model.labels import INDICATOR_IDS
from service.workplace.decided import VALID
from service.workplace.said import FLAGGED
from service.workplace.schema import DECISIONS, ITEMS, PREDICTIONS, TRAINING_DECISIONS, TRAININGS

Task = Literal["first", "second", "adjudication"]

#: How many texts a policy keeps ready.
KEPT: Final = 300
_LOT: Final = 1_500
_CHARACTERS: Final = 1_500
#: Beyond this distance from its threshold, in log-odds, a label is not uncertain.
_NEAR: Final = 1.0
_EVEN: Final = 0.5
#: An indicator is only asked about where the author may promote something.
_MAY_PROMOTE: Final = 0.5
#: Fewer given values than this say nothing of how sure the model is when it is right.
_LEAST_GIVEN: Final = 5
_MOST_CLUSTERS: Final = 60
_DIMENSIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that a policy would have read: what would be done with it, and the label or other reason why."""

    item_id: str
    task: Task
    why: str


Pools = Mapping[str, Sequence[Candidate]]


def find_candidates(connection: Connection, point: OperatingPoint) -> dict[str, list[Candidate]]:
    """The candidates of every policy but `random`, which needs none."""
    return {
        "uncertainty": _first(uncertain(connection, point)),
        "disagreement": _first(disagreed(connection)),
        "diversity": _first(diverse(connection)),
        "suspect": _first(suspects(connection)),
    }


def _first(found: Iterable[Candidate]) -> list[Candidate]:
    kept: dict[str, Candidate] = {}
    for candidate in found:
        kept.setdefault(candidate.item_id, candidate)
        if len(kept) == KEPT:
            break
    return list(kept.values())


def _in_turn(lists: Iterable[Sequence[Candidate]]) -> Iterator[Candidate]:
    """The first of each list, then the second of each…, so that a rare label is not drowned by a frequent one."""
    return (one for one in chain.from_iterable(zip_longest(*lists)) if one is not None)


def _with_prediction(*columns: Any) -> Select[Any]:
    newest = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    return select(ITEMS.c.id, *columns, PREDICTIONS.c.prediction).join(PREDICTIONS, newest).where(ITEMS.c.status == "ok")


def scores_of(prediction: Mapping[str, Any]) -> dict[str, float]:
    """The calibrated probability of the flag, of `promotes` and of each indicator, of a prediction that is ok."""
    scores = {indicator["id"]: indicator["score"] for indicator in prediction["indicators"]}
    return scores | {"flag": prediction["risk"]["score"], "promotes": prediction["stance"]["scores"]["promotes"]}


def uncertain(connection: Connection, point: OperatingPoint) -> Iterator[Candidate]:
    """New texts by label, nearest to its threshold first, one label after the other."""
    thresholds = {**point.indicators, "promotes": point.promotes, "flag": point.flag if point.flag < NEVER else _EVEN}
    new = _with_prediction().where(ITEMS.c.state == "new")
    lots = (new.order_by(ITEMS.c.doubt.desc(), ITEMS.c.id.desc()), new.order_by(ITEMS.c.sha256))
    by_label: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for id, prediction in {row.id: row.prediction for lot in lots for row in connection.execute(lot.limit(_LOT))}.items():
        scores = scores_of(prediction)
        promotes = scores["promotes"] >= _MAY_PROMOTE * point.promotes
        for label in ("flag", "promotes", *(INDICATOR_IDS if promotes else ())):
            away = abs(_log_odds(scores[label]) - _log_odds(thresholds[label]))
            if away <= _NEAR:
                by_label[label].append((away, id))
    return _in_turn([Candidate(id, "first", label) for _, id in sorted(by_label[label])] for label in sorted(by_label))


def _log_odds(score: float) -> float:
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return log(bounded / (1 - bounded))


def disagreed(connection: Connection) -> Iterator[Candidate]:
    """First readers against second ones, people against the model, the model against the one before it, in turn."""
    disputed = select(ITEMS.c.id).where(ITEMS.c.state == "disputed").order_by(ITEMS.c.decided_at).limit(KEPT)
    against = select(ITEMS.c.id).where(ITEMS.c.state == "done", ITEMS.c.contradicts).order_by(ITEMS.c.decided_at.desc())
    return _in_turn(
        (
            [Candidate(id, "adjudication", "readers") for id in connection.scalars(disputed)],
            [Candidate(id, "second", "model") for id in connection.scalars(against.limit(KEPT))],
            _changed(connection),
        )
    )


def _changed(connection: Connection) -> list[Candidate]:
    """New texts that the model which scored them before put on the other side of the flag."""
    older = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version != ITEMS.c.model_version)
    columns = (ITEMS.c.id, ITEMS.c.level, PREDICTIONS.c.prediction["risk"]["level"].as_integer(), PREDICTIONS.c.made_at)
    lot = select(ITEMS.c.id).where(ITEMS.c.state == "new", ITEMS.c.status == "ok").order_by(ITEMS.c.sha256).limit(_LOT)
    query = select(*columns).join(PREDICTIONS, older).where(ITEMS.c.id.in_(lot)).order_by(PREDICTIONS.c.made_at)
    last = {id: (level, before) for id, level, before, _ in connection.execute(query)}
    crossed = (
        id for id, (level, before) in last.items() if None not in (level, before) and (level >= FLAGGED) != (before >= FLAGGED)
    )
    return [Candidate(id, "first", "older_model") for id in crossed]


def diverse(connection: Connection, seed: int = 0) -> Iterator[Candidate]:
    """New texts by cluster of wording, those of the least read clusters first, nearest to the centre first in each."""
    columns = (ITEMS.c.id, ITEMS.c.text)
    new = select(*columns).where(ITEMS.c.state == "new", ITEMS.c.status == "ok").order_by(ITEMS.c.sha256).limit(_LOT)
    read = select(*columns).where(ITEMS.c.state.in_(("open", "done", "disputed"))).order_by(ITEMS.c.sha256).limit(_LOT)
    unread = connection.execute(new).all()
    rows = [*unread, *connection.execute(read)]
    if not unread:
        return iter(())
    clusters, away = _clusters([row.text[:_CHARACTERS] for row in rows], seed)
    members: dict[int, list[tuple[float, str]]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    for number, row in enumerate(rows):
        sizes[int(clusters[number])] += 1
        if number < len(unread):
            members[int(clusters[number])].append((float(away[number]), row.id))
    least_read = sorted(members, key=lambda cluster: (1 - len(members[cluster]) / sizes[cluster], -sizes[cluster], cluster))
    return _in_turn(
        [Candidate(id, "first", f"cluster {cluster}") for _, id in sorted(members[cluster])] for cluster in least_read
    )


def _clusters(texts: Sequence[str], seed: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The cluster of each text and its distance to the centre: TF-IDF of words, its main directions, k-means."""
    counts = HashingVectorizer(n_features=2**14, alternate_sign=False, norm=None, strip_accents="unicode").transform(texts)
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    count = max(1, min(_MOST_CLUSTERS, round(sqrt(len(set(texts)) / 2))))
    dimensions = min(_DIMENSIONS, len(texts) - 1)
    # One thread: this goes on beside the answers, and OpenBLAS's own threads may hang in a process that has forked.
    with threadpool_limits(1):
        points = weights.toarray()[:, :1] if dimensions < 2 else _directions(weights, dimensions, seed)
        kmeans = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=1_024).fit(points)
        return kmeans.labels_, kmeans.transform(points).min(axis=1)


def _directions(weights: Any, count: int, seed: int) -> NDArray[np.float64]:
    """The rows of a sparse matrix in its `count` main directions, shape (rows, count)."""
    left, strengths, _ = randomized_svd(weights, count, random_state=seed)
    points: NDArray[np.float64] = left * strengths
    return points


def suspects(connection: Connection) -> Iterator[Candidate]:
    """Decided texts whose labels the model finds unlikely, least likely first, where the model did not learn from them.

    Confident learning (Northcutt, Jiang & Chuang, JAIR 2021), label by label: a value is suspect where the model gives the
    other one at least the probability that it gives it on average where people gave it.
    """
    learned = exists(
        select(TRAINING_DECISIONS.c.decision_id)
        .join(TRAININGS, TRAININGS.c.id == TRAINING_DECISIONS.c.training_id)
        .where(TRAINING_DECISIONS.c.decision_id == DECISIONS.c.id, TRAININGS.c.challenger == ITEMS.c.model_version)
    ).correlate(DECISIONS, ITEMS)
    columns = (DECISIONS.c.kind, DECISIONS.c.stance, DECISIONS.c.level, DECISIONS.c.indicators)
    held = (DECISIONS.c.item_id == ITEMS.c.id, DECISIONS.c.kind == "first", DECISIONS.c.verdict != "unsure", VALID)
    query = _with_prediction(*columns).join(DECISIONS, and_(*held)).where(ITEMS.c.state == "done", ~learned)
    rows = connection.execute(query.order_by(ITEMS.c.decided_at.desc()).limit(_LOT)).all()
    found: list[tuple[float, str, str]] = []
    given = [_given(row) for row in rows]
    scores = [scores_of(row.prediction) for row in rows]
    for label in ("flag", "promotes", *INDICATOR_IDS):
        positive = np.array([one[label] for one in scores])
        said = np.array([label in one for one in given], dtype=bool)
        found += [(quality, rows[n].id, label) for n, quality in _unlikely(said, positive)]
    return (Candidate(id, "second", label) for _, id, label in sorted(found))


def _given(row: Any) -> frozenset[str]:
    labels = {mark["label"] for mark in row.indicators}
    if row.level >= FLAGGED:
        labels.add("flag")
    return frozenset(labels | {row.stance})


def _unlikely(said: NDArray[np.bool_], positive: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
    """The rows whose given value is suspect, and the probability of that value; none where too few were given."""
    if min(said.sum(), (~said).sum()) < _LEAST_GIVEN:
        return
    usual_yes, usual_no = positive[said].mean(), (1 - positive[~said]).mean()
    for number, (yes, score) in enumerate(zip(said, positive, strict=True)):
        own, other, usual = (score, 1 - score, usual_no) if yes else (1 - score, score, usual_yes)
        if other >= usual and other > own:
            yield number, float(own)
