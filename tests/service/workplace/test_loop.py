"""The loop: decisions train a challenger in a process of its own, which is compared, promoted or not, and taken back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import Engine, select, update

from model.errors import ArtefactError
from model.promotion import history
from model.store import current_name
from service.settings import Settings
from service.workplace import lineage, loop, runs
from service.workplace.choices import choose
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide, withdraw
from service.workplace.items import Received, add_item
from service.workplace.people import Person, Role
from service.workplace.schema import DECISIONS, PROMOTIONS, TRAININGS
from service.workplace.times import now
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import Place, Visitor, _place
from tests.service.workplace.looks import assert_accessible
from tests.signed import renamed
from training.corpus import AnnotatedText, of_split, write_lines
from training.joining import is_held_out

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 420.0


@pytest.fixture
def root(artefacts: Path, tmp_path: Path) -> Path:
    """A folder of models where the one that serves is the trained one."""
    name = current_name(artefacts)
    folder = tmp_path / "modeles"
    shutil.copytree(artefacts / name, folder / name, copy_function=os.link)
    (folder / "current").write_text(name + "\n", encoding="utf-8")
    return folder


def settings_of(engine: Engine, root: Path, **more: Any) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(model_dir=root, database_url=url, scoring=False, **more)


def ended(engine: Engine, settings: Settings, id: str, limit: float = LIMIT) -> loop.Training:
    """The training once it is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        loop.refresh(engine, settings)
        found = loop.find_training(engine, id)
        assert found
        if not found.active:
            return found
        time.sleep(0.2)
    raise AssertionError("L'entraînement n'en finit pas.")


def pid_of(root: Path, id: str) -> int:
    return int((runs.folder_of(root, id) / "pid").read_text(encoding="ascii"))


def test_a_training_that_cannot_be_done_says_why(engine: Engine, people: dict[Role, Person], root: Path, tmp_path: Path) -> None:
    settings = settings_of(engine, root, corpus_dir=tmp_path / "absent")
    id = loop.ask(engine, settings, people["administrator"])
    found = ended(engine, settings, id, 90)
    assert (found.state, found.challenger, found.by) == ("failed", None, "Administrator")
    assert found.message is not None
    assert "Aucun fichier .jsonl" in found.message
    assert found.champion == current_name(root)


def test_one_at_a_time_apart_from_the_server_and_a_dead_one_is_seen(
    engine: Engine, people: dict[Role, Person], root: Path
) -> None:
    settings = settings_of(engine, root, corpus_dir=ROOT / "data" / "annotated")
    person = people["administrator"]
    id = loop.ask(engine, settings, person)
    pid = pid_of(root, id)
    assert os.getsid(pid) == pid != os.getsid(0)  # a session of its own: it outlives the server
    with pytest.raises(loop.LoopError, match="déjà en cours"):
        loop.ask(engine, settings, person)
    assert [folder.name for folder in (root / ".trainings").iterdir()] == [id]
    loop.refresh(engine, settings)
    found = loop.find_training(engine, id)
    assert found
    assert found.active
    os.killpg(pid, signal.SIGKILL)
    dead = ended(engine, settings, id, 20)
    assert dead.state == "failed"
    assert dead.message is not None
    assert "s'est arrêté en route" in dead.message
    # Another may begin, and be stopped with all that it started.
    other = loop.ask(engine, settings, person)
    assert loop.stop(engine, settings, other, person)
    assert not runs.alive(root, other)
    stopped = loop.find_training(engine, other)
    assert stopped
    assert (stopped.state, stopped.message) == ("stopped", "Arrêté par Administrator.")
    assert not loop.stop(engine, settings, other, person)
    assert current_name(root) == found.champion


def done(engine: Engine, champion: str, challenger: str, *, passes: bool) -> str:
    """A training that is over, with what promotion looks at of its comparison."""
    id = f"t-{challenger}-{passes}"
    comparison = {"champion": champion, "challenger": challenger, "passes": passes}
    with engine.begin() as connection:
        values = {"id": id, "state": "done", "champion": champion, "challenger": challenger, "asked_at": now()}
        connection.execute(TRAININGS.insert().values(**values, comparison=comparison))
    return id


