"""The pictures of the guides, taken again from the real product: `python -m tests.harness.pictures [--folder …] [NAME…]`.

A service is started on the demonstration texts, which are invented; the model reads them all; three invented people decide,
file, read blind and disagree; a real Chromium, 1,280 pixels wide, photographs what they see. Everything is thrown away after.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine, func, select

from service.access import COOKIE
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGN_WAITING
from service.database import open_database
from service.workplace.choices import choose
from service.workplace.items import Received, add_item
from service.workplace.people import Person, Role, create_user
from service.workplace.schema import ITEMS
from service.workplace.sessions import open_session
from tests.conftest import ARGUMENTS
from tests.service.conftest import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "images"
WIDTH: Final = 1280
#: Bytes that no picture passes.
MOST: Final = 150_000
_COLOURS: Final = 96
_PEOPLE: Final[dict[str, tuple[str, Role]]] = {
    "camille": ("Camille", "analyst"),
    "sacha": ("Sacha", "reviewer"),
    "alix": ("Alix", "reviewer"),
    "dominique": ("Dominique", "administrator"),
}
#: Demonstration texts, by the identifier they carry: one that goes into a case, one that two people read.
_FILED: Final = "d1-c01-01"
_DISPUTED: Final = "d1-c03-01"
#: Somebody to help, whom no demonstration text shows.
_IN_DANGER: Final = (
    "Bonjour, on m'a trouvé un cancer du sein en mars. J'arrête ma chimio lundi pour un jeûne de vingt et un jours, je n'en ai "
    "parlé à personne. Est-ce que quelqu'un ici l'a déjà fait ? J'ai peur mais je n'en peux plus."
)
_LONGEST_WAIT: Final = 900


@dataclass
class Studio:
    """A running service with its texts read, its people, and a browser."""

    url: str
    engine: Engine
    people: dict[str, Person]
    browser: Browser
    folder: Path
    only: frozenset[str]

    def page(self, login: str | None = None) -> Page:
        """A page, as somebody or as nobody."""
        context = self.browser.new_context(base_url=self.url, viewport={"width": WIDTH, "height": 800}, locale="fr-FR")
        if login:
            token = open_session(self.engine, self.people[login], timedelta(hours=1)).token
            context.add_cookies([{"name": COOKIE, "value": token, "url": self.url, "httpOnly": True, "sameSite": "Lax"}])
        return context.new_page()

    def item(self, external: str) -> str:
        """The identifier of a demonstration text."""
        with self.engine.connect() as connection:
            return str(connection.execute(select(ITEMS.c.id).where(ITEMS.c.external_id == external)).scalar_one())

    def keep(self, name: str, page: Page, height: int, part: str = "") -> None:
        """Photograph the first pixels of the page, or those of a part of it, and keep them under a name."""
        if self.only and name not in self.only:
            return
        # As high as the picture: what stays at the foot of the window is then at the foot of the picture.
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.wait_for_load_state("networkidle")
        page.evaluate("scrollTo(0, 0)")
        content = page.screenshot()
        if part:
            box = page.locator(part).bounding_box()
            assert box, f"{name} : {part} n'est pas sur la page"
            box["height"] = min(box["height"], height)
            content = page.screenshot(clip=box, full_page=True)
        kept = small(content)
        assert len(kept) <= MOST, f"{name} : {len(kept)} octets"
        (self.folder / f"{name}.png").write_bytes(kept)
        sys.stdout.write(f"{name}.png : {len(kept)} octets\n")


def small(content: bytes) -> bytes:
    """A picture with few colours: pages have few."""
    into = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(into, "PNG", optimize=True)
    return into.getvalue()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come about in a quarter of an hour.
    """
    end = time.monotonic() + _LONGEST_WAIT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.5)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready").is_success
    except httpx.HTTPError:
        return False


def _read(engine: Engine, wanted: int) -> bool:
    with engine.connect() as connection:
        read = connection.execute(select(func.count()).where(ITEMS.c.score.is_not(None))).scalar_one()
        waiting = connection.execute(select(func.count()).select_from(CAMPAIGN_WAITING)).scalar_one()
    return read >= wanted and not waiting


@contextmanager
def studio(folder: Path, only: frozenset[str]) -> Iterator[Studio]:
    """A service on the demonstration texts, all read by the model, with people and a browser."""
    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as place:
        url = f"sqlite:///{Path(place) / 'vigie.db'}"
        engine = open_database(url)
        people = {login: create_user(engine, login, *said, "une phrase pour les images") for login, said in _PEOPLE.items()}
        port = free_port()
        told = {"VIGIE_DATABASE_URL": url, "VIGIE_PORT": str(port), "VIGIE_DEMO": "true", "VIGIE_SPOOL_DIR": f"{place}/imports"}
        service = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"], cwd=ROOT, env=os.environ | told, stderr=subprocess.DEVNULL
        )
        try:
            address = f"http://127.0.0.1:{port}"
            until(lambda: _answers(address), "le service ne répond pas")
            until(lambda: _read(engine, 600), "les textes de démonstration ne sont pas lus")
            with engine.begin() as connection:
                add_item(connection, Received(_IN_DANGER, external_id="exemple", source="forum", channel="comment"))
            until(lambda: _read(engine, 601), "le texte ajouté n'est pas lu")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, "--lang=fr-FR"])
                yield Studio(address, engine, people, browser, folder, only)
                browser.close()
        finally:
            service.terminate()
            service.wait(timeout=60)
            engine.dispose()


