"""Runs the application: in this process, or in several that share one port and are replaced when they die."""

import logging
import signal
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from model.errors import VigieError
from service.connections import make_room
from service.journaling import logging_settings
from service.leftovers import sweep
from service.settings import Settings, share_folder

#: A process that gives no sign of life for so many seconds is killed and replaced; also the time it has to start.
_SILENCE_SECONDS: Final = 60
_LOG: Final = logging.getLogger("vigie")


def check_startup(settings: Settings) -> str:
    """Say now, in one line, what would fail later in a log; returns the version of the model that will serve.

    Raises:
        VigieError: the model, the database or the port cannot be used.
    """
    from model.store import load_artefact
    from service.database import check_writable, open_checked

    version = load_artefact(settings.model_dir, trust=settings.trust()).version
    _check_soundness(settings)
    engine = open_checked(settings.database_url)
    try:
        check_writable(engine)
        sweep(engine, settings)
    finally:
        engine.dispose()
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            reason = error.strerror or error
            raise VigieError(f"Impossible d'écouter sur {settings.host}:{settings.port} ({reason}) ; VIGIE_PORT ?") from error
    return version


def _check_soundness(settings: Settings) -> None:
    """Read a SQLite file over before anything is changed in it.

    Raises:
        VigieError: it is damaged; the message says what, and what to do.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from service.backup.damage import check_database, remedy
    from service.database import connect_database, exists

    if not exists(settings.database_url):
        return  # whoever makes it says why it cannot be made
    try:
        engine = connect_database(settings.database_url)
    except SQLAlchemyError:
        return  # it is no address of a database: whoever opens it next says so
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    try:
        found = check_database(engine, settings.start_check)
    except SQLAlchemyError:
        return  # it cannot be opened at all: whoever opens it next says why
    finally:
        engine.dispose()
    if found:
        told = " ".join(str(one) for one in found[:5])
        raise VigieError(f"la base {engine.url.database} est abîmée. {told} {remedy(found)}")


def run_server(settings: Settings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); what is under way is answered first, and the process ends with code 0.

    Raises:
        VigieError: the service could not start.
    """
    make_room()
    if settings.workers == 1:
        _run_here(settings)
    else:
        with TemporaryDirectory(prefix="vigie-") as folder:
            share_folder(Path(folder))
            _tell_first_account(settings)
            _run_several(settings)


def _tell_first_account(settings: Settings) -> None:
    # Once, here: the processes, which find the same link, keep quiet.
    from service.database import open_checked
    from service.workplace.opening import open_workplace, tell_link

    engine = open_checked(settings.database_url)
    link = open_workplace(engine, settings)
    engine.dispose()
    if link is not None:
        tell_link(settings, link)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "log_config": logging_settings(settings.log_format, settings.log_level),
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": bool(settings.trusted_proxies.strip()),
        "forwarded_allow_ips": settings.trusted_proxies,
        "http": "service.connections:PatientProtocol",
        "ws": "none",
        "timeout_graceful_shutdown": settings.shutdown_seconds,
        "timeout_worker_healthcheck": _SILENCE_SECONDS,
    }


def _run_here(settings: Settings) -> None:
    from service.app import create_app

    server = uvicorn.Server(uvicorn.Config(lambda: create_app(settings), **_options(settings)))
    # The server raises again, once stopped, the signal that stopped it: that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run()
    except KeyboardInterrupt:
        return
    if not server.started:
        raise VigieError("le service n'a pas pu démarrer.")


class _Supervisor(Multiprocess):
    """Starts the processes, replaces those that die, and stops listening as soon as it is told to stop."""

    def terminate_all(self) -> None:
        # The socket is shared: as long as one process holds it, clients would be let in to wait for nobody.
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        for process in before:
            # With our copy of its end closed, a process that dies is noticed at once, even between a ping and its answer.
            process.child_conn.close()
        super().keep_subprocess_alive()
        for process, now in zip(before, self.processes, strict=True):
            if now is not process:
                _LOG.error("Le processus %s s'est arrêté (code %s) ; un autre le remplace.", process.pid, process.exitcode)


def _run_several(settings: Settings) -> None:
    # The processes read their settings in the environment; address and port, which the command may give, are this one's.
    config = uvicorn.Config("service.app:create_app", workers=settings.workers, **_options(settings))
    supervisor = _Supervisor(config, [config.bind_socket()])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise VigieError("un processus du service n'a pas pu démarrer.")