def test_the_gate_is_passed_or_a_named_person_answers_for_it(engine: Engine, people: dict[Role, Person], root: Path) -> None:
    settings, person = settings_of(engine, root), people["administrator"]
    first, second = current_name(root), "deux"
    renamed(root / first, root, second, shared=True)
    id = done(engine, first, second, passes=False)
    with pytest.raises(loop.LoopError, match="écrivez pourquoi"):
        loop.promote(engine, settings, id, person, "  bref  ")
    with pytest.raises(loop.LoopError, match="administration"):
        loop.promote(engine, settings, id, people["reviewer"], "une raison assez longue")
    with pytest.raises(loop.LoopError, match="administration"):
        loop.roll_back(engine, settings, people["reviewer"], "")
    assert current_name(root) == first
    made = loop.promote(engine, settings, id, person, "Le corpus d'épreuve est trop vieux.")
    assert (made.kind, made.artefact, made.previous, made.by) == ("override", second, first, "Administrator")
    assert current_name(root) == second
    with pytest.raises(loop.LoopError, match="sert déjà"):
        loop.promote(engine, settings, id, person, "une raison assez longue")
    back = loop.roll_back(engine, settings, person, "")
    assert (back.kind, back.artefact, back.previous, back.reason) == ("rollback", first, second, None)
    assert current_name(root) == first
    good = done(engine, first, second, passes=True)
    assert loop.promote(engine, settings, good, person, "").kind == "promotion"
    # Compared with what does not serve any more: it has to be compared again.
    renamed(root / first, root, "trois", shared=True)
    stale = done(engine, first, "trois", passes=True)
    with pytest.raises(loop.LoopError, match="comparez de nouveau"):
        loop.promote(engine, settings, stale, person, "")
    assert [one.kind for one in loop.list_promotions(engine)] == ["promotion", "rollback", "override"]
    assert [one.reason for one in loop.list_promotions(engine)][2] == "Le corpus d'épreuve est trop vieux."


def test_a_model_that_cannot_be_trusted_changes_nothing(engine: Engine, people: dict[Role, Person], root: Path) -> None:
    settings, first = settings_of(engine, root), current_name(root)
    (root / "faux").mkdir()
    id = done(engine, first, "faux", passes=True)
    with pytest.raises(Exception, match="faux"):
        loop.promote(engine, settings, id, people["administrator"], "")
    assert current_name(root) == first
    with engine.connect() as connection:
        assert connection.execute(select(PROMOTIONS.c.number)).first() is None


def test_what_trained_what_is_asked_both_ways(engine: Engine, people: dict[Role, Person], root: Path) -> None:
    ids = []
    for number in range(60):
        with engine.begin() as connection:
            item = add_item(connection, Received(f"Je cultive des tomates numéro {number}.")).id
        ids.append((item, decide(engine, item, people["analyst"], Verdict(stance="neutral", level=0), None)))
    one = done(engine, "a", "modele-un", passes=True)
    two = done(engine, "a", "modele-deux", passes=True)
    loop.keep_learned(engine, one, [decision for _, decision in ids])
    loop.keep_learned(engine, one, [decision for _, decision in ids])  # again: nothing more
    loop.keep_learned(engine, two, [ids[0][1]])
    withdraw(engine, ids[59][1], people["analyst"])
    with engine.connect() as connection:
        assert lineage.count_learned(connection, "modele-un") == 60
        page = lineage.decisions_of_model(connection, "modele-un")
        rest = lineage.decisions_of_model(connection, "modele-un", page[-1].number)
        assert [one.id for one in (*page, *rest)] == [decision for _, decision in reversed(ids)]
        assert [one.holds for one in page[:2]] == [False, True]
        assert {one.artefact for one in lineage.models_of_decision(connection, ids[0][1])} == {"modele-un", "modele-deux"}
        assert [one.artefact for one in lineage.models_of_decision(connection, ids[1][1])] == ["modele-un"]
        assert lineage.learned_items(connection, "modele-deux") == {ids[0][0]}
        assert not lineage.learned_items(connection, "inconnu")


