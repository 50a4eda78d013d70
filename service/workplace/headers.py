"""The names of the columns of a file: bounded in number, each of its own, none that holds a known field given twice."""

from collections.abc import Sequence

from model.errors import BatchError
from service.batch.quoted import MOST_COLUMNS


def named(header: Sequence[str]) -> list[str]:
    """The names of the columns, those that come again with a number after them; blank ones stay blank.

    Raises:
        BatchError: there are more than any table has, or a name that says what a column holds stands twice.
    """
    from service.workplace.columns import recognised

    if len(header) > MOST_COLUMNS:
        raise BatchError(f"{len(header)} colonnes ; la limite est de {MOST_COLUMNS}.")
    found: list[str] = []
    times: dict[str, int] = {}
    for name in header:
        times[name] = times.get(name, 0) + 1
        if times[name] > 1 and recognised([name]):
            raise BatchError(f"Plusieurs colonnes s'appellent « {name[:60]} » : renommez les autres.")
        found.append(f"{name} ({times[name]})" if name and times[name] > 1 else name)
    return found
