"""A real server on loopback, on the trained model and a fresh SQLite database."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from service.app import create_app
from service.settings import Settings


@dataclass(frozen=True)
class Server:
    """Where a running server answers, and its database file."""

    url: str
    database: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(settings: Settings) -> tuple[uvicorn.Server, threading.Thread]:
    running = uvicorn.Server(uvicorn.Config(create_app(settings), port=settings.port, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    for _ in range(600):
        if running.started:
            return running, thread
        time.sleep(0.1)
    raise RuntimeError("Le serveur n'a pas démarré.")


@pytest.fixture(scope="session")
def server(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = tmp_path_factory.mktemp("base") / "vigie.db"
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{database}",
        port=free_port(),
        max_items=20,
        max_body_bytes=1_000_000,
        max_line_bytes=100_000,
    )
    running, thread = start(settings)
    yield Server(f"http://127.0.0.1:{settings.port}", database)
    running.should_exit = True
    thread.join(timeout=15)


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened
