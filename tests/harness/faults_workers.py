"""kill -9 of analyses of files, of their processes, of trainings, of backups and restores: what was whole stays whole."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path

from sqlalchemy import Engine

from model.promotion import promote
from model.store import CARD, METRICS, current_name, list_artefacts, load_artefact, save_artefact, verify_artefact
from service.batch.pool import Pool, Setup
from service.batch.records import Row, Task
from service.leftovers import half_written, sweep
from service.settings import Settings, load_settings
from service.workplace import loop
from tests.harness.faults_field import Field, Outcome, copy_models, environment, until
from tests.harness.faults_scorer import load
from tests.service.workplace.volume import corpus_texts
from training.corpus import load_corpus, to_line
from training.placing import put_in_place, scratch

_CORPUS = Path(__file__).resolve().parents[2] / "data" / "annotated"


def batch(field: Field) -> Outcome:
    """`vigie score` killed, and taken up with --resume: the output is the one of an analysis that nothing stopped."""
    outcome, folder, chance = Outcome(), field.new_folder("lot"), field.chance()
    texts = corpus_texts(field.some(150, 40))
    source = folder / "textes.jsonl"
    source.write_text("".join(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(texts)), encoding="utf-8")
    verb = ["vigie", "score", str(source), "--workers", "1", "--shard-rows", "5", "--output"]
    given = {"VIGIE_MODEL_DIR": str(field.models)}
    outcome.expect(field.zygote().start([*verb, str(folder / "entier.jsonl")], given).wait() == 0, "l'analyse entière échoue")
    output = folder / "coupé.jsonl"
    parts = output.with_name(f"{output.name}.parts")
    for _ in range(field.some(25, 2)):
        enough = _shards(parts) + chance.choice((0, 1, 1, 2))
        run = field.zygote().start([*verb, str(output), "--resume"], given)
        until(lambda: _shards(parts) >= enough or run.over(), 120)  # noqa: B023
        until(run.over, chance.uniform(0, 0.2))
        outcome.kills += run.code is None
        run.kill()
        if output.exists():
            # It came to its end between two kills: what has its name is whole. Begin again.
            _same(folder / "entier.jsonl", output, outcome)
            output.unlink()
    since = time.monotonic()
    while not output.exists() and field.zygote().start([*verb, str(output), "--resume"], given).wait() == 0:
        pass
    outcome.recovered(since)
    _same(folder / "entier.jsonl", output, outcome)
    left = sorted(path.name for path in folder.iterdir() if "parts" in path.name)
    outcome.expect(not left, f"il reste {left}")
    return outcome


def _shards(parts: Path) -> int:
    """How many parts of an analysis are done."""
    return sum(1 for _ in parts.glob("*.rows"))


def _same(whole: Path, output: Path, outcome: Outcome) -> None:
    expected = whole.read_bytes().splitlines()
    found = output.read_bytes().splitlines() if output.exists() else []
    outcome.acknowledged += len(expected)
    outcome.expect_none_lost(len(set(expected) - set(found)), "des lignes d'une analyse entière manquent à la sortie reprise")
    outcome.expect_none_half(found != expected, "la sortie reprise n'est pas celle d'une analyse entière, octet pour octet")


def pool(field: Field) -> Outcome:
    """The processes of an analysis killed one after the other: every row has its answer, in order."""
    outcome, told = Outcome(), field.new_folder("processus") / "dit.json"
    rows, kills = field.some(6_000, 600), field.some(20, 1)
    # In a process that its own can be made of quickly: each loads again what the first one runs.
    call = ["call", "tests.harness.faults_workers:kill_processes", str(told), rows, kills, field.seed]
    outcome.expect(field.zygote().start(call, {}).wait() == 0, "l'analyse échoue (voir plus haut)")
    said = json.loads(told.read_text(encoding="utf-8"))
    outcome.kills, outcome.acknowledged = said["kills"], rows
    outcome.expect_none_lost(rows - said["answered"], f"{said['answered']} réponses pour {rows} lignes")
    outcome.expect_none_half(said["failed"], f"{said['failed']} lignes en erreur")
    # The last ones may be killed after their last row.
    outcome.expect(said["lost"] >= said["kills"] - 2, f"{said['lost']} processus dits perdus, {said['kills']} tués")
    return outcome


def kill_processes(told: str, rows: int, kills: int, seed: int) -> None:
    """Score rows in two processes, kill those that work so many times at random moments, and write to a file what came of it."""
    chance, killed, over = random.Random(seed), 0, threading.Event()
    tasks = (
        Task([Row(n, str(n), "calme", None, n / rows) for n in range(first, first + 50)], "") for first in range(0, rows, 50)
    )
    running = Pool(Setup(load, Path("out.jsonl"), 30.0, "m", "balanced"), 2)

    def kill() -> None:
        nonlocal killed
        while killed < kills and not over.wait(chance.uniform(0.1, 0.4)):
            alive = [worker.process.pid for worker in running.workers if worker.ready and worker.process.pid]
            if alive:
                os.kill(chance.choice(alive), signal.SIGKILL)
                killed += 1

    killer = threading.Thread(target=kill)
    killer.start()
    answered: dict[int, str] = {}
    try:
        for task in running.run(tasks, lambda _: None):
            answered |= {row.number: scored.status for row, scored in zip(task.rows, task.done, strict=True)}
    finally:
        over.set()
        killer.join()
    failed = sum(status != "ok" for status in answered.values())
    said = {"kills": killed, "answered": len(answered), "failed": failed, "lost": running.lost}
    Path(told).write_text(json.dumps(said), encoding="utf-8")


def _small_corpus(folder: Path, every: int) -> Path:
    folder.mkdir()
    lines = [to_line(text) for text in load_corpus(_CORPUS)[::every]]
    (folder / "petit.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _check_models(root: Path, name: str, outcome: Outcome) -> None:
    """The model that was promoted serves, and no other is half there."""
    trust, since = load_settings().trust(), time.monotonic()
    outcome.acknowledged += 1
    outcome.expect_none_lost(current_name(root) != name, f"{current_name(root)} sert, {name} servait")
    verify_artefact(root / name, trust)
    outcome.recovered(since)
    for manifest in list_artefacts(root, trust):
        folder = root / str(manifest["version"])
        whole = "error" not in manifest and all((folder / part).is_file() for part in (CARD, METRICS))
        outcome.expect_none_half(not whole, f"{folder.name} : à moitié écrit ({manifest.get('error', 'sans carte')})")


def trainer(field: Field) -> Outcome:
    """`vigie train` killed, at any moment and while it writes over the model that serves: what was promoted serves, whole."""
    outcome, folder, chance = Outcome(), field.new_folder("apprentissage"), field.chance()
    root = copy_models(field.models, folder / "modeles")
    verb = ["vigie", "train", "--data", str(_small_corpus(folder / "corpus", 100)), "--seed"]
    given = {"VIGIE_MODEL_DIR": str(root)}
    zygote, name = field.zygote(), current_name(root)
    if not field.small:
        outcome.expect(zygote.start([*verb, "0"], given).wait() == 0, "l'apprentissage entier échoue")
        name = current_name(root)
    with field.database("sqlite") as engine:
        settings = field.settings(engine.url.render_as_string(), model_dir=root)
        for number in range(field.some(32, 2)):
            if number % 2:
                run = zygote.start([*verb, "0"], given)
                until(run.over, chance.uniform(0.1, field.some(12, 2)))
            else:
                run = zygote.start(["call", "tests.harness.faults_workers:write_again", str(root), name], given)
                until(lambda: any(root.glob(".*.tmp-*")) or run.over(), 60)  # noqa: B023
                until(run.over, chance.uniform(0, field.some(4, 1)))
            outcome.expect(run.code in (None, 0), f"l'apprentissage échoue (code {run.code})")
            outcome.kills += run.code is None
            run.kill()
            _check_models(root, name, outcome)
            sweep(engine, settings)
            outcome.expect(not list(half_written(root)), "des restes demeurent au démarrage suivant")
    outcome.counted["modèles entiers"] = len(list_artefacts(root, load_settings().trust()))
    return outcome


def write_again(root: str, name: str) -> None:
    """What a training does at its end, again and again, over the model of this name."""
    keys, where = load_settings().keys, Path(root)
    key, trust = keys.signer(), keys.trust()
    known = load_artefact(where, name, trust)
    while True:
        with scratch(where) as building:
            facts, papers = dict(known.manifest), dict(known.papers)
            built = save_artefact(building, name, known.classifier, known.points, facts, papers, key, known.looks)
            put_in_place(built, where / name)
        promote(where, name, trust)


def challenge(field: Field) -> Outcome:
    """A training asked for in the workplace killed: it is told as failed, the model serves on, another can be asked for."""
    outcome, folder, chance = Outcome(), field.new_folder("challenger"), field.chance()
    root = copy_models(field.models, folder / "modeles")
    name, corpus = current_name(root), _small_corpus(folder / "corpus", 64)
    with field.database("sqlite") as engine:
        settings = field.settings(engine.url.render_as_string(), model_dir=root, corpus_dir=corpus)
        for _ in range(field.some(10, 1)):
            run = field.zygote().start(["vigie", "review", "challenge"], environment(settings))
            outcome.expect(until(lambda: _active(engine) or run.over(), 60), "l'entraînement ne démarre pas")  # noqa: B023
            time.sleep(chance.uniform(0, field.some(6, 1)))
            run.kill()
            outcome.kills += 1
            _told_failed(engine, settings, outcome)
            _check_models(root, name, outcome)
    return outcome


def _active(engine: Engine) -> bool:
    return any(training.active for training in loop.list_trainings(engine))


def _told_failed(engine: Engine, settings: Settings, outcome: Outcome) -> None:
    loop.refresh(engine, settings)
    newest = loop.list_trainings(engine)[0]
    told = newest.state == "failed" and "Le processus s'est arrêté en route" in (newest.message or "")
    outcome.expect_none_half(not (told or newest.state == "done"), f"l'entraînement tué est dit « {newest.state} »")
