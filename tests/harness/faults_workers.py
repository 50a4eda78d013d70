"""kill -9 of analyses of files, of their processes, of trainings, of backups and restores: what was whole stays whole."""

import json
import os
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
    started = time.monotonic()
    outcome.expect(field.zygote().start([*verb, str(folder / "entier.jsonl")], given).wait() == 0, "l'analyse entière échoue")
    usual = time.monotonic() - started
    output = folder / "coupé.jsonl"
    for _ in range(field.some(20, 3)):
        run = field.zygote().start([*verb, str(output), "--resume"], given)
        until(run.over, chance.uniform(0.1, max(0.3, usual / 8)))
        outcome.kills += run.code is None
        run.kill()
        if output.exists():
            # It came to its end between two kills: what has its name is whole. Begin again.
            _same(folder / "entier.jsonl", output, outcome)
            output.unlink()
    while not output.exists() and field.zygote().start([*verb, str(output), "--resume"], given).wait() == 0:
        pass
    _same(folder / "entier.jsonl", output, outcome)
    left = sorted(path.name for path in folder.iterdir() if "parts" in path.name)
    outcome.expect(not left, f"il reste {left}")
    outcome.counted["lignes"] = len(texts)
    return outcome


def _same(whole: Path, output: Path, outcome: Outcome) -> None:
    same = output.exists() and output.read_bytes() == whole.read_bytes()
    outcome.expect(same, "la sortie reprise n'est pas celle d'une analyse entière")


def pool(field: Field) -> Outcome:
    """The processes of an analysis killed one after the other: every row has its answer, in order."""
    outcome, chance = Outcome(), field.chance()
    rows = field.some(6_000, 1_500)
    tasks = (
        Task([Row(n, str(n), "calme", None, n / rows) for n in range(first, first + 50)], "") for first in range(0, rows, 50)
    )
    running = Pool(Setup(load, Path("out.jsonl"), 30.0, "m", "balanced"), 2)
    over = threading.Event()

    def kill() -> None:
        while outcome.kills < field.some(20, 3) and not over.wait(chance.uniform(0.2, 0.6)):
            alive = [worker.process.pid for worker in running.workers if worker.ready and worker.process.pid]
            if alive:
                os.kill(chance.choice(alive), signal.SIGKILL)
                outcome.kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    answered: dict[int, str] = {}
    for task in running.run(tasks, lambda _: None):
        answered |= {row.number: scored.status for row, scored in zip(task.rows, task.done, strict=True)}
    over.set()
    killer.join()
    failed = sum(status != "ok" for status in answered.values())
    outcome.expect(len(answered) == rows, f"{len(answered)} réponses pour {rows} lignes")
    outcome.expect(failed == 0, f"{failed} lignes en erreur")
    outcome.expect(running.lost >= outcome.kills - 2, f"{running.lost} processus dits perdus, {outcome.kills} tués")
    outcome.counted["lignes"] = rows
    return outcome


def _small_corpus(folder: Path, every: int) -> Path:
    folder.mkdir()
    lines = [to_line(text) for text in load_corpus(_CORPUS)[::every]]
    (folder / "petit.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _check_models(root: Path, name: str, outcome: Outcome) -> None:
    """The model that was promoted serves, and no other is half there."""
    trust = load_settings().trust()
    outcome.expect(current_name(root) == name, f"{current_name(root)} sert, {name} servait")
    verify_artefact(root / name, trust)
    for manifest in list_artefacts(root, trust):
        folder = root / str(manifest["version"])
        whole = "error" not in manifest and all((folder / part).is_file() for part in (CARD, METRICS))
        outcome.expect(whole, f"{folder.name} : à moitié écrit ({manifest.get('error', 'sans carte')})")


def trainer(field: Field) -> Outcome:
    """`vigie train` killed, at any moment and while it writes over the model that serves: what was promoted serves, whole."""
    outcome, folder, chance = Outcome(), field.new_folder("apprentissage"), field.chance()
    root = copy_models(field.models, folder / "modeles")
    verb = ["vigie", "train", "--data", str(_small_corpus(folder / "corpus", 100)), "--seed"]
    given = {"VIGIE_MODEL_DIR": str(root)}
    zygote, name = field.zygote(training=True), current_name(root)
    if not field.small:
        outcome.expect(zygote.start([*verb, "0"], given).wait() == 0, "l'apprentissage entier échoue")
        name = current_name(root)
    with field.database("sqlite") as engine:
        settings = field.settings(engine.url.render_as_string(), model_dir=root)
        for number in range(field.some(32, 4)):
            if number % 2:
                run = zygote.start([*verb, "0"], given)
                until(run.over, chance.uniform(0.1, field.some(12, 4)))
            else:
                run = zygote.start(["call", "tests.harness.faults_workers:write_again", str(root), name], given)
                until(lambda: any(root.glob(".*.tmp-*")) or run.over(), 60)  # noqa: B023
                until(run.over, chance.uniform(0, field.some(4, 2)))
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
            run = field.zygote(training=True).start(["vigie", "review", "challenge"], environment(settings))
            outcome.expect(until(lambda: _active(engine) or run.over(), 60), "l'entraînement ne démarre pas")  # noqa: B023
            time.sleep(chance.uniform(0, 6))
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
    outcome.expect(told or newest.state == "done", f"l'entraînement tué est dit « {newest.state} »")
