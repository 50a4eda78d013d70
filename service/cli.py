"""The `vigie` command: the verbs of `service.commands`, and those that learn, measure and count, which need `training`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import VigieError
from service import (
    access_commands,  # noqa: F401 - adds its verbs to `app`
    doctor_commands,  # noqa: F401 - adds its verb to `app`
    items_commands,  # noqa: F401 - adds its verbs to `review_app`
    terminal,
)
from service.audit_commands import audit_app
from service.backup_commands import backup_app
from service.case_commands import case_app
from service.commands import FAILED, JsonOption, PointOption, app, options, print_json, say
from service.compare_command import compare
from service.corpus_commands import corpus_app
from service.database_commands import database_app
from service.demo_commands import demo_app
from service.drift_commands import drift_app
from service.key_commands import keys_app
from service.loop_commands import join_reviewed, review_app
from service.model_commands import model_app
from service.people_commands import people_app
from service.privacy_commands import privacy_app, retention_app
from service.settings import load_settings

app.add_typer(audit_app, name="audit")
app.add_typer(backup_app, name="backup")
app.add_typer(case_app, name="case")
app.add_typer(corpus_app, name="corpus")
app.add_typer(database_app, name="database")
app.add_typer(demo_app, name="demo")
app.add_typer(drift_app, name="drift")
app.add_typer(keys_app, name="keys")
app.add_typer(model_app, name="model")
app.add_typer(people_app, name="people")
app.add_typer(privacy_app, name="privacy")
app.add_typer(retention_app, name="retention")
app.add_typer(review_app, name="review")
app.command()(compare)

if TYPE_CHECKING:
    from model.analyser import Options
    from training.suite import Line as SuiteLine


@app.command()
def train(
    corpus: Annotated[Path, typer.Option("--data", help="Dossier du corpus.")] = Path("data/annotated"),
    seed: Annotated[int, typer.Option(min=0, help="Graine.")] = 0,
    activate: Annotated[bool, typer.Option(help="En faire le modèle qui sert.")] = True,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Ne rien faire si un modèle sert déjà.")] = False,
    reviewed: Annotated[
        str | None, typer.Option("--reviewed", help="Textes relus à apprendre aussi : fichier JSONL, ou adresse d'une base.")
    ] = None,
) -> None:
    """Entraîne un modèle sur le corpus, le mesure et écrit l'artefact, ses mesures et sa carte."""
    from model.store import current_name
    from training.corpus import load_corpus
    from training.fit import train as fit

    root = load_settings().model_dir
    if if_needed and _usable(root):
        say(f"Le modèle {current_name(root)} est prêt.")
        return
    keys = load_settings().keys
    say(f"Clé qui signe : {keys.signer().public.id} ({keys.private})")
    texts = load_corpus(corpus)
    if reviewed is not None:
        texts = list(join_reviewed(reviewed, texts))
    with terminal.progress_bar() as bar:
        done = fit(texts, root, seed=seed, activate=activate, progress=bar, keys=keys)
    shown = terminal.console()
    for name in ("dev", "test", "test_unseen_writers"):
        if name in done.metrics:
            shown.print(terminal.figures(name, done.metrics[name])[0])
    say(f"Modèle {done.name} en {done.seconds:.0f} s → {done.folder} (carte : card.md)")


