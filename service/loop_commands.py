"""The verbs `review corpus` and `review challenge`, and what `train --reviewed` reads: from decisions to a challenger."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from model.errors import VigieError
from service import terminal
from service.commands import FAILED, JsonOption, print_json, say
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from training.corpus import AnnotatedText
    from training.joining import Joined

review_app = typer.Typer(help="La relecture : corpus relu, challenger du modèle qui sert.", no_args_is_help=True)

#: Niceness of a training: whatever else wants the machine goes first.
_NICE: Final = 15
_TOLD_EVERY: Final = 1.0


@review_app.command("corpus")
def review_corpus(
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier JSONL à écrire.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
) -> None:
    """Écrit les textes relus au format du corpus ; personnes et auteurs y sont des codes."""
    from service.database import open_checked
    from service.workplace.audit import record_alone
    from service.workplace.reviewed import LEFT, reviewed_texts
    from training.corpus import write_lines
    from training.joining import read_reviewed

    if output.exists() and not overwrite:
        raise VigieError(f"{output} existe ; --overwrite pour le remplacer.")
    engine = open_checked(load_settings().database_url)
    try:
        found = reviewed_texts(engine)
        record_alone(engine, None, "corpus.export", "corpus:reviewed", {"texts": len(found.texts)})
    finally:
        engine.dispose()
    write_lines(read_reviewed(found.lines), output)
    say(f"{len(found.texts)} textes relus → {output}")
    for reason, count in found.left.items():
        say(f"  {LEFT[reason]} : {count}")


@review_app.command("challenge")
def review_challenge(
    training: Annotated[str | None, typer.Option("--training", hidden=True)] = None,
    settings_from_input: Annotated[bool, typer.Option("--settings-from-input", hidden=True)] = False,
    compare_only: Annotated[
        str | None, typer.Option("--compare", help="Ne rien entraîner : comparer ce modèle à celui qui sert.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Entraîne un challenger sur le corpus et les textes relus, et le compare au modèle qui sert, sans le mettre en service."""
    settings = Settings.model_validate_json(sys.stdin.buffer.read()) if settings_from_input else load_settings()
    os.nice(_NICE)
    from service.database import open_checked
    from service.workplace import loop

    engine = open_checked(settings.database_url)
    try:
        id = training or _open(engine, settings, compare_only)
        # Told to stop by a signal, it says so before it goes.
        signal.signal(signal.SIGTERM, _leave)
        try:
            with terminal.progress_bar() as bar:
                comparison = _challenge(engine, settings, id, bar)
        except VigieError as error:
            loop.finish(engine, id, "failed", message=str(error))
            raise
        except KeyboardInterrupt:
            loop.finish(engine, id, "stopped", message="Interrompu.")
            raise
        except Exception as error:
            loop.finish(engine, id, "failed", message=f"Erreur inattendue ({type(error).__name__}) ; le journal dit où.")
            raise
    finally:
        engine.dispose()
    if as_json:
        print_json(comparison)
    else:
        _say_comparison(comparison)
    if training is None and not comparison["passes"]:
        raise typer.Exit(FAILED)


