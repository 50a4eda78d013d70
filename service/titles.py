"""What the author says to be, in words, and the practices named next to a title that the table does not admit for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from model.records import Prediction
from model.tables import load_tables

#: What stands before the names of these practices; to be checked, and no proof of anything.
BESIDE: Final = "Nommé près d'un titre réglementé ou protégé"
#: What stands after them.
NOT_ADMITTED: Final = "non admis pour ce titre d'après la table, à vérifier"


@dataclass(frozen=True, slots=True)
class Named:
    """A practice by its identifier and its name."""

    id: str
    name: str


@cache
def _titles() -> Mapping[str, str]:
    return {title.id: title.name for title in load_tables().titles}


@cache
def _practices() -> Mapping[str, str]:
    return {practice.id: practice.name for practice in load_tables().practices}


def title_of(prediction: Prediction) -> str:
    """The name of the title at the author's passage; empty for none, or one that the table no longer holds."""
    author = prediction.author
    return _titles().get(author.title or "", "") if author else ""


def beside_of(prediction: Prediction, *, promotes: bool | None = None) -> tuple[Named, ...]:
    """The practices next to a regulated or protected title of the author's that are not admitted for it, in order.

    None where the author promotes nothing: who answers a question or tells of a practice does not offer it. `promotes` is what
    a person says of that, in place of the model.
    """
    offers = prediction.stance is not None and prediction.stance.value == "promotes" if promotes is None else promotes
    found = prediction.author.beside if prediction.author and offers else []
    return tuple(Named(id, _practices().get(id, id)) for id in dict.fromkeys(found))
