"""A fault of the service is a page for people, problem details for programs, and never the fault itself."""

from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from fastapi import FastAPI

from service.pages import add_page_handlers
from service.problems import add_handlers

SECRET = "Lou D., 06 39 98 00 11"


def _broken() -> FastAPI:
    app = FastAPI()
    add_handlers(app)
    add_page_handlers(app)

    @app.get("/file")
    @app.get("/v1/file")
    def fault() -> None:
        raise RuntimeError(SECRET)

    return app


async def _asked(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(_broken(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://vigie.example") as client:
        return await client.get(path, headers={"Accept": "text/html,*/*"})


@pytest.mark.parametrize(("path", "page"), [("/file", True), ("/v1/file", False)])
def test_a_fault_is_told_as_each_reads_it(path: str, page: bool) -> None:
    # In a thread of its own: a browser of another test may keep this one's event loop.
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(anyio.run, _asked, path).result()
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html" if page else "application/problem+json")
    assert ("<h1>Erreur inattendue</h1>" in answer.text) is page
    assert "inattendue" in answer.text
    assert SECRET not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