@pytest.fixture
def small(root: Path, tmp_path: Path, corpus: list[AnnotatedText]) -> Settings:
    """A server's settings with a small corpus and a few cases of DériveCheck."""
    folder, suites = tmp_path / "corpus", tmp_path / "suites"
    folder.mkdir()
    suites.mkdir()
    texts = [*of_split(corpus, "train")[::60], *of_split(corpus, "dev")[::20], *of_split(corpus, "test")[::8]]
    write_lines(texts, folder / "petit.jsonl")
    cases = (ROOT / "tests" / "suites" / "derivecheck.jsonl").read_text(encoding="utf-8").splitlines()[:60]
    (suites / "derivecheck.jsonl").write_text("\n".join(cases) + "\n", encoding="utf-8")
    return Settings(
        model_dir=root,
        database_url=f"sqlite:///{tmp_path / 'vigie.db'}",
        port=free_port(),
        scoring=False,
        model_poll=0.2,
        corpus_dir=folder,
        suites_dir=suites,
    )


@pytest.fixture
def workplace(small: Settings, browser: Browser) -> Iterator[Place]:
    """A running workplace on them, with a browser."""
    server, thread = start(small)
    for place in _place(small):
        place.browser = browser
        yield place
    server.should_exit = True
    thread.join(timeout=15)


def review(place: Place) -> tuple[list[str], list[str]]:
    """Decide forty texts, none to be read again; gives the decisions to learn from, and the texts that are kept apart."""
    choose(place.engine, "second_share", 0, place.people["administrator"])
    learned, held = [], []
    for number in range(40):
        text = f"Stage {number} : la fréquence {number * 7} hertz répare vos cellules, {number * 13 + 20} euros par personne."
        with place.engine.begin() as connection:
            item = add_item(connection, Received(text, author=f"auteur-{number % 7}", source="forum")).id
        start = text.index("fréquence")
        mark = Mark(start, start + 9, "pseudo_science")
        verdict = Verdict(stance="promotes", level=1, indicators=(mark,))
        decision = decide(place.engine, item, place.people["analyst"], verdict, None)
        if is_held_out(item):
            held.append(item)
        else:
            learned.append(decision)
    return learned, held


