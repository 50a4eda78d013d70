"""Every error as RFC 9457 problem details, in French, from one table; no stack trace and no text ever leaves."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"

#: The title of each status.
TITLES: Final = {
    400: "Requête illisible",
    401: "Clé ou connexion attendue",
    403: "Accès refusé",
    404: "Introuvable",
    405: "Méthode non autorisée",
    406: "Format de réponse non disponible",
    409: "Conflit",
    413: "Corps trop volumineux",
    415: "Type de contenu non pris en charge",
    421: "Nom d'hôte inconnu",
    422: "Requête invalide",
    429: "Trop de requêtes",
    500: "Erreur interne",
    503: "Service indisponible",
}


@dataclass
class ApiError(Exception):
    """An error to answer with: HTTP status, French explanation, faulty fields."""

    status: int
    detail: str
    errors: tuple[dict[str, str], ...] = ()
    headers: dict[str, str] | None = None


def problem(
    status: int, detail: str, errors: tuple[dict[str, str], ...] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """An `application/problem+json` answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


#: What is at fault where no field is.
_BODY: Final = "corps"
_MESSAGES: Final = {
    "missing": "champ obligatoire absent",
    "string_type": "une chaîne de caractères est attendue",
    "string_too_long": "chaîne trop longue",
    "string_too_short": "chaîne trop courte",
    "string_unicode": "une chaîne Unicode valide est attendue (demi-codet isolé ?)",
    "bool_type": "true ou false est attendu",
    "bool_parsing": "true ou false est attendu",
    "int_type": "un nombre entier est attendu",
    "list_type": "une liste est attendue",
    "dict_type": "un objet est attendu",
    "model_attributes_type": "un objet JSON est attendu",
    "extra_forbidden": "champ inconnu",
    "too_long": "trop d'éléments",
    "too_short": "au moins un élément est attendu",
}


def field_errors(error: RequestValidationError) -> tuple[dict[str, str], ...]:
    """The faulty fields of a request, each with a French message; what was sent is not repeated."""
    found = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"] if part != "body") or _BODY
        message = _MESSAGES.get(fault["type"])
        if fault["type"] == "literal_error":
            message = f"une de ces valeurs est attendue : {fault['ctx']['expected']}"
        elif fault["type"] == "value_error":
            message = str(fault["ctx"]["error"])
        elif fault["type"] == "json_invalid":
            # Where it stops being JSON stands in place of a field.
            place, message = _BODY, f"JSON illisible au caractère {place}"
        found.append({"field": place, "message": message or str(fault["msg"])})
    return tuple(found)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def add_handlers(app: FastAPI) -> None:
    """Answer every error of the application with problem details."""

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> JSONResponse:
        return problem(error.status, error.detail, error.errors, error.headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = field_errors(error)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if any(fault["loc"] == ("body",) for fault in error.errors()) and not _is_json(kind):
            return problem(415, f"Content-Type « {kind[:100]} » : application/json est attendu.")
        unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
        if unreadable:
            return problem(400, f"{faults[0]['message']}.", faults)
        return problem(422, f"{faults[0]['field']} : {faults[0]['message']}.", faults)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        details = {404: "Cette adresse n'existe pas.", 405: "Cette méthode n'est pas autorisée ici."}
        detail = details.get(error.status_code, str(error.detail))
        return problem(error.status_code, detail, headers=dict(error.headers) if error.headers else None)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        return problem(500, "Une erreur inattendue s'est produite ; elle est consignée, sans le texte.")
