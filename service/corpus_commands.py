"""The verbs of `vigie corpus`: check, count, exchange and question the annotated corpus."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import FAILED, JsonOption, print_json, say

corpus_app = typer.Typer(help="Le corpus annoté : vérifier, compter, échanger.", no_args_is_help=True)

CorpusArgument = Annotated[Path, typer.Argument(help="Dossier ou fichier du corpus.")]
CorpusOption = Annotated[Path, typer.Option("--data", help="Dossier ou fichier du corpus.")]
FormatOption = Annotated[
    str, typer.Option("--format", "-f", help="doccano, label-studio, prodigy, docbin, argilla ou csv.", show_default=False)
]


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
    from training.data_card import STATS_MARKS, update_card
    from training.stats import READINGS, REVIEWS, count_corpus, count_readings, count_reviews, write_plots

    counts = count_corpus(load_corpus(corpus))
    for name, count in ((REVIEWS, count_reviews), (READINGS, count_readings)):
        if (corpus / name).exists():
            counts.append(count(corpus / name))
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
        update_card(card, counts, STATS_MARKS)
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

    if config is not None and (format != "label-studio" or config.resolve() == output.resolve()):
        raise typer.BadParameter("pour label-studio seulement, et sous un autre nom que l'export", param_hint="--config")
    for path in (output, config):
        if path is not None:
            _refuse_existing(path, overwrite)
    texts = load_corpus(corpus)
    if config is not None:
        try:
            config.write_text(labelling_config(), encoding="utf-8")
        except OSError as error:
            raise VigieError(f"{config} : impossible d'écrire ({error.strerror or error}).") from error
    export_corpus(texts, output, format)
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
    if read.faults and output.exists():
        raise VigieError(f"{len(read.faults)} faute(s) : {output} n'est pas remplacé ; écrivez sous un autre nom.")
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


@corpus_app.command("agreement")
def corpus_agreement(
    corpus: CorpusArgument = Path("data/annotated"),
    listed: Annotated[bool, typer.Option("--list", help="Lister aussi les textes en désaccord.")] = False,
    card: Annotated[Path | None, typer.Option("--card", help="Carte des données dont récrire les tableaux d'accord.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Mesure l'accord de deux annotateurs sur les textes annotés deux fois."""
    from training.agreement import agreement_tables, disagreements, measure_agreement
    from training.corpus import load_corpus
    from training.data_card import AGREEMENT_MARKS, update_card

    texts = load_corpus(corpus)
    counts = agreement_tables(measure_agreement(texts))
    differing = disagreements(texts) if listed else []
    if as_json:
        shown = {found.title: [list(found.header), *found.rows] for found in counts}
        print_json(shown | {"disagreements": [[d.text.id, d.first_only, d.second_only] for d in differing]})
    else:
        console = terminal.console()
        for found in counts:
            console.print(terminal.table(found.title, found.header, found.rows))
            console.print()
        if listed:
            rows = [(d.text.id, ", ".join(d.first_only), ", ".join(d.second_only), d.text.text[:60]) for d in differing]
            console.print(terminal.table("Désaccords", ("texte", "premier seul", "second seul", "début"), rows))
    if card is not None:
        update_card(card, counts, AGREEMENT_MARKS)
        say(f"Tableaux récrits : {card}")


@corpus_app.command("suspects")
def corpus_suspects(
    corpus: CorpusArgument = Path("data/annotated"),
    top: Annotated[int, typer.Option(min=1, help="Combien en montrer.")] = 300,
    as_json: JsonOption = False,
) -> None:
    """Classe les étiquettes que contredisent des modèles qui n'ont pas appris le texte."""
    from training.corpus import load_corpus
    from training.fit import unseen_probabilities
    from training.suspects import rank_suspects

    texts = load_corpus(corpus)
    with terminal.progress_bar() as bar:
        scores = unseen_probabilities(texts, progress=bar)
    labels = {label: values for label, values in scores.items() if label != "flag"}
    found = rank_suspects(texts, labels)[:top]
    rows = [(s.text.id, s.label, "oui" if s.given else "non", f"{s.score:.3f}", "oui" if s.issue else "non") for s in found]
    if as_json:
        print_json([{"id": s.text.id, "label": s.label, "given": s.given, "score": s.score, "issue": s.issue} for s in found])
    else:
        header = ("texte", "étiquette", "donnée", "probabilité hors apprentissage", "erreur probable")
        terminal.console().print(terminal.table("Étiquettes à revoir", header, rows))