def served(visitor: Visitor, name: str) -> None:
    """Wait until the server answers with a model."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if visitor.get("/v1/model").json()["version"] == name:
            return
        time.sleep(0.2)
    raise AssertionError(f"{name} ne sert pas.")


def looked_at(place: Place, *addresses: str) -> None:
    for width, dark in ((1280, False), (390, True)):
        page = place.page("administrator", width=width, dark=dark)
        for address in addresses:
            page.goto(address)
            assert_accessible(page)
        page.close()


def run(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    told = {
        "VIGIE_MODEL_DIR": settings.model_dir,
        "VIGIE_DATABASE_URL": settings.database_url,
        "VIGIE_CORPUS_DIR": settings.corpus_dir,
        "VIGIE_SUITES_DIR": settings.suites_dir,
    }
    environment = os.environ | {name: str(value) for name, value in told.items()}
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_from_decisions_to_a_model_that_serves_and_back(workplace: Place) -> None:
    settings, root = workplace.settings, workplace.settings.model_dir
    champion = current_name(root)
    learned, held = review(workplace)
    administrator, reviewer = workplace.visitor("administrator"), workplace.visitor("reviewer")
    assert workplace.visitor("analyst").get("/modeles").status_code == 403
    assert reviewer.post("/modeles/essais").status_code == 403

    # The button, in a browser that follows the training.
    page = workplace.page("administrator")
    page.goto("/modeles")
    page.get_by_role("button", name="Entraîner un challenger").click()
    page.wait_for_url("**/modeles/essais/*")
    id = page.url.rsplit("/", 1)[1]
    assert_accessible(page)
    assert administrator.post("/modeles/essais").status_code == 409
    assert "demandé le" in administrator.get("/modeles").text
    page.get_by_role("heading", name="Barrière").wait_for(timeout=LIMIT * 1000)
    assert_accessible(page)

    training = ended(workplace.engine, settings, id)
    assert (training.state, training.champion, training.message) == ("done", champion, None)
    comparison, challenger = training.comparison, training.challenger
    assert comparison
    assert challenger
    assert current_name(root) == champion  # nothing was put into service
    parts = {part["id"]: part["texts"] for part in comparison["parts"]}
    assert parts["derivecheck"] == 60
    assert parts["fresh"] + comparison["learned"]["left"].get("near_held_out", 0) >= len(held) > 0
    assert comparison["learned"]["reviewed"] > 0
    with workplace.engine.connect() as connection:
        taught = {one.id for one in lineage.decisions_of_model(connection, challenger)}
    assert taught <= set(learned)
    assert len(taught) == comparison["learned"]["reviewed"]
    # A model of a hundred texts is worse than one of eight thousand: the gate is shut, and says so rule by rule.
    assert not comparison["passes"]
    assert any(rule["verdict"] == "failed" and rule["part"] == "test" for rule in comparison["rules"])
    assert comparison["flips"]

    shown = administrator.get(f"/modeles/essais/{id}").text
    assert "Barrière : fermée" in shown
    table = administrator.get(f"/modeles/essais/{id}/bascules.csv").text
    assert table.count("\n") == len(comparison["flips"]) + 1
    fresh = next((n for n, flip in enumerate(comparison["flips"], start=1) if flip["part"] == "fresh"), None)
    if fresh:
        assert (
            f"/textes/{comparison['flips'][fresh - 1]['id']}" in administrator.get(f"/modeles/essais/{id}/bascules/{fresh}").text
        )
    assert administrator.get(f"/modeles/essais/{id}/bascules/{len(comparison['flips']) + 1}").status_code == 404

    # Against the gate: only with a reason, and a name.
    refused = administrator.post(f"/modeles/essais/{id}/promotion", data={"reason": ""})
    assert refused.status_code == 409
    assert "écrivez pourquoi" in refused.text
    assert administrator.post(f"/modeles/essais/{id}/promotion", data={"reason": "Essai de bout en bout."}).status_code == 303
    served(administrator, challenger)
    assert "Essai de bout en bout." in administrator.get("/modeles").text
    version = f"/modeles/version/{challenger.replace('+', '%2B')}"
    decision = next(iter(taught))
    assert f"/modeles/decision/{decision}" in administrator.get(version).text
    assert challenger in administrator.get(f"/modeles/decision/{decision}").text
    looked_at(workplace, "/modeles", f"/modeles/essais/{id}", f"/modeles/essais/{id}/bascules/1", version)

    # The other way round, from the command line: the old model is better, the gate opens, no reason is asked for.
    compared = run(settings, "review", "challenge", "--compare", champion)
    assert compared.returncode == 0, compared.stderr
    assert "Barrière ouverte" in compared.stderr
    newest = loop.list_trainings(workplace.engine)[0]
    assert (newest.challenger, newest.champion, newest.by, newest.passes) == (champion, challenger, None, True)
    assert administrator.post(f"/modeles/essais/{newest.id}/promotion").status_code == 303
    served(administrator, champion)

    # Back in one step; decisions stay what they were.
    assert reviewer.post("/modeles/retour").status_code == 403
    assert administrator.post("/modeles/retour", data={"reason": "Pour voir."}).status_code == 303
    served(administrator, challenger)
    assert [change.verb for change in history(root)][-1] == "rollback"
    kinds = [one.kind for one in loop.list_promotions(workplace.engine)]
    assert kinds == ["rollback", "promotion", "override"]
    with workplace.engine.connect() as connection:
        assert len(connection.execute(select(DECISIONS.c.id)).all()) == 40


def test_pages_of_what_is_not_there(place: Place) -> None:
    administrator = place.visitor("administrator")
    for path in ("/modeles/essais/x", "/modeles/version/x", "/modeles/version/%2E%2E", "/modeles/essais/x/bascules/1"):
        assert administrator.get(path, headers={"Accept": "text/html"}).status_code == 404, path
    assert "Aucun modèle n'a appris" in administrator.get("/modeles/decision/x").text
    assert administrator.get("/modeles/etat?essai=x").status_code == 404


def test_train_reviewed_reads_a_file_or_a_database(
    base: Engine, tmp_path: Path, corpus: list[AnnotatedText], capsys: pytest.CaptureFixture[str]
) -> None:
    from model.errors import VigieError
    from service.loop_commands import join_reviewed
    from tests.service.workplace.conftest import add_person
    from training.joining import read_reviewed

    with base.begin() as connection:
        person = add_person(connection, "sacha", "analyst")
        item = add_item(connection, Received("Atelier de tricot et de couture, entrée libre.")).id
    decide(base, item, person, Verdict(stance="neutral", level=0), None)
    few = corpus[:5]
    joined = join_reviewed(f"sqlite:///{base.url.database}", few)
    assert len(joined) == (5 if is_held_out(item) else 6)
    lines = [text.model_dump(mode="json", by_alias=True) for text in corpus[5:8]]
    write_lines(
        read_reviewed([line | {"id": f"r{n}", "group": "", "split": ""} for n, line in enumerate(lines)]), tmp_path / "r.jsonl"
    )
    count = sum(not is_held_out(f"r{n}") for n in range(3))
    assert len(join_reviewed(str(tmp_path / "r.jsonl"), few)) == 5 + count
    assert "texte(s) relu(s) à apprendre" in capsys.readouterr().err
    with pytest.raises(VigieError, match="un fichier JSONL"):
        join_reviewed(str(tmp_path / "absent"), few)


def test_a_state_written_after_the_end_changes_nothing(engine: Engine, people: dict[Role, Person], root: Path) -> None:
    id = done(engine, "a", "b", passes=True)
    loop.keep_step(engine, id, "plus tard")
    assert not loop.finish(engine, id, "failed", message="trop tard")
    with engine.begin() as connection:
        connection.execute(update(TRAININGS).where(TRAININGS.c.id == id).values(state="running"))
    assert loop.finish(engine, id, "stopped")
    training = loop.find_training(engine, id)
    assert training
    assert training.state == "stopped"


def test_no_model_serves_without_a_name_and_no_name_without_a_switch(
    engine: Engine, people: dict[Role, Person], tmp_path: Path
) -> None:
    (tmp_path / "current").write_text("ancien\n", encoding="utf-8")
    spool = Settings(model_dir=tmp_path)
    done = {"id": "t", "state": "done", "challenger": "nouveau", "comparison": {"passes": True, "champion": "ancien"}}
    with engine.begin() as connection:
        connection.execute(TRAININGS.insert().values(**done, asked_at=now()))
    with pytest.raises(ArtefactError):
        loop.promote(engine, spool, "t", people["administrator"], "")
    assert loop.list_promotions(engine) == [], "un modèle qui ne se laisse pas charger ne laisse pas de nom"
    # The process died between the record and the switch.
    left = {"artefact": "nouveau", "previous": "ancien", "kind": "promotion", "user_id": people["administrator"].id}
    with engine.begin() as connection:
        connection.execute(PROMOTIONS.insert().values(**left, made_at=now()))
    loop.refresh(engine, spool)
    assert len(loop.list_promotions(engine)) == 1, "elle est peut-être en train de se faire"
    with engine.begin() as connection:
        connection.execute(PROMOTIONS.update().values(made_at=now() - timedelta(hours=1)))
    loop.refresh(engine, spool)
    assert loop.list_promotions(engine) == []
    # One that was made stays, whatever served since.
    with engine.begin() as connection:
        connection.execute(PROMOTIONS.insert().values(**left, made_at=now() - timedelta(hours=1)))
    change = {"at": (now() - timedelta(hours=1)).isoformat(), "verb": "promote", "name": "nouveau"}
    (tmp_path / "history.jsonl").write_text(json.dumps(change) + "\n", encoding="utf-8")
    loop.refresh(engine, spool)
    assert len(loop.list_promotions(engine)) == 1
