"""What every route asks of who comes, read from the routes themselves; a route that does not say is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from model.errors import VigieError
from service.access import ACCESS_OF, Access
from service.workplace.keys import ROLE_OF
from service.workplace.people import ROLE_NAMES

#: Routes that the framework makes, without dependencies: the document of the API and the files of the pages.
_MADE: Final = {"/openapi.json": Access("open"), "/static": Access("open", note="feuilles de style, scripts et icône")}
_KINDS: Final = ("open", "guarded", "key", "key_alone", "role")


class UndeclaredRouteError(VigieError):
    """A route that does not say what it asks of who comes."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A path as it is declared, one of its methods, and what it asks."""

    path: str
    method: str
    access: Access


def declared_routes(app: FastAPI) -> list[Declared]:
    """Every route of an application and what it asks, in the order of their paths.

    Raises:
        UndeclaredRouteError: one does not say.
    """
    found = []
    for route in iter_route_contexts(app.routes):
        path = str(route.path)
        access = _MADE.get(path) or _strictest(getattr(route, "dependant", None))
        if access is None:
            raise UndeclaredRouteError(
                f"La route {path} ne déclare pas qui peut l'appeler : donnez-lui une dépendance de service.access "
                "(AnalystDep, KeyDep(…), OPEN…)."
            )
        found += [Declared(path, method, access) for method in sorted(set(route.methods or {"GET"}) - {"HEAD"})]
    return sorted(found, key=lambda route: (route.path, route.method))


def _strictest(dependant: Dependant | None) -> Access | None:
    declared = [ACCESS_OF[call] for call in _calls(dependant) if call in ACCESS_OF] if dependant else []
    return max(declared, key=_strictness, default=None)


def _strictness(access: Access) -> tuple[int, int, bool]:
    roles = list(ROLE_NAMES)
    return _KINDS.index(access.kind), roles.index(access.name) if access.name in roles else 0, bool(access.note)


def _calls(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def in_words(access: Access) -> str:
    """What a route asks, for people."""
    role = ROLE_NAMES[ROLE_OF[access.name]] if access.name in ROLE_OF else ROLE_NAMES.get(access.name, "")
    said = {
        "open": "ouverte à tous",
        "guarded": f"ouverte à tous ; avec `VIGIE_REQUIRE_KEY`, clé `{access.name}` ou session (rôle {role})",
        "role": f"session, rôle {role}",
        "key": f"clé `{access.name}`, ou session (rôle {role})",
        "key_alone": f"clé `{access.name}`",
    }[access.kind]
    return f"{said} ({access.note})" if access.note else said


def table_of(app: FastAPI) -> str:
    """The routes and what they ask, as a table in Markdown: one line a path, its methods together where they ask the same."""
    lines: dict[tuple[str, str], list[str]] = {}
    for route in declared_routes(app):
        lines.setdefault((route.path, in_words(route.access)), []).append(route.method)
    rows = [f"| `{path}` | {', '.join(methods)} | {asked} |" for (path, asked), methods in lines.items()]
    return "\n".join(("| adresse | méthodes | qui |", "| --- | --- | --- |", *rows)) + "\n"
