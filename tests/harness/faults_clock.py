"""The clock put forward and back under a service at work: people go on, nothing stays held, nothing is lost.

The clock that is shifted is the one place that the workplace asks for instants, and `time.time`; seconds that are only counted
(waits, limits) come from a clock that never jumps.
"""

import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, select

from service.settings import load_settings
from service.workplace.audit_verify import Expected, verify_database
from service.workplace.schema import DECISIONS
from service.workplace.times import now
from tests.harness.faults_field import Field, Outcome, add_people, environment, pick_up, until
from tests.harness.faults_kills import signed_in
from tests.harness.killed import Served
from tests.harness.reviewers import _HIDDEN, _QUEUE
from tests.service.workplace.conftest import PASSWORD
from tests.service.workplace.volume import fill_unread

_YEAR = timedelta(days=365)


def serve_shifted(file: str) -> None:
    """Serve, with instants shifted by the seconds that a file says at each moment."""
    import service.workplace.times as times
    from service.server import run_server

    real, clock = datetime, time.time

    def shift() -> float:
        return float(Path(file).read_text() or 0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return real.now(tz) + timedelta(seconds=shift())

    times.datetime = Shifted  # type: ignore[attr-defined]
    time.time = lambda: clock() + shift()
    run_server(load_settings())


class _Clock:
    def __init__(self, file: Path) -> None:
        self.file, self.jumps, self._ahead = file, 0, timedelta(0)
        self.set(timedelta(0))

    def set(self, ahead: timedelta) -> None:
        """Put the service's clock so far ahead."""
        self.jumps, self._ahead = self.jumps + (ahead != self._ahead), ahead
        temporary = self.file.with_suffix(".new")
        temporary.write_text(str(ahead.total_seconds()))
        temporary.replace(self.file)


def _decide(client: httpx.Client, csrf: str, path: str) -> bool:
    """Answer the form of a text that is one's own; whether it was kept."""
    page = client.get(path).text
    if 'id="decision"' not in page:
        return False
    form = page[page.index('id="decision"') :].split("</form>")[0]
    sent = {**dict(_HIDDEN.findall(form)), "csrf": csrf, "action": "unsure", "file": ""}
    answer = client.post(f"{path.split('?')[0]}/decision", data=sent)
    return answer.status_code == 303 and "fait=" in answer.headers.get("location", "")


def _must_decide(client: httpx.Client, csrf: str, path: str, outcome: Outcome, when: str) -> None:
    kept = _decide(client, csrf, path)
    outcome.acknowledged += kept
    outcome.expect(kept, f"{when} : la décision n'est pas gardée")


def _take(client: httpx.Client, csrf: str) -> str:
    found = client.post("/file/suivant", data={"csrf": csrf, "file": _QUEUE}).headers.get("location", "")
    return found if found.startswith("/textes/") else ""


def _sign_in(port: int, login: str, password: str) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/connexion", data={"login": login, "password": password}, timeout=30)


def jumps(field: Field) -> Outcome:
    """Forward, back, a year ahead and put right: claims, sessions, waits to sign in, decisions and the audit log."""
    outcome = Outcome()
    with field.database("sqlite") as engine:
        fill_unread(engine, 60)
        add_people(engine, 2)
        settings = field.settings(engine.url.render_as_string())
        clock = _Clock(field.new_folder("horloge") / "avance")
        run = field.zygote().start(["call", "tests.harness.faults_clock:serve_shifted", str(clock.file)], environment(settings))
        served = Served(environment(settings), settings.port, field.zygote(), run)
        try:
            outcome.expect(until(lambda: _live(settings.port), 60), "le service ne démarre pas")
            _small_jumps(engine, settings.port, clock, outcome)
            _a_year_ahead(engine, settings.port, clock, outcome)
        finally:
            served.kill()
        report = verify_database(engine, Expected(), now())
        said = f"journal d'audit : {[fault.message for fault in report.faults[:3]]}"
        outcome.expect_none_half(0 if report.whole else max(1, report.count), said)
        outcome.expect(any("l'horloge a reculé" in warning for warning in report.warnings), "le journal ne dit pas le recul")
        with engine.connect() as connection:
            kept = len(connection.scalars(select(DECISIONS.c.id)).all())
        outcome.expect_none_lost(abs(outcome.acknowledged - kept), f"{kept} décisions pour {outcome.acknowledged} confirmées")
        outcome.counted["sauts"] = clock.jumps
    return outcome


def _live(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _small_jumps(engine: Engine, port: int, clock: _Clock, outcome: Outcome) -> None:
    """An hour, eight days: what is under way is kept, or taken again; a session lasts as long as it should, no longer."""
    client, csrf = signed_in(engine, port)
    with client:
        for ahead in (timedelta(hours=-1), timedelta(0), timedelta(minutes=20), timedelta(minutes=-20)):
            clock.set(timedelta(0))
            path = _take(client, csrf)
            clock.set(ahead)
            _must_decide(client, csrf, path, outcome, f"texte pris, puis horloge à {ahead}")
        clock.set(timedelta(days=8))
        asked = client.get("/file")
        outcome.expect(
            asked.status_code == 303 and "/connexion" in asked.headers["location"], "une session dure plus de sept jours"
        )
        outcome.expect(_sign_in(port, "lecteur0", PASSWORD).status_code == 303, "on ne se connecte plus, huit jours plus tard")
        clock.set(timedelta(0))


def _a_year_ahead(engine: Engine, port: int, clock: _Clock, outcome: Outcome) -> None:
    """Work done while the clock was a year ahead, then put right: texts are free again, people come in."""
    clock.set(_YEAR)
    came = _sign_in(port, "lecteur1", PASSWORD)
    outcome.expect(came.status_code == 303, "on ne se connecte pas, un an en avance")
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies=came.cookies, timeout=30)
    with client:
        csrf = client.get("/compte").text.split('name="csrf" value="')[1].split('"')[0]
        kept = _take(client, csrf)
        _must_decide(client, csrf, kept, outcome, "un an en avance")
        held = _take(client, csrf)
        for _ in range(6):
            _sign_in(port, "lecteur0", "un autre mot que le sien")
        clock.set(timedelta(0))
        since = time.monotonic()
        outcome.expect(client.get("/file").status_code == 200, "la session ouverte en avance ne vaut plus")
    other, other_csrf = signed_in(engine, port, "lecteur0")
    with other:

        def taken() -> bool:
            answer = other.post(f"{held.split('?')[0]}/ouverture", data={"csrf": other_csrf, "file": _QUEUE})
            return "fieldset disabled" not in other.get(held.split("?")[0]).text and answer.status_code == 303

        pick_up(outcome, since, taken, 90, "un texte pris en avance reste tenu")
        _must_decide(other, other_csrf, held.split("?")[0], outcome, "un texte qui était tenu en avance")
    came_in = lambda: _sign_in(port, "lecteur0", PASSWORD).status_code == 303  # noqa: E731
    pick_up(outcome, since, came_in, 90, "on attend encore de se connecter")
