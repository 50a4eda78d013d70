"""Tables of `service/data` read and checked entry by entry; every error names the table, the entry and the field."""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from model.errors import TableError

_DATE: Final = re.compile(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2]))?")
_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

#: Says what is wrong with a value, in French; None where nothing is.
Check = Callable[[Any], str | None]


def read_table(name: str) -> dict[str, Any]:
    """A table of `service/data`, as TOML gives it.

    Raises:
        TableError: it is missing, or is not TOML.
    """
    try:
        return tomllib.loads(files("service").joinpath("data", name).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"Table {name} : illisible ({error}).") from error


def rows_of(name: str, rows: Any, fields: Mapping[str, type], *, unique: str = "id") -> list[dict[str, Any]]:
    """The entries of a table with the fields that are expected, no other, each of its type; lists become tuples.

    Raises:
        TableError: an entry lacks a field, has one too many, one of another type, or an identifier used twice.
    """
    if not isinstance(rows, list) or not rows:
        raise TableError(f"Table {name} : aucune entrée.")
    found: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for number, row in enumerate(rows, start=1):
        where = f"Table {name}, entrée {number}" + (f" (« {row[unique]} »)" if unique and unique in row else "")
        for field, kind in fields.items():
            if field not in row:
                raise TableError(f"{where} : le champ « {field} » manque.")
            if type(row[field]) is not kind and not (kind is float and type(row[field]) is int):
                raise TableError(f"{where} : le champ « {field} » ({kind.__name__}) est attendu, pas {row[field]!r}.")
        if extra := sorted(set(row) - set(fields)):
            raise TableError(f"{where} : le champ « {extra[0]} » n'est pas attendu.")
        if unique:
            if row[unique] in seen:
                raise TableError(f"{where} : « {row[unique]} » est déjà le nom d'une autre entrée.")
            seen.add(row[unique])
        found.append({field: tuple(value) if isinstance(value, list) else value for field, value in row.items()})
    return found


def check_rows(name: str, rows: Collection[Mapping[str, Any]], checks: Mapping[str, Check], key: str = "id") -> None:
    """Check fields of entries; a check returns what is wrong with a value, in French, or None.

    Raises:
        TableError: names the table, the entry and the field.
    """
    for number, row in enumerate(rows, start=1):
        for field, check in checks.items():
            wrong = check(row[field])
            if wrong:
                raise TableError(f"Table {name}, entrée {number} (« {row.get(key, '')} ») : champ « {field} », {wrong}")


def filled(value: str) -> str | None:
    """Something is written."""
    return None if value.strip() else "un texte est attendu."


def is_link(value: str) -> str | None:
    """A web address, or nothing."""
    parts = urlsplit(value)
    return None if not value or (parts.scheme in ("http", "https") and parts.hostname) else f"« {value} » n'est pas une adresse."


def is_date(value: str) -> str | None:
    """`YYYY-MM`, `YYYY` or nothing."""
    return None if not value or _DATE.fullmatch(value) else f"« {value} » : AAAA-MM, AAAA ou rien est attendu."


def is_identifier(value: str) -> str | None:
    """Lower-case letters, digits and dashes."""
    return None if _ID.fullmatch(value) else f"« {value} » : lettres minuscules, chiffres et tirets attendus."


def one_of(allowed: Collection[str]) -> Check:
    """One of these values."""
    return lambda value: None if value in allowed else f"« {value} » : un de {', '.join(sorted(allowed))} est attendu."


def each_of(allowed: Callable[[str], bool], what: str) -> Check:
    """Values, or parts of « a+b », that are all allowed; `what` says what they should be."""

    def check(values: Collection[str]) -> str | None:
        wrong = next((one for value in values for one in value.split("+") if not allowed(one)), None)
        return f"« {wrong} » n'est pas {what}." if wrong is not None else None

    return check
