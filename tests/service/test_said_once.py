"""What a page says was done is said once, to the browser that did it."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from service.access import after_sign_in
from service.said_once import COOKIE, SaidOnce, unsaid


def _show(request: Request) -> Response:
    return PlainTextResponse(request.url.query)


async def _do(request: Request) -> Response:
    return RedirectResponse((await request.body()).decode(), 303)


class Browser:
    """Asks a small application as a browser does, and keeps what it is left."""

    def __init__(self) -> None:
        pages = ("/file", "/textes/{id}", "/arbitrage", "/dossiers/{id}")
        app = Starlette(routes=[Route("/fait", _do, methods=["POST"]), *(Route(path, _show) for path in pages)])
        app.add_middleware(SaidOnce)
        self.app = app
        self.cookies = httpx.Cookies()

    def ask(self, method: str, address: str, content: str | None = None) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://vigie", cookies=self.cookies) as client:
                answer = await client.request(method, address, content=content)
                self.cookies = client.cookies
                return answer

        return asyncio.run(asked())

    def get(self, address: str) -> httpx.Response:
        return self.ask("GET", address)

    def post(self, address: str, content: str) -> httpx.Response:
        return self.ask("POST", address, content)


@pytest.fixture
def client() -> Browser:
    return Browser()


def done(client: Browser, leads_to: str) -> None:
    assert client.post("/fait", content=leads_to).headers["location"]


@pytest.mark.parametrize(
    "address",
    ["/textes/a?dit=decide", "/textes/a?%64it=pris", "/file?dit=dossier&n=1", "/dossiers/D-1?dit=retire", "/arbitrage?fait=1"],
)
def test_an_address_alone_says_nothing(client: Browser, address: str) -> None:
    said = client.get(address).text
    assert said in ("", "n=1")


def test_what_was_done_is_said_once(client: Browser) -> None:
    address = "/textes/a?file=niveau%3D3%26q%3Dd%C3%A9tox+foie&dit=decide"
    done(client, f"{address}#haut")
    assert "dit=decide" in client.get(address).text
    again = client.get(address)
    assert again.text == "file=niveau%3D3%26q%3Dd%C3%A9tox+foie"
    assert COOKIE not in client.cookies


def test_the_mark_holds_for_its_address_alone(client: Browser) -> None:
    done(client, "/textes/a?dit=decide")
    assert client.get("/textes/b?dit=decide").text == ""
    assert client.get("/textes/a?dit=retire").text == ""
    assert client.get("/textes/a?dit=decide").text == "dit=decide"


def test_the_mark_is_kept_from_scripts_and_from_other_sites(client: Browser) -> None:
    for scheme, secure in (("http", False), ("https", True)):
        mark = client.post(f"{scheme}://vigie/fait", content="/file?dit=vue").headers["set-cookie"]
        assert "HttpOnly; SameSite=Lax" in mark
        assert ("Secure" in mark) == secure


def test_nothing_is_marked_that_leads_elsewhere_or_says_nothing(client: Browser) -> None:
    for address in ("https://ailleurs.example/?dit=decide", "/file?niveau=3", "/connexion?suite=/file%3Fdit%3Dvue"):
        assert "set-cookie" not in client.post("/fait", content=address).headers


def test_the_decision_that_a_page_checks_stays_in_its_address(client: Browser) -> None:
    assert client.get("/textes/a?fait=01a2").text == "fait=01a2"
    assert client.get("/file?tout=1&fait=01a2").text == "tout=1&fait=01a2"


def test_where_one_was_going_says_nothing_was_done() -> None:
    assert unsaid("/textes/a?file=tout%3D1&dit=decide#haut") == "/textes/a?file=tout%3D1#haut"
    assert after_sign_in("/dossiers/D-1?dit=retire", "/file") == "/dossiers/D-1"
