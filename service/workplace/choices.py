"""Settings that administrators change while the service runs: every change is kept with its author, the last one holds."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from model.errors import VigieError
from service.database import serialise
from service.workplace.audit import record
from service.workplace.people import Person
from service.workplace.schema import CHOICES, USERS
from service.workplace.times import aware, now

#: How a text may be drawn for « Donnez-moi le suivant », in the order that pages show.
POLICIES: Final = ("uncertainty", "disagreement", "diversity", "suspect", "random")
#: The random share is never below this: figures are estimated on it alone.
LEAST_RANDOM: Final = 0.10
_ROUNDING: Final = 1e-6
#: The observatory shows no count below a number that lies between these.
LEAST_SHOWN: Final = 3
_MOST_LEAST: Final = 100
_SECRET: Final = "reading_secret"  # noqa: S105 - the name of a row, not a secret


class ChoiceError(VigieError):
    """A value that cannot be chosen; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting: its value until someone changes it, and a function that returns the value to keep or raises ChoiceError."""

    default: Any
    check: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a setting; `by` is the name of who made it, None for the service itself."""

    name: str
    value: Any
    by: str | None
    made_at: datetime


def _share(most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = _number(value)
        if not 0 <= number <= most:
            raise ChoiceError(f"Part de {_shown(number)} : de 0 à {_shown(most)} est attendu.")
        return number

    return check


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ChoiceError(f"« {value} » : un nombre est attendu.")
    return float(value)


def _shown(share: float) -> str:
    return f"{100 * share:.4g}".replace(".", ",") + "\u00a0%"


def _shares(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or set(value) != set(POLICIES):
        raise ChoiceError(f"Parts attendues : {', '.join(POLICIES)}.")
    shares = {name: _number(value[name]) for name in POLICIES}
    if min(shares.values()) < 0:
        raise ChoiceError("Une part ne peut pas être négative.")
    if abs(sum(shares.values()) - 1) > _ROUNDING:
        raise ChoiceError(f"Les parts font {_shown(sum(shares.values()))} ; leur somme doit faire 100\u00a0%.")
    if shares["random"] < LEAST_RANDOM - _ROUNDING:
        raise ChoiceError(f"La part tirée au hasard ne descend pas sous {_shown(LEAST_RANDOM)} : les chiffres en dépendent.")
    return shares


def _least(value: Any) -> int:
    number = _number(value)
    if number != int(number) or not LEAST_SHOWN <= number <= _MOST_LEAST:
        raise ChoiceError(f"Plus petit compte montré : un nombre entier de {LEAST_SHOWN} à {_MOST_LEAST} est attendu.")
    return int(number)


#: Every setting that people may change.
SETTINGS: Final[Mapping[str, Choice]] = {
    # Share of the decided texts that someone else reads again, blind.
    "second_share": Choice(0.20, _share(1.0)),
    # Share of golden texts among the blind readings given to a person.
    "golden_share": Choice(0.05, _share(0.5)),
    "sampling_shares": Choice(
        {"uncertainty": 0.30, "disagreement": 0.15, "diversity": 0.20, "suspect": 0.10, "random": 0.25}, _shares
    ),
    # Counts of the observatory below this are not shown.
    "observatory_least": Choice(5, _least),
}


def choice(connection: Connection, name: str) -> Any:
    """The value that holds of a setting.

    Raises:
        KeyError: there is no setting of this name.
    """
    default = SETTINGS[name].default
    query = select(CHOICES.c.value).where(CHOICES.c.name == name).order_by(CHOICES.c.number.desc()).limit(1)
    found = connection.execute(query).first()
    return found.value if found else default


def choose(engine: Engine, name: str, value: Any, person: Person) -> Any:
    """Change a setting; returns the value kept. Choosing what holds already changes nothing.

    Raises:
        ChoiceError: the value cannot be chosen, or the person does not administer.
        KeyError: there is no setting of this name.
    """
    kept = SETTINGS[name].check(value)
    if not person.may("administrator"):
        raise ChoiceError("Seule l'administration change ce réglage.")
    with engine.begin() as connection:
        if choice(connection, name) != kept:
            connection.execute(CHOICES.insert().values(name=name, value=kept, user_id=person.id, made_at=now()))
            record(connection, person, "setting.change", f"setting:{name}", {"value": kept})
    return kept


def changes(connection: Connection, *names: str, limit: int = 20) -> Sequence[Change]:
    """The last changes of these settings, newest first."""
    query = (
        select(CHOICES.c.name, CHOICES.c.value, USERS.c.name.label("by"), CHOICES.c.made_at)
        .outerjoin(USERS, USERS.c.id == CHOICES.c.user_id)
        .where(CHOICES.c.name.in_(names))
        .order_by(CHOICES.c.number.desc())
        .limit(limit)
    )
    return [Change(row.name, row.value, row.by, aware(row.made_at)) for row in connection.execute(query)]


def secret(connection: Connection) -> bytes:
    """What the draws are keyed with, so that nobody can tell beforehand which text is drawn; made at the first use.

    Call it in a transaction that may write. Where two processes make one at once, the first made holds for both.
    """
    query = select(CHOICES.c.value).where(CHOICES.c.name == _SECRET).order_by(CHOICES.c.number).limit(1)
    found = connection.execute(query).scalar()
    if found is None:
        serialise(connection, _SECRET)
        found = connection.execute(query).scalar()
    if found is None:
        found = secrets.token_hex(32)
        connection.execute(CHOICES.insert().values(name=_SECRET, value=found, made_at=now()))
    return bytes.fromhex(found)