def _usable(root: Path) -> bool:
    from model.store import load_artefact

    try:
        load_artefact(root, trust=load_settings().trust())
    except VigieError as error:
        say(str(error))
        return False
    return True


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Fichier ou dossier annoté.")] = Path("data/annotated"),
    split: Annotated[str, typer.Option(help="Partie à mesurer : train, dev, test ou all.")] = "test",
    suite: Annotated[str | None, typer.Option(help="Suite de cas à passer à la place : derivecheck, regressions…")] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Récrire les cas de la suite (derivecheck sinon) et compter ceux qui se gâtent.")
    ] = False,
    context: Annotated[
        bool, typer.Option("--context", help="Mesurer plutôt les indices de contexte : négation, citation, mise en garde…")
    ] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="Avec --robustness : combien de cas tirer (tous sinon).")] = None,
    operating_point: PointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mesure le modèle qui sert sur des textes annotés, ou sur une suite de cas."""
    if robustness:
        _disguise_suite(suite or "derivecheck", data, sample, options(operating_point, None), as_json)
        return
    if context:
        _measure_context(as_json)
        return
    if suite is not None:
        _pass_suite(suite, options(operating_point, None), as_json)
        return
    from model.analyser import Analyser
    from training.corpus import SPLITS, load_corpus, of_split
    from training.evaluate import evaluate as measure
    from training.evaluate import predict_all

    if split not in (*SPLITS, "all"):
        raise typer.BadParameter(f"« {split} » : {', '.join(SPLITS)} ou all attendu", param_hint="--split")
    texts = load_corpus(data)
    chosen = texts if split == "all" else of_split(texts, split)
    if not chosen:
        raise VigieError(f"{data} : aucun texte de la partie « {split} ».")
    # Calibration is measured at the base rate that the scores assume, whatever the setting.
    chosen_options = replace(options(operating_point, None), prior=None)
    analyser = Analyser.load(load_settings().model_dir, trust=load_settings().trust())
    with terminal.progress_bar() as bar:
        predictions = predict_all(analyser, chosen, lambda done, total: bar("Mesure", done, total), chosen_options)
    measured = measure(chosen, predictions)
    if as_json:
        print_json(measured | {"model_version": analyser.artefact.version, "operating_point": chosen_options.operating_point})
        return
    shown = terminal.console()
    for part in terminal.figures(f"{data} ({split}), modèle {analyser.artefact.version}", measured):
        shown.print(part)


def _pass_suite(name: str, chosen: "Options", as_json: bool) -> None:
    from model.analyser import Analyser
    from training.suite import check_frozen, load_suite, report, suite_path

    check_frozen(suite_path(name))
    cases = load_suite(suite_path(name))
    analyser = Analyser.load(load_settings().model_dir, trust=load_settings().trust())
    found = report(cases, [analyser.predict(case.text, id=case.id, options=chosen) for case in cases])
    if as_json:
        print_json(
            {
                "suite": name,
                "model_version": analyser.artefact.version,
                "operating_point": chosen.operating_point,
                "everything": _passed(found.everything),
                "functionalities": {line.name: _passed(line) for line in found.functionalities},
                "identities": {line.name: _passed(line) for line in found.identities},
                "failures": [{"id": failed.case.id, "faults": failed.faults} for failed in found.failures],
            }
        )
        return
    shown = terminal.console()
    for part in terminal.suite(f"{name}, modèle {analyser.artefact.version}, point {chosen.operating_point}", found):
        shown.print(part)
        shown.print()


def _measure_context(as_json: bool) -> None:
    from training.context_suite import load_context_cases, measure_context

    lines = measure_context(load_context_cases())
    if as_json:
        print_json(
            {line.kind: {part: getattr(line, part).to_json() for part in ("recall", "precision", "alarms")} for line in lines}
        )
        return
    terminal.console().print(terminal.context(lines))


def _disguise_suite(name: str, data: Path, count: int | None, chosen: "Options", as_json: bool) -> None:
    from dataclasses import asdict

    from model.analyser import Analyser
    from training import robustness
    from training.corpus import load_corpus
    from training.suite import check_frozen, load_suite, suite_path

    check_frozen(suite_path(name))
    cases = load_suite(suite_path(name))
    if count is not None:
        cases = robustness.sample(cases, count)
    analyser = Analyser.load(load_settings().model_dir, trust=load_settings().trust())
    with terminal.progress_bar() as bar:
        found = robustness.measure(analyser, cases, robustness.changes(load_corpus(data)), chosen, progress=bar)
    version, point = analyser.artefact.version, chosen.operating_point
    if as_json:
        outcomes = [asdict(outcome) | {"turned": outcome.turned.to_json()} for outcome in found]
        print_json({"suite": name, "model_version": version, "operating_point": point, "robustness": outcomes})
        return
    title = f"{name}, modèle {version}, point {point} : cas justes qui se gâtent"
    header = ("récriture", "cas", "part [IC 95 %]")
    terminal.console().print(terminal.table(title, header, [outcome.row() for outcome in found]))


def _passed(line: "SuiteLine") -> dict[str, object]:
    return {"cases": line.cases.to_json(), "pairs": line.pairs.to_json() if line.pairs.total else None}


def main() -> None:
    """Run the command; errors that Vigie raises on purpose, and outages of disk or database, become one line and exit code 1."""
    try:
        app(standalone_mode=True)
    except VigieError as error:
        say(f"vigie : {error}")
        raise SystemExit(FAILED) from None
    except Exception as error:
        from service.outages import outage_of

        outage = outage_of(error)
        if outage is None:
            raise
        say(f"vigie : {outage.title}. {outage.remedy}")
        raise SystemExit(FAILED) from None


__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
