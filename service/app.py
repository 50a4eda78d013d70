"""The HTTP application: assembled here from its parts, nothing loaded at import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles

from service.database import open_database
from service.metrics import Metrics
from service.middleware import BodyLimit, Measured, Overload, RateLimit
from service.models import Models
from service.problems import MEDIA_TYPE, add_handlers
from service.routes import page, predict, tables
from service.settings import Settings, load_settings
from service.shutdown import drain, told_to_stop
from service.slots import Slots
from service.state import State

_DESCRIPTION: Final = (
    "Vigie lit des offres et publications de bien-être en français et relève, passages à l'appui, des signes de dérive "
    "sectaire en santé. Il ne dit jamais qu'une personne ou un groupe est une secte : il montre des **indices à examiner**, "
    "et une personne décide. Les textes ne sont ni conservés ni journalisés, sauf demande expresse."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application with these settings (default: those of the environment); the model is loaded when it starts."""
    chosen = settings or load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics = Metrics()
        engine = await to_thread.run_sync(open_database, chosen.database_url)
        models = await to_thread.run_sync(Models, chosen.model_dir, metrics)
        state = State(models, Slots(chosen, metrics), engine, chosen, metrics)
        app.state.vigie = state
        watch = asyncio.create_task(models.watch(chosen.model_poll))
        with told_to_stop(partial(drain, state)):
            yield
        watch.cancel()
        engine.dispose()

    app = FastAPI(
        title="Vigie",
        version=version("vigie"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.include_router(predict.router)
    app.include_router(tables.router)
    app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=str(files("service").joinpath("static"))), name="static")
    add_handlers(app)
    app.add_middleware(BodyLimit, limit=chosen.max_body_bytes)
    app.add_middleware(Overload)
    if chosen.rate_per_minute:
        app.add_middleware(RateLimit, per_minute=chosen.rate_per_minute)
    app.add_middleware(Measured)
    app.openapi = lambda: _openapi(app, chosen)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI, settings: Settings) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["info"]["x-limits"] = tables.limits_of(settings).model_dump()
        schema["components"]["schemas"]["Problem9457"] = {
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
                    "items": {
                        "type": "object",
                        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
            },
        }
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem9457"}}}
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"]["default"] = {"description": "Erreur", "content": content}
                operation["responses"].pop("422", None)
        app.openapi_schema = schema
    return app.openapi_schema
