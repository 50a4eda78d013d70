"""The HTTP application: assembled here from its parts, nothing loaded at import."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from service.access import add_access_handlers, guard, session_of
from service.calling import Calling
from service.database import open_database
from service.declared import declared_routes
from service.demo import load_demo
from service.exposure import check_exposure
from service.gauges import Gauges
from service.journaling import Journaled
from service.metrics import Metrics
from service.middleware import BodyLimit, KnownHost, Measured, Overload
from service.models import Models
from service.openapi import document
from service.outage_answers import add_outage_handlers
from service.pages import add_page_handlers
from service.problems import add_handlers
from service.rates import RateLimit, allowances
from service.routes import WORKPLACE_ROUTES, WORKPLACE_TASKS, page, predict, tables
from service.said_once import SaidOnce
from service.settings import Settings, load_settings, shared_folder
from service.shutdown import drain, told_to_stop
from service.slots import Slots
from service.state import State, state_of
from service.workplace.audit import inside_service, seal_with
from service.workplace.opening import open_workplace, tell_link

_DESCRIPTION: Final = (
    "Vigie lit des offres et publications de bien-être en français et relève, passages à l'appui, des signes de dérive "
    "sectaire en santé. Il ne dit jamais qu'une personne ou un groupe est une secte : il montre des **indices à examiner**, "
    "et une personne décide. Les textes ne sont ni conservés ni journalisés, sauf demande expresse."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application with these settings (default: those of the environment); the model is loaded when it starts.

    Raises:
        SettingsError: the settings would serve others than this machine without what protects them.
        UndeclaredRouteError: a route does not say who may call it.
    """
    chosen = settings or load_settings()
    check_exposure(chosen)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        inside_service()
        metrics = Metrics()
        engine = await to_thread.run_sync(open_database, chosen.database_url, chosen)
        await to_thread.run_sync(seal_with, engine, chosen)
        link = await to_thread.run_sync(open_workplace, engine, chosen)
        if link is not None and shared_folder() is None:
            tell_link(chosen, link)
        if chosen.demo:
            await to_thread.run_sync(load_demo, engine, chosen)
        models = await to_thread.run_sync(Models, chosen.model_dir, metrics, chosen.keys)
        state = State(models, Slots(chosen, metrics), engine, chosen, metrics, Gauges(engine))
        app.state.vigie = state
        watch = asyncio.create_task(models.watch(chosen.model_poll))
        tasks = [asyncio.create_task(_task(name)(state)) for name in WORKPLACE_TASKS]
        with told_to_stop(partial(drain, state)):
            yield
        for task in (watch, *tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
    app.include_router(predict.router, dependencies=[Depends(guard("predict"))])
    app.include_router(tables.router)
    app.include_router(page.router)
    for name in WORKPLACE_ROUTES:
        app.include_router(import_module(f"service.routes.{name}").router)
    app.mount("/static", StaticFiles(directory=str(files("service").joinpath("static"))), name="static")
    add_handlers(app)
    add_page_handlers(app, lambda request: session_of(request, state_of(request)))
    add_outage_handlers(app)
    add_access_handlers(app)
    _surround(app, chosen)
    app.openapi = lambda: document(app, chosen)  # type: ignore[method-assign]
    declared_routes(app)
    return app


def _surround(app: FastAPI, chosen: Settings) -> None:
    """What every request goes through: the last added is met first."""
    app.add_middleware(SaidOnce)
    app.add_middleware(BodyLimit, limit=chosen.max_body_bytes)
    app.add_middleware(Overload)
    if any(allowances(chosen).values()):
        app.add_middleware(RateLimit, settings=chosen)
    app.add_middleware(KnownHost, settings=chosen)
    app.add_middleware(Measured)
    app.add_middleware(Calling)
    app.add_middleware(Journaled)


def _task(name: str) -> Callable[[State], Coroutine[Any, Any, None]]:
    module, _, function = name.partition(":")
    found: Callable[[State], Coroutine[Any, Any, None]] = getattr(import_module(f"service.workplace.{module}"), function)
    return found
