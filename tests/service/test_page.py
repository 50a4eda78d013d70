"""The page in a real browser: mouse, keyboard, no script, narrow and dark."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from model.analyser import Analyser
from service.highlight import segments
from service.samples import SAMPLES
from tests.service.conftest import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=server.url)
    opened = context.new_page()
    faults: list[str] = []
    requested: list[str] = []
    opened.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda request: requested.append(request.url))
    yield opened
    context.close()
    assert faults == []
    assert all(url.startswith(server.url) for url in requested), "la page appelle un tiers"


def test_paste_and_read_the_result(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Texte de l'offre").fill(SAMPLES[0].text)
    page.get_by_role("button", name="Analyser").click()
    result = page.get_by_role("region", name="Résultat")
    expect(result).to_contain_text("Niveau 3")
    assert page.locator("mark").count() >= 2
    shown = page.locator(".text").evaluate(
        "node => [...node.childNodes].filter(n => !n.classList?.contains('ref')).map(n => n.textContent).join('')"
    )
    assert shown == SAMPLES[0].text
    page.locator("a.ref").first.click()
    assert "#signe-" in page.url


def test_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "text":
            break
    expect(page.get_by_label("Texte de l'offre")).to_be_focused()
    page.keyboard.type("Je soigne le cancer par les plantes, arrêtez la chimio.")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Filtre")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Résultat")).to_be_visible()
    expect(page.locator("#titre-resultat")).to_be_focused()
    expect(page.locator(".level")).to_contain_text("Niveau 3")


def test_control_enter_sends(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Texte de l'offre").fill("Cours de poterie le mardi soir, inscriptions à la mairie.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".level")).to_contain_text("Niveau 0")
    expect(page.get_by_text("Aucun signe présent")).to_be_visible()


def test_without_javascript(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=server.url)
    opened = context.new_page()
    opened.goto("/?exemple=1")
    assert opened.get_by_label("Texte de l'offre").input_value() == SAMPLES[0].text
    opened.get_by_role("button", name="Analyser").click()
    expect(opened.locator(".level")).to_contain_text("Niveau 3")
    opened.get_by_text("Tous les scores").click()
    expect(opened.get_by_role("row")).to_have_count(13)
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_no_sideways_scroll_and_readable_contrast(browser: Browser, server: Server, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        base_url=server.url,
    )
    opened = context.new_page()
    opened.goto("/?exemple=1")
    opened.get_by_role("button", name="Analyser").click()
    expect(opened.locator(".level")).to_be_visible()
    opened.wait_for_load_state()  # a text can be there before its style sheet
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for selector in ("body", "mark", "button", ".hint"):
        assert _contrast(opened, selector) >= 4.5, selector
    context.close()


def _contrast(page: Page, selector: str) -> float:
    """Contrast of the first match's text with what lies behind it (WCAG 2.2, 1.4.3)."""
    return float(
        page.locator(selector).first.evaluate(
            """node => {
              const parse = c => c.match(/[\\d.]+/g).map(Number);
              let back = node;
              while (back && (parse(getComputedStyle(back).backgroundColor)[3] === 0)) back = back.parentElement;
              const lum = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              const a = lum(parse(getComputedStyle(node).color));
              const b = lum(parse(getComputedStyle(back || document.documentElement).backgroundColor));
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }"""
        )
    )


def test_what_is_pasted_is_never_run(page: Page) -> None:
    page.goto("/")
    text = (
        "<script>document.title='pris'</script><img src=x onerror=\"document.title='pris'\"> Je soigne le cancer par les plantes."
    )
    page.get_by_label("Texte de l'offre").fill(text)
    page.get_by_role("button", name="Analyser").click()
    expect(page.locator(".text")).to_contain_text("<script>")
    assert page.title() != "pris"
    assert page.locator(".text img").count() == 0


@pytest.mark.parametrize("text", ["", "   ", "We sell second hand bicycles for children in very good condition."])
def test_what_cannot_be_analysed_is_explained(client: httpx.Client, text: str) -> None:
    answer = client.post("/", data={"text": text})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text


def test_a_person_at_risk_calls_for_help(client: httpx.Client) -> None:
    text = "J'arrête ma chimio pour un jeûne de trente jours, j'ai peur et je n'en peux plus, qu'en pensez-vous ? Des avis ?"
    answer = client.post("/", data={"text": text}).text
    assert "Niveau 0" in answer
    assert "appelle une aide, pas un signalement" in answer


def test_segments_join_back_to_the_text(analyser: Analyser) -> None:
    for sample in SAMPLES:
        pieces = segments(sample.text, analyser.predict(sample.text))
        assert "".join(piece.text for piece in pieces) == sample.text
