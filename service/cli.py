"""The `vigie` command: the verbs of `service.commands`, and those that learn, measure and count, which need `training`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import FAILED, JsonOption, PointOption, app, options, print_json, say
from service.settings import load_settings

corpus_app = typer.Typer(help="Le corpus annoté : vérifier, compter, échanger.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")

CorpusArgument = Annotated[Path, typer.Argument(help="Dossier ou fichier du corpus.")]
CorpusOption = Annotated[Path, typer.Option("--data", help="Dossier ou fichier du corpus.")]
FormatOption = Annotated[
    str, typer.Option("--format", "-f", help="doccano, label-studio, prodigy, docbin, argilla ou csv.", show_default=False)
]


@app.command()
def train(
    corpus: Annotated[Path, typer.Option("--data", help="Dossier du corpus.")] = Path("data/annotated"),
    seed: Annotated[int, typer.Option(min=0, help="Graine.")] = 0,
    activate: Annotated[bool, typer.Option(help="En faire le modèle qui sert.")] = True,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Ne rien faire si un modèle sert déjà.")] = False,
) -> None:
    """Entraîne un modèle sur le corpus, le mesure et écrit l'artefact, ses mesures et sa carte."""
    from model.store import current_name
    from training.corpus import load_corpus
    from training.fit import train as fit

    root = load_settings().model_dir
    if if_needed and _usable(root):
        say(f"Le modèle {current_name(root)} est prêt.")
        return
    with terminal.progress_bar() as bar:
        done = fit(load_corpus(corpus), root, seed=seed, activate=activate, progress=bar)
    shown = terminal.console()
    for name in ("dev", "test", "test_unseen_writers"):
        if name in done.metrics:
            shown.print(terminal.figures(name, done.metrics[name])[0])
    say(f"Modèle {done.name} en {done.seconds:.0f} s → {done.folder} (carte : card.md)")


def _usable(root: Path) -> bool:
    from model.store import load_artefact

    try:
        load_artefact(root)
    except VigieError:
        return False
    return True


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Fichier ou dossier annoté.")] = Path("data/annotated"),
    split: Annotated[str, typer.Option(help="Partie à mesurer : train, dev, test ou all.")] = "test",
    operating_point: PointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mesure le modèle qui sert sur des textes annotés."""
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
    chosen_options = options(operating_point, None)
    analyser = Analyser.load(load_settings().model_dir)
    with terminal.progress_bar() as bar:
        predictions = predict_all(analyser, chosen, lambda done, total: bar("Mesure", done, total), chosen_options)
    measured = measure(chosen, predictions)
    if as_json:
        print_json(measured | {"model_version": analyser.artefact.version, "operating_point": chosen_options.operating_point})
        return
    shown = terminal.console()
    for part in terminal.figures(f"{data} ({split}), modèle {analyser.artefact.version}", measured):
        shown.print(part)


@corpus_app.command("check")
def corpus_check(corpus: CorpusArgument = Path("data/annotated")) -> None:
    """Vérifie le corpus ; nomme le fichier et la ligne de chaque faute."""
    from training.check import check_corpus

    report = check_corpus(corpus)
    for fault in report.faults:
        sys.stdout.write(f"{fault}\n")
    say(f"{report.texts} textes, {len(report.faults)} faute(s).")
    if report.faults:
        raise typer.Exit(FAILED)


@corpus_app.command("stats")
def corpus_stats(
    corpus: CorpusArgument = Path("data/annotated"),
    plots: Annotated[Path | None, typer.Option("--plots", help="Dossier où écrire les graphiques.")] = None,
    card: Annotated[Path | None, typer.Option("--card", help="Carte des données dont récrire les tableaux.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compte le corpus : tableaux, et graphiques si un dossier est donné."""
    from training.corpus import load_corpus
    from training.stats import count_corpus, update_card, write_plots

    counts = count_corpus(load_corpus(corpus))
    if as_json:
        print_json({found.title: [list(found.header), *found.rows] for found in counts})
    else:
        shown = terminal.console()
        for found in counts:
            shown.print(terminal.table(found.title, found.header, found.rows))
            shown.print()
    if plots is not None:
        for path in write_plots(load_corpus(corpus), plots):
            say(f"Graphique : {path}")
    if card is not None:
        update_card(card, counts)
        say(f"Tableaux récrits : {card}")


@corpus_app.command("export")
def corpus_export(
    output: Annotated[Path, typer.Argument(help="Fichier à écrire.")],
    format: FormatOption,
    corpus: CorpusOption = Path("data/annotated"),
    config: Annotated[Path | None, typer.Option("--config", help="Pour Label Studio : où écrire l'interface (XML).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
) -> None:
    """Écrit le corpus au format d'un outil d'annotation."""
    from training.corpus import load_corpus
    from training.exchange.formats import export_corpus
    from training.exchange.label_studio import labelling_config

    _refuse_existing(output, overwrite)
    texts = load_corpus(corpus)
    export_corpus(texts, output, format)
    if config is not None:
        config.write_text(labelling_config(), encoding="utf-8")
    say(f"{len(texts)} textes → {output}")


@corpus_app.command("import")
def corpus_import(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Fichier d'un outil d'annotation.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier JSONL du corpus à écrire.")],
    format: FormatOption,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
) -> None:
    """Lit les textes annotés dans un outil ; une ligne fautive est nommée, les autres continuent."""
    from training.corpus import write_lines
    from training.exchange.formats import import_corpus

    _refuse_existing(output, overwrite)
    read = import_corpus(source, format)
    for fault in read.faults:
        sys.stdout.write(f"{fault}\n")
    if not read.texts:
        raise VigieError(f"{source} : aucun texte lu ; rien n'est écrit.")
    write_lines(read.texts, output)
    say(f"{len(read.texts)} textes → {output} ; {len(read.faults)} ligne(s) laissée(s) de côté.")


def _refuse_existing(output: Path, overwrite: bool) -> None:
    if output.exists() and not overwrite:
        raise VigieError(f"{output} existe ; --overwrite pour le remplacer.")


@corpus_app.command("style")
def corpus_style(
    corpus: CorpusArgument = Path("data/annotated"),
    against: Annotated[Path | None, typer.Option("--against", help="Textes réels à comparer : JSONL avec « text ».")] = None,
    as_json: JsonOption = False,
) -> None:
    """Mesure ce que le style seul trahit : le rédacteur, et le corpus face à d'autres textes de pages."""
    from dataclasses import asdict

    from training.corpus import load_corpus, load_texts
    from training.plan import is_page
    from training.style import tell_collections, tell_writers

    texts = load_corpus(corpus)
    reports = [tell_writers([text.text for text in texts], [text.writer for text in texts])]
    if against is not None:
        reports.append(tell_collections([text.text for text in texts if is_page(text)], load_texts(against)))
    if as_json:
        print_json([asdict(report) for report in reports])
        return
    shown = terminal.console()
    for report in reports:
        shown.print(terminal.table(report.title, ("trait", "poids", *report.sides), report.rows()))
        shown.print()


def main() -> None:
    """Run the command; errors that Vigie raises on purpose become one line and exit code 1."""
    try:
        app(standalone_mode=True)
    except VigieError as error:
        say(f"vigie : {error}")
        raise SystemExit(FAILED) from None


__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
