"""What every page must hold to, looked at in a real browser."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing to say, and the page does not scroll sideways."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": _TAGS}})
    faults = [
        f"{fault['id']} ({fault['impact']}) : {fault['help']} – " + " | ".join(node["html"][:200] for node in fault["nodes"][:5])
        for fault in found.response["violations"]
    ]
    assert not faults, f"{page.url} : {faults}"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{page.url} défile de côté"