def _leave(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _open(engine: "Engine", settings: Settings, challenger: str | None) -> str:
    """A training asked for on the command line: it holds the lock that tells the pages that it lives."""
    import uuid

    from model.store import current_name
    from service.workplace import loop, runs
    from service.workplace.times import now

    id = str(uuid.uuid4())
    champion = current_name(settings.model_dir)
    loop.refresh(engine, settings)
    lock = runs.hold(settings.model_dir, id)
    values = {"id": id, "champion": champion, "challenger": challenger, "asked_at": now()}
    try:
        loop.open_training(engine, values | {"state": "waiting", "step": "Démarrage"})
    except BaseException:
        runs.give_up(settings.model_dir, id, lock)
        raise
    return id


def _challenge(engine: "Engine", settings: Settings, id: str, bar: Callable[[str, int, int], None]) -> Mapping[str, Any]:
    from model.analyser import Analyser, Options
    from model.store import current_name
    from service.workplace import lineage, loop
    from training.challenge import Read, compare, suite_of
    from training.corpus import load_corpus, of_split
    from training.fit import train

    told = _teller(engine, id, bar)
    root = settings.model_dir
    asked = loop.find_training(engine, id)
    if asked is None:
        raise VigieError(f"Entraînement {id} inconnu de cette base.")
    told("Lecture du corpus et des textes relus", 0, 1)
    champion = current_name(root)
    with engine.connect() as connection:
        known = lineage.learned_items(connection, champion)
        if asked.challenger is not None:
            known |= lineage.learned_items(connection, asked.challenger)
    joined, decisions = read_joined(engine, load_corpus(settings.corpus_dir), known)
    challenger = asked.challenger
    if challenger is None:
        loop.keep_learned(engine, id, [decisions[item] for item in joined.learned])
        challenger = train(joined.texts, root, activate=False, progress=told, keys=settings.keys).name
        loop.keep_challenger(engine, id, challenger)
    # Nothing of the corpus is learned from but `train`: its test is the same for both models.
    read = Read(of_split(joined.texts, "test"), suite_of(settings.suites_dir), joined.fresh)
    options = Options(settings.operating_point, max_characters=settings.max_characters)
    trust = settings.trust()
    both = (Analyser.load(root, champion, trust), Analyser.load(root, challenger, trust))
    found = compare(*both, read, options, told)
    counts = {"corpus": len(joined.texts) - len(joined.learned), "reviewed": len(joined.learned), "left": dict(joined.left)}
    comparison = found.to_json() | {"learned": counts}
    same = "Le modèle obtenu est celui qui sert déjà : rien n'a changé dans ce qu'il apprend." if champion == challenger else None
    loop.finish(engine, id, "done", comparison=comparison, message=same)
    return comparison


def _teller(engine: "Engine", id: str, bar: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    """Shows steps on the terminal and, at most once a second, in the database."""
    from service.workplace import loop

    last: tuple[float, str] = (0.0, "")

    def tell(step: str, done: int, total: int) -> None:
        nonlocal last
        bar(step, done, total)
        moment = time.monotonic()
        if step != last[1] or moment - last[0] >= _TOLD_EVERY:
            last = (moment, step)
            loop.keep_step(engine, id, f"{step} ({100 * done // max(1, total)} %)")

    return tell


def read_joined(
    engine: "Engine", corpus: "Sequence[AnnotatedText]", known: frozenset[str] = frozenset()
) -> "tuple[Joined, dict[str, str]]":
    """The corpus with the reviewed texts of a database, and the decision that labels each reviewed text, by its identifier."""
    from service.workplace.reviewed import reviewed_texts
    from training.joining import join, read_reviewed

    found = reviewed_texts(engine)
    joined = join(corpus, read_reviewed(found.lines), known)
    left = {reason: count for reason, count in (*found.left.items(), *joined.left.items()) if count}
    whole = type(joined)(joined.texts, joined.learned, joined.fresh, left)
    return whole, {text.item_id: text.decision_id for text in found.texts}


def join_reviewed(source: str, corpus: "Sequence[AnnotatedText]") -> "Sequence[AnnotatedText]":
    """The corpus with reviewed texts, for `train --reviewed`: of a JSONL file, or of a database by its address.

    Raises:
        VigieError: neither a file nor an address, or it cannot be read.
    """
    from training.corpus import load_corpus, to_dict
    from training.joining import join, read_reviewed

    if Path(source).is_file():
        joined = join(corpus, read_reviewed([to_dict(text) for text in load_corpus(Path(source))]))
    elif "://" in source:
        from service.database import open_checked

        engine = open_checked(source)
        try:
            joined, _ = read_joined(engine, corpus)
        finally:
            engine.dispose()
    else:
        raise VigieError(f"{source} : un fichier JSONL de textes relus, ou l'adresse d'une base, est attendu.")
    say(f"{len(joined.learned)} texte(s) relu(s) à apprendre, {len(joined.fresh)} gardé(s) à part.")
    for reason, count in joined.left.items():
        say(f"  {_left_names().get(reason, reason)} : {count}")
    return joined.texts


def _left_names() -> Mapping[str, str]:
    from service.workplace.reviewed import LEFT as UNDECIDED
    from training.joining import LEFT

    return {**LEFT, **UNDECIDED}


def _say_comparison(comparison: Mapping[str, Any]) -> None:
    say(f"Challenger {comparison['challenger']} face à {comparison['champion']} (point {comparison['operating_point']})")
    signs = {"held": "tenu", "failed": "ÉCHEC", "not_measured": "non mesuré"}
    rows = [
        (rule["name"], rule["champion"], rule["challenger"], rule["texts"], f"{signs[rule['verdict']]} : {rule['why']}")
        for rule in comparison["rules"]
    ]
    header = ("règle", "en service", "challenger", "textes", "verdict")
    terminal.console().print(terminal.table("Barrière", header, rows))
    better = sum(flip["nearer"] == "better" for flip in comparison["flips"])
    worse = sum(flip["nearer"] == "worse" for flip in comparison["flips"])
    say(f"{len(comparison['flips'])} texte(s) changent de niveau ({better} en mieux, {worse} en moins bien).")
    opened = "ouverte : « vigie model promote » ou la page Modèles" if comparison["passes"] else "fermée"
    say(f"Barrière {opened}.")


__all__ = ["join_reviewed", "read_joined", "review_app"]
