"""The disk full, a database that cannot be written: told, survived, and all goes on once there is room, or the right to write."""

import ctypes
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from model.errors import VigieError
from model.store import current_name, verify_artefact
from service.backup.create import create
from service.backup.damage import check_database
from service.backup.manifest import BackupError
from service.database import open_database
from service.settings import load_settings
from tests.harness.faults_field import Field, Outcome, add_people, copy_models, environment, more, pick_up, until
from tests.harness.faults_kills import log_is_whole, signed_in
from tests.harness.killed import Report, Served, check, deciding
from tests.service.workplace.postgres import run_sql
from tests.service.workplace.volume import fill, fill_unread

_PAGE = 4_096
_MEGABYTE = 1 << 20


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of some megabytes in memory.

    Raises:
        PermissionError: this machine does not let one be mounted.
    """
    place = folder / "disque"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        raise PermissionError(mounted.stderr.decode(errors="replace").strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def full(field: Field) -> Outcome:
    """The disk full while people decide: 503 that says so, nothing confirmed is lost, all goes on once there is room.

    Where no disk can be mounted, the system is told to refuse larger files instead.
    """
    outcome = Outcome()
    folder = field.new_folder("plein")
    try:
        with small_disk(folder, 40) as place:
            _filled_up(field, place, outcome)
            _others_on_full(field, place, outcome)
    except PermissionError as error:
        outcome.counted["sans montage"] = 1
        _too_large(field, outcome, str(error))
    return outcome


def _filled_up(field: Field, place: Path, outcome: Outcome) -> None:
    url = f"sqlite:///{place / 'vigie.db'}"
    engine = open_database(url)
    fill_unread(engine, 600)
    people = add_people(engine, 3)
    settings = field.settings(url, spool_dir=place / "attente")
    served = Served(environment(settings), settings.port, field.zygote())
    served.start()
    report, over = Report(), threading.Event()
    threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
    client, csrf = signed_in(engine, settings.port)
    try:
        for _ in range(field.some(3, 1)):
            outcome.expect(until(more(report), 120), "personne ne décide")
            _ballast(place)
            sent = {"csrf": csrf, "file": "niveau=2"}
            refused = _until_refused(client, sent)
            told = refused is not None and "Plus de place sur le disque" in refused.text and "Retry-After" in refused.headers
            outcome.expect(told, f"disque plein : {refused and (refused.status_code, refused.text[:300])}")
            upload = client.post("/imports", data={"csrf": csrf}, files={"file": ("a.csv", b"text\n" + b"repos\n" * 200_000)})
            outcome.expect(upload.status_code in (422, 503), f"envoi sur un disque plein : {upload.status_code}")
            outcome.expect(client.get("/health/live").status_code == 200, "/health/live ne répond plus")
            (place / "lest").unlink()
            pick_up(outcome, time.monotonic(), more(report), 120, "personne ne décide, la place revenue")
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
        outcome.expect(not served.over(), "le service s'est arrêté")
        served.kill()
        client.close()
    outcome.take(report, check(engine, report))
    outcome.expect_none_half(len(check_database(engine)), "la base est abîmée")
    log_is_whole(engine, outcome)
    outcome.expect(_left(settings.spool_dir) == [], f"il reste {_left(settings.spool_dir)} dans l'attente")
    engine.dispose()


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def _ballast(place: Path) -> None:
    """Take all the room there is."""
    lest = os.open(place / "lest", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(lest, bytes(_PAGE)):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(lest)


def _until_refused(client: httpx.Client, sent: dict[str, str]) -> httpx.Response | None:
    """Save views until there is no room for one; the pages of the journal that are there take some of them."""
    for number in range(3_000):
        answer = client.post("/file/vues", data=sent | {"name": f"vue {number}"}, headers={"Accept": "text/html"})
        if answer.status_code >= 500:
            return answer
    return None


def _others_on_full(field: Field, place: Path, outcome: Outcome) -> None:
    """A backup, and a training at its end, on a disk that fills up: refused in a line, and nothing half-made is left."""
    with field.database("sqlite") as engine:
        fill(engine, 300)
        settings = field.settings(engine.url.render_as_string())
        shelf = place / "sauvegardes"
        shelf.mkdir()
        _ballast(place)
        try:
            create(settings, shelf, with_model=False)
            outcome.wrong.append("une sauvegarde sur un disque plein est dite faite")
        except BackupError as error:
            outcome.expect("place" in str(error), f"sauvegarde : {error}")
        outcome.expect_none_half(len(list(shelf.iterdir())), "il reste un morceau de sauvegarde")
        (place / "lest").unlink()
    with small_disk(place, 110) as other:
        # Room for the model that serves, not for a second one beside it.
        root = copy_models(field.models, other / "modeles")
        _ballast(other)
        name = current_name(root)
        run = field.zygote().start(
            ["call", "tests.harness.faults_workers:write_again", str(root), name], {"VIGIE_MODEL_DIR": str(root)}
        )
        outcome.expect(run.wait() not in (0, None), "un modèle est dit écrit sur un disque plein")
        verify_artefact(root / name, load_settings().trust())
        outcome.expect_none_half(len(list(root.glob(".*"))), "il reste un morceau de modèle")


def serve_bounded(megabytes: int) -> None:
    """Serve, and have the system refuse any file over so many megabytes."""
    import resource

    from service.server import run_server

    resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes * _MEGABYTE,) * 2)
    run_server(load_settings())


def _too_large(field: Field, outcome: Outcome, why: str) -> None:
    with field.database("sqlite") as engine:
        fill_unread(engine, 600)
        add_people(engine, 1)
        settings = field.settings(engine.url.render_as_string())
        size = Path(str(engine.url.database)).stat().st_size // _MEGABYTE + 1
        call = ["call", "tests.harness.faults_disk:serve_bounded", size]
        run = field.zygote().start(call, environment(settings))
        outcome.expect(until(lambda: _answers(settings.port), 60), f"le service ne démarre pas ({why})")
        client, csrf = signed_in(engine, settings.port)
        refused = _until_refused(client, {"csrf": csrf, "file": "niveau=2"})
        outcome.expect(refused is not None and refused.status_code == 503, f"fichier trop grand : {refused}")
        outcome.expect(client.get("/health/live").status_code == 200, "/health/live ne répond plus")
        client.close()
        run.kill()
        outcome.expect_none_half(len(check_database(engine)), "la base est abîmée")


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=2).status_code == 200
    return False


def humbly(verb: str) -> None:
    """Serve, or start, without the rights that let root write what it may not."""
    # struct __user_cap_header_struct and __user_cap_data_struct of capset(2), version 3: no capability at all.
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)())
    from service.server import check_startup, run_server

    try:
        check_startup(load_settings())
    except VigieError as error:
        sys.stderr.write(f"vigie : {error}\n")
        raise SystemExit(1) from None
    if verb == "serve":
        run_server(load_settings())


def read_only(field: Field) -> Outcome:
    """A database that cannot be written: a start that says so and what to do; PostgreSQL made read-only while people work."""
    outcome = Outcome()
    with field.database("sqlite") as engine:
        settings = field.settings(engine.url.render_as_string())
        path = Path(str(engine.url.database))
    engine.dispose()
    for what, folder_mode in (("fichier", 0o755), ("dossier", 0o555)):
        for side in path.parent.iterdir():
            side.chmod(0o444)
        path.parent.chmod(folder_mode)
        at = field.zygote().log.stat().st_size
        code = field.zygote().start(["call", "tests.harness.faults_disk:humbly", "start"], environment(settings)).wait()
        said = field.zygote().log.read_bytes()[at:].decode(errors="replace")
        told = ("lecture seule" in said or "inaccessible" in said) and "l'utilisateur du service" in said
        outcome.expect(code == 1 and told, f"{what} : code {code}, « {said} »")
        outcome.expect("Traceback" not in said, f"{what} : une trace est montrée")
        path.parent.chmod(0o755)
        for side in path.parent.iterdir():
            side.chmod(0o644)
    open_database(settings.database_url).dispose()
    _read_only_server(field, outcome)
    return outcome


def _read_only_server(field: Field, outcome: Outcome) -> None:
    with field.database("postgresql") as engine:
        fill_unread(engine, 200)
        people = add_people(engine, 2)
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        served = Served(environment(settings), settings.port, field.zygote())
        served.start()
        client, csrf = signed_in(engine, settings.port)
        report, over = Report(), threading.Event()
        threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
        try:
            outcome.expect(until(more(report), 120), "personne ne décide")
            _make_read_only(field, "on")
            answer = _until_refused(client, {"csrf": csrf, "file": "niveau=2"})
            said = answer is not None and "lecture seule" in answer.text and "Retry-After" in answer.headers
            outcome.expect(said, f"base en lecture seule : {answer and (answer.status_code, answer.text[:300])}")
            outcome.expect(answer is None or answer.status_code == 503, f"base en lecture seule : {answer}")
            _make_read_only(field, "off")
            pick_up(outcome, time.monotonic(), more(report), 120, "personne ne décide, l'écriture revenue")
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
            served.kill()
            client.close()
        outcome.take(report, check(engine, report))
        log_is_whole(engine, outcome)


def _make_read_only(field: Field, state: str) -> None:
    """Have PostgreSQL refuse what writes, or no more; it takes a moment to be known everywhere."""
    run_sql(str(field.server), f"alter system set default_transaction_read_only = {state}")
    run_sql(str(field.server), "select pg_reload_conf()")