def _open_to_all(one: Studio) -> None:
    page = one.page()
    page.goto("/?exemple=1")
    page.get_by_role("button", name="Analyser").click()
    one.keep("page", page, 1500, "#resultat")
    page.goto("/connexion")
    one.keep("connexion", page, 430)
    page.goto("/aide")
    one.keep("aide", page, 760)
    page.context.close()


def _reading_a_text(one: Studio) -> None:
    page = one.page("camille")
    page.goto("/file")
    one.keep("file", page, 800)
    page.goto("/a-etiqueter")
    until(lambda: "recherche en cours" not in _again(page), "les candidats ne sont pas cherchés")
    one.keep("a-etiqueter", page, 760)
    text = one.item(_FILED)
    page.goto(f"/textes/{text}")
    page.get_by_role("button", name="Prendre ce texte").click()
    page.get_by_label("Promeut").check()
    page.locator("details.sign[open] input[type=checkbox]").first.check()
    one.keep("texte", page, 900)
    one.keep("modele", page, 760, "section.saying")
    page.get_by_role("button", name="Confirmer la proposition").click()
    page.goto(f"/orienter/{text}")
    one.keep("destinataires", page, 940)
    danger = one.item("exemple")
    page.goto(f"/textes/{danger}")
    assert page.get_by_text("peut-être en danger").count(), "le modèle ne voit pas la personne en danger"
    one.keep("danger", page, 560)
    with one.engine.connect() as connection:
        home = connection.execute(select(CAMPAIGN_ITEMS.c.campaign_id).where(CAMPAIGN_ITEMS.c.item_id == text)).scalar_one()
    page.goto(f"/campagnes/{home}")
    one.keep("campagne", page, 900)
    _case(one, page, text)
    page.goto("/observatoire?du=2025-09-01&au=2026-08-31")
    until(lambda: _counted(_again(page, "dl.tiles")), "l'observatoire n'a pas compté")
    one.keep("observatoire", page, 900)
    page.context.close()


def _again(page: Page, part: str = "main") -> str:
    page.reload()
    return page.locator(part).inner_text()


def _counted(tiles: str) -> bool:
    """Whether the observatory counted the texts once nearly all were read: a few are in another language."""
    texts, read = tiles.splitlines()[1:4:2]
    return texts.isdigit() and read.isdigit() and int(read) > 0.9 * int(texts)


def _case(one: Studio, page: Page, text: str) -> None:
    """File the text that was decided, and look at the case."""
    page.goto("/dossiers/nouveau")
    page.locator("input[name=title]").fill("Séjours de jeûne proposés à des malades")
    page.get_by_role("button", name="Ouvrir le dossier").click()
    page.locator("summary", has_text="Ajouter des textes").click()
    page.locator("textarea[name=items]").fill(text)
    page.locator("input[name=why]").last.fill("Annonce d'un séjour, relue")
    page.get_by_role("button", name="Ajouter", exact=True).click()
    one.keep("dossier", page, 1000)


def _two_people(one: Studio) -> None:
    """One decides, another reads blind and says otherwise, a third one sees both."""
    choose(one.engine, "second_share", 1.0, one.people["dominique"])
    text = one.item(_DISPUTED)
    first = one.page("camille")
    first.goto(f"/textes/{text}")
    first.get_by_role("button", name="Prendre ce texte").click()
    first.get_by_role("button", name="Confirmer la proposition").click()
    first.context.close()
    second = one.page("sacha")
    second.goto("/relecture")
    second.get_by_role("button", name="Lire le suivant").click()
    one.keep("aveugle", second, 900)
    second.get_by_label("Neutre").check()
    second.locator("textarea[name=note]").fill("Je ne vois ici qu'une annonce prudente.")
    second.get_by_role("button", name="Enregistrer cette lecture").click()
    second.context.close()
    third = one.page("alix")
    third.goto("/arbitrage")
    third.locator("button.as-link").first.click()
    one.keep("arbitrage", third, 1100)
    third.context.close()


def take(folder: Path, only: frozenset[str] = frozenset()) -> None:
    """Take the pictures, all or those of these names, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with studio(folder, only) as one:
        choose(one.engine, "second_share", 0.0, one.people["dominique"])
        _open_to_all(one)
        _reading_a_text(one)
        _two_people(one)


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="où les écrire (docs/images)")
    parser.add_argument("names", nargs="*", help="celles qu'il faut ; toutes sinon")
    given = parser.parse_args()
    take(given.folder, frozenset(given.names))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
