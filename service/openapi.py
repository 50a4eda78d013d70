"""The document of the API: what each call takes, what it answers and when, who may call it; read from the routes themselves."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.access import COOKIE, Access
from service.declared import declared_routes
from service.problems import MEDIA_TYPE, TITLES
from service.routes import tables
from service.routes.exchange import BODIES
from service.settings import Settings
from service.workplace.exports import FORMATS

_KEYS: Final = "Clé créée à la page « Votre compte » ; demandée partout où la description d'un appel nomme un droit."
_SESSION: Final = "Session d'une personne connectée ; ce qui change quelque chose porte son jeton dans l'en-tête X-CSRF-Token."
_BASIC: Final = "La même clé, en mot de passe, pour les programmes qui ne savent pas l'envoyer autrement."
_PROBLEM: Final = {
    "type": "object",
    "description": "Erreur (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}},
        },
    },
}
#: What any call may be answered: the host is not ours, too many requests, the service cannot answer now.
_ALWAYS: Final = (421, 429, 503)
#: What a call with a body in JSON may be answered beside.
_WITH_JSON: Final = (400, 413, 415, 422)
#: What single calls may be answered beside what follows from their parameters, their body and who may make them.
_OWN: Final[Mapping[tuple[str, str], tuple[int, ...]]] = {
    ("post", "/v1/predict"): (409,),
    ("post", "/v1/predict/stream"): (400,),
    ("post", "/v1/feedback"): (404,),
    ("post", "/v1/import"): (400, 413, 415),
    ("post", "/v1/route"): (401, 403, 404),
    ("post", "/v1/exports"): (409,),
    ("get", "/v1/practices"): (401, 403),
    ("get", "/v1/practices/{id}"): (401, 403),
    ("post", "/label-studio/webhook"): (409,),
}
_TEXT: Final = {"schema": {"type": "string"}}
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
#: What is answered otherwise than in JSON.
_CONTENTS: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("get", "/metrics"): {"text/plain": _TEXT},
    ("get", "/v1/export"): {FORMATS["jsonl"][0]: _TEXT, FORMATS["csv"][0]: _TEXT},
    ("get", "/v1/exports/{id}/file"): {kind: _FILE for kind, _ in FORMATS.values()},
    ("get", "/v1/import/{id}/errors"): {FORMATS["csv"][0]: _TEXT},
    ("get", "/label-studio/interface.xml"): {"application/xml": _TEXT},
}
#: What is taken otherwise than in JSON.
_BODIES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("post", "/v1/import"): {"required": True, "content": dict.fromkeys(BODIES, _FILE)},
}
_KEYED: Final[list[dict[str, list[str]]]] = [{"key": []}, {"session": []}]
#: Who may call, by what a route declares (`service.access.Access`).
_SECURITY: Final[Mapping[str, list[dict[str, list[str]]]]] = {
    "open": [],
    "guarded": [{}, *_KEYED],
    "key": _KEYED,
    "key_alone": [{"key": []}, {"basic": []}],
    "role": [{"session": []}],
}


def document(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of an application with these settings, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["info"]["x-limits"] = tables.limits_of(settings).model_dump()
        schema["components"]["schemas"]["Problem9457"] = _PROBLEM
        schema["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": _KEYS},
            "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": _SESSION},
            "basic": {"type": "http", "scheme": "basic", "description": _BASIC},
        }
        access = {(route.method.lower(), route.path): route.access for route in declared_routes(app)}
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                _complete(method, path, operation, access[method, path])
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(method: str, path: str, operation: dict[str, Any], access: Access) -> None:
    """Say what an operation answers, takes, and asks of who calls."""
    call = method, path
    operation["security"] = _SECURITY[access.kind]
    if call in _BODIES:
        operation["requestBody"] = _BODIES[call]
    responses = operation["responses"]
    responses.pop("422", None)
    if call in _CONTENTS:
        responses[_done(responses)]["content"] = _CONTENTS[call]
    for status in sorted(set(_errors(call, operation, access))):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem9457"}}}
        answer: dict[str, Any] = {"description": TITLES[status], "content": content}
        if status in (429, 503):
            answer["headers"] = {"Retry-After": {"description": "Secondes à attendre.", "schema": {"type": "integer"}}}
        responses[str(status)] = answer


def _done(responses: Mapping[str, Any]) -> str:
    return next(status for status in responses if status.startswith("2"))


def _errors(call: tuple[str, str], operation: Mapping[str, Any], access: Access) -> Iterator[int]:
    yield from _ALWAYS
    yield from _OWN.get(call, ())
    body = operation.get("requestBody", {}).get("content", {})
    if "application/json" in body and call not in _BODIES:
        yield from _WITH_JSON
    elif body:
        yield 422
    if operation.get("parameters"):
        yield 422
    if "{" in call[1]:
        yield 404
    if access.kind != "open":
        yield from (401, 403)
