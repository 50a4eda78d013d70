"""What the model that read a text last says of it, kept beside the text for the queue to sort and filter on.

A prediction never touches what people decided: it only says anew whether it contradicts them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, case, delete, false, literal, select, true, update

from model.records import Prediction
from service.workplace.schema import ITEM_PRACTICES, ITEM_SIGNS, ITEMS, PREDICTIONS
from service.workplace.times import now

#: From this level on a text is flagged: someone should examine it.
FLAGGED: Final = 2
#: From this doubt on, the model hesitates: two stances within 0.15, or a flag that is as near to its threshold.
HESITATES: Final = 0.85
#: The threshold of the flag where none is given: even odds.
_EVEN: Final = 0.5


def newest_prediction(connection: Connection, item_id: str) -> Prediction | None:
    """What the model that scored a text last says of it; None while it waits."""
    newest = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    wanted = select(PREDICTIONS.c.prediction).join(ITEMS, newest).where(ITEMS.c.id == item_id)
    said = connection.execute(wanted).scalar()
    return Prediction.model_validate(said) if said is not None else None


def doubt_of(prediction: Prediction, threshold: float = _EVEN) -> float:
    """How unsure the model is of a text, in [0, 1]: the greater of its doubts on the flag and on the stance.

    On the flag: 1 at the threshold, falling in a straight line to 0 at a probability of 0 and of 1. On the stance: 1 minus
    the lead of the likeliest stance over the next. 0 for a text that could not be analysed: nothing was weighed.
    """
    if prediction.risk is None or prediction.stance is None:
        return 0.0
    score = prediction.risk.score
    near = score / threshold if score < threshold else (1 - score) / (1 - threshold)
    first, second = sorted(prediction.stance.scores.values(), reverse=True)[:2]
    return round(min(1.0, max(near, 1 - (first - second))), 4)


def contradicts(level: int | None, stance: str | None, decided_level: int | None, decided_stance: str | None) -> bool:
    """Whether a model's level and stance go against those decided: another stance, or the flag on the other side."""
    if level is None or decided_level is None:
        return False
    return stance != decided_stance or (level >= FLAGGED) != (decided_level >= FLAGGED)


def at_risk(prediction: Prediction) -> bool:
    """Whether who writes may be in danger: a sign of it in a text that promotes nothing."""
    promotes = prediction.stance is not None and prediction.stance.value == "promotes"
    return not promotes and any(cue.kind == "person_at_risk" for cue in prediction.context)


def keep_prediction(connection: Connection, item_id: str, prediction: Prediction, threshold: float = _EVEN) -> None:
    """Keep what a model says of a text, as its newest prediction; `threshold` is that of the flag, on `risk.score`.

    What people decided stays; whether the model contradicts it is said anew, in the statement that writes the rest.
    """
    keep_predictions(connection, {item_id: prediction}, threshold)


def keep_predictions(connection: Connection, predictions: Mapping[str, Prediction], threshold: float = _EVEN) -> None:
    """As `keep_prediction`, for several texts, by their identifier."""
    # One order for all that write several texts, so that no two wait for each other.
    ids = sorted(predictions)
    predictions = {id: predictions[id] for id in ids}
    made_at = now()
    for id, prediction in predictions.items():
        where = (PREDICTIONS.c.item_id == id, PREDICTIONS.c.model_version == prediction.model_version)
        connection.execute(delete(PREDICTIONS).where(*where))
    connection.execute(
        PREDICTIONS.insert(),
        [
            {
                "item_id": id,
                "model_version": prediction.model_version,
                "prediction": prediction.model_copy(update={"id": id}).model_dump(mode="json"),
                "made_at": made_at,
            }
            for id, prediction in predictions.items()
        ],
    )
    signs = (
        {"item_id": id, "indicator": indicator.id, "score": indicator.score}
        for id, prediction in predictions.items()
        for indicator in prediction.indicators
        if indicator.present
    )
    practices = (
        {"item_id": id, "practice": practice}
        for id, prediction in predictions.items()
        for practice in dict.fromkeys(mention.id for mention in prediction.practices)
    )
    _replace(connection, ITEM_SIGNS, ids, signs)
    _replace(connection, ITEM_PRACTICES, ids, practices)
    for id, prediction in predictions.items():
        connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(**_said(prediction, threshold)))


def _replace(connection: Connection, table: Any, ids: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    connection.execute(delete(table).where(table.c.item_id.in_(ids)))
    if new := list(rows):
        connection.execute(table.insert(), new)


def _said(prediction: Prediction, threshold: float) -> dict[str, Any]:
    """The columns of `items` that a prediction sets."""
    level = prediction.risk.level if prediction.risk else None
    stance = prediction.stance.value if prediction.stance else None
    doubt = doubt_of(prediction, threshold)
    against: Any = false()
    if level is not None:
        other_side = ITEMS.c.decided_level < FLAGGED if level >= FLAGGED else ITEMS.c.decided_level >= FLAGGED
        undecided = ITEMS.c.decided_level.is_(None)
        against = case(
            (undecided, false()), (ITEMS.c.decided_stance != literal(stance), true()), (other_side, true()), else_=false()
        )
    return {
        "model_version": prediction.model_version,
        "status": prediction.status,
        "level": level,
        "score": prediction.risk.score if prediction.risk else None,
        "stance": stance,
        "author_status": prediction.author.status if prediction.author else None,
        "at_risk": at_risk(prediction),
        "hesitates": doubt >= HESITATES,
        "doubt": doubt,
        "contradicts": against,
    }
