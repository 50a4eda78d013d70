"""How a dossier reads: one page of summary, the answer of the person concerned, then the evidence, text by text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.cases.appendix import advice, directions, history, integrity, practices, vigie
from service.cases.blocks import (
    Block,
    Inline,
    bold,
    bullets,
    code,
    day,
    facts,
    heading,
    line,
    moment,
    para,
    plural,
    quoted,
    table,
)
from service.cases.excerpts import end_of, start_of
from service.pages import percent

WARNING: Final = (
    "Ce dossier présente des indices à vérifier, relevés dans des textes. Il ne dit pas qu'une personne ou un groupe a commis "
    "une faute, ni qu'il s'agit d'une secte : c'est à qui le reçoit d'en juger."
)
_MOST_SUMMARY: Final = 420
_MOST_SIGNS: Final = 8
#: Longest text that is shown whole; of a longer one, the passages and what is around them.
_WHOLE: Final = 4_000
_AROUND: Final = 350


@dataclass(frozen=True, slots=True)
class Export:
    """Who exports a dossier, when (ISO, UTC), with which version of Vigie, and the hash of its manifest."""

    exporter: str
    at: str
    version: str
    manifest_sha256: str


def title_of(content: Mapping[str, Any]) -> str:
    """The title of the document."""
    return f"Dossier {content['case']['name']} : {content['case']['title']}"


def blocks_of(content: Mapping[str, Any], export: Export) -> list[Block]:
    """The whole document, but for its title."""
    blocks = [*_summary(content, export), *_purpose(content), *_answers(content)]
    blocks.append(heading(1, "3. Les textes relus et leurs passages", fresh=True))
    if not content["texts"]:
        none = (
            "Aucun texte de ce dossier n'a de lecture humaine close" if not content["counts"]["read"] else "Rien n'a été retenu"
        )
        blocks.append(para(f"{none} : ce dossier ne contient aucun indice."))
    for text in content["texts"]:
        blocks += _text(text, content)
    blocks += [*_apart(content), *practices(content), *directions(content), *history(content), *vigie(content)]
    return [*blocks, *advice(content), *integrity(content, export)]


def _summary(content: Mapping[str, Any], export: Export) -> list[Block]:
    case, counts = content["case"], content["counts"]
    draft = case["status"] in ("open", "review")
    levels = ", ".join(
        f"{plural(count, 'texte')} de niveau {level}" for level, count in counts["levels"].items() if count and int(level)
    )
    # A warning at level 0 is a testimony, printed with the texts; the others are but named.
    warnings = sum(not text["decision"]["level"] for text in content["texts"])
    cleared = len(content.get("cleared", ()))
    period = ""
    if counts["from"]:
        first, last = day(counts["from"][:10]), day(counts["to"][:10])
        period = f"le {first}" if first == last else f"du {first} au {last}"
    chosen = [one["name"] for one in content["recipients"] if one["chosen"]]
    rows: list[tuple[str, Inline]] = [
        ("Personne ou structure concernée", line(case["concerned"] or "non précisée")),
        ("État du dossier", line(case["status_name"])),
        ("Textes relus", line(plural(counts["read"], "texte"), f" ({levels})" if levels else "")),
        ("Mises en garde", line(f"{plural(warnings, 'texte')} de niveau 0 (section 3)" if warnings else "")),
        ("Sans indice retenu", line(f"{plural(cleared, 'texte')} (section 4)" if cleared else "")),
        ("Mis à part", line(f"{plural(counts['apart'], 'texte')} sans valeur d'indice (section 4)" if counts["apart"] else "")),
        ("Captures", line(period or "non datées")),
        ("Personnes en charge", line(", ".join(case["people"]) or "aucune")),
        ("Destinataires retenus", line(", ".join(chosen[:6]) or "aucun à ce jour ; propositions en section 6")),
        ("Réponse de la personne concernée", line(answer_words(content))),
    ]
    blocks = [para(WARNING, kind="box")]
    if draft:
        blocks.append(
            para(bold("Document de travail. "), "Ce dossier n'est pas marqué prêt : il n'est pas à transmettre en l'état.")
        )
    blocks += [heading(1, "En résumé"), facts(rows)]
    summary = case["summary"]
    if summary:
        cut = summary if len(summary) <= _MOST_SUMMARY else summary[:_MOST_SUMMARY].rsplit(" ", 1)[0] + " (suite en section 1)"
        blocks += [heading(2, "Objet"), para(*line(cut))]
    signs = counts["signs"]
    if signs:
        ordered = sorted(signs, key=lambda one: -one["texts"])[:_MOST_SIGNS]
        blocks.append(heading(2, "Indices à vérifier, retenus par les personnes qui ont relu"))
        blocks.append(
            table(
                "Indices et nombre de textes",
                ["Indice à vérifier", "Textes"],
                [[line(one["name"]), line(str(one["texts"]))] for one in ordered],
                [82, 18],
            )
        )
    hashed = f"Exporté par {export.exporter}, {moment(export.at)}. Empreinte du manifeste (SHA-256) : "
    return [*blocks, para(hashed, code(export.manifest_sha256), ". Voir la dernière section.", kind="small")]


def answer_words(content: Mapping[str, Any]) -> str:
    """Whether the person concerned answered, in one phrase."""
    held = [one for one in content["answers"] if not one["replaced"]]
    if not held:
        return "aucune réponse enregistrée à ce jour"
    days = ", ".join(f"reçue le {day(one['received_on'])} par {one['way']}" for one in held[:3])
    return f"{days} : à lire en section 2"


def _purpose(content: Mapping[str, Any]) -> list[Block]:
    case = content["case"]
    blocks = [heading(1, "1. Objet et notes", fresh=True)]
    blocks.append(para(*line(case["summary"] or "Aucun objet n'a été écrit.")))
    blocks.append(para(f"Dossier ouvert le {moment(case['created_at'])}.", kind="small"))
    if content["masked"]:
        told = (
            "Les noms, téléphones, courriels et autres données personnelles de personnes autres que l'auteur sont remplacés par "
            "des étiquettes numérotées, comme [personne 1] : la même étiquette désigne partout la même valeur. Valeurs masquées "
            f"ici : {content['masked_values']}. Les empreintes sont celles des textes et des réponses tels que reçus."
        )
        blocks.append(para(bold("Données masquées. "), told))
    if content["notes"]:
        blocks.append(heading(2, "Notes"))
        blocks += [para(bold(f"{note['who']}, {moment(note['at'])}. "), note["text"]) for note in content["notes"]]
    return blocks


def _answers(content: Mapping[str, Any]) -> list[Block]:
    blocks = [heading(1, "2. Réponse de la personne concernée")]
    if not content["answers"]:
        told = "Aucune réponse n'a été enregistrée à ce jour. Une réponse reçue plus tard doit être jointe à ce dossier."
        return [*blocks, para(told)]
    if waiting := content.get("answer_awaited_by"):
        told = f"Reçue après une transmission, elle n'est pas notée comme portée à : {', '.join(waiting)}."
        blocks.append(para(bold("Réponse à transmettre. "), told, kind="box"))
    for one in content["answers"]:
        about = f"Reçue le {day(one['received_on'])} par {one['way']}, enregistrée par {one['recorded_by']}"
        told = f"{about}{' ; corrigée par une entrée suivante' if one['replaced'] else ''}."
        blocks += [para(bold(told)), quoted([{"text": one["text"], "signs": [], "ends": []}])]
        blocks.append(para("SHA-256 de la réponse telle que reçue : ", code(one["sha256"]), kind="small"))
    return blocks


def _text(text: Mapping[str, Any], content: Mapping[str, Any]) -> list[Block]:
    decision = text["decision"]
    name = f"Texte {text['place']} : " + (
        f"niveau {decision['level']}, {decision['level_name']}"
        if decision["passages"] or decision["level"]
        else "aucun indice retenu"
    )
    blocks = [heading(2, name)]
    rows = [
        ("Pourquoi il est ici", line(text["why"])),
        ("Source", line(", ".join(part for part in (text["source"], text["channel"], text["theme"]) if part) or "non précisée")),
        ("Auteur du texte", line(text["author"] or "")),
        ("Adresse", line(text["url"] or "")),
        ("Capture", line(f"{moment(text['captured_at'])} ; reçu le {moment(text['received_at'])}")),
        ("SHA-256 du texte reçu", line(code(text["sha256"]))),
        ("Réponse de la personne concernée", line(answer_words(content))),
    ]
    blocks += [facts(rows), heading(3, "Décision humaine"), *_decision(decision)]
    if decision["passages"]:
        blocks.append(heading(3, "Passages retenus, dans leur contexte"))
        items = [
            line(bold(one["name"].capitalize()), " : ", one["before"], bold(f"«\u00a0{one['text']}\u00a0»"), one["after"])
            for one in decision["passages"]
        ]
        blocks.append(bullets(items, ordered=True))
    blocks += _whole(text)
    return [*blocks, *_model(text), *_decisions(text)]


def _decision(decision: Mapping[str, Any]) -> list[Block]:
    level = f"{decision['level']} ({decision['level_name']})" if decision["level"] is not None else "–"
    rows = [
        ("Lecture", line(f"{decision['kind']}, {decision['verdict']}, par {decision['who']}, {moment(decision['at'])}")),
        ("Niveau", line(level)),
        ("Ce que fait l'auteur", line(decision["stance"] or "")),
        ("Visé", line(", ".join(decision["targets"]))),
        ("Raison", line(decision["reason"] or "non donnée")),
        ("Note", line(decision["note"] or "aucune")),
    ]
    return [facts(rows)]


def _whole(text: Mapping[str, Any]) -> list[Block]:
    names = list(dict.fromkeys(one["name"] for one in sorted(text["decision"]["passages"], key=lambda one: one["start"])))
    pieces, cut = excerpt(text["pieces"])
    whole = "Le texte" if not cut else "Extraits du texte"
    received = "tel que reçu" if text["as_received"] else "masqué"
    told = f"Le texte entier, {received}, est dans le fichier {text['file']} de l'archive." if cut else ""
    legend = "Chaque passage souligné est suivi du numéro de son indice, dans l'ordre du guide." if names else ""
    blocks = [heading(3, f"{whole}, {received}")]
    if told or legend:
        blocks.append(para(" ".join(part for part in (legend, told) if part), kind="small"))
    return [*blocks, quoted(pieces)]


def excerpt(pieces: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The pieces of a text to show, and whether some of it is left out: all of a short one, else what is around passages."""
    if sum(len(piece["text"]) for piece in pieces) <= _WHOLE:
        return [dict(piece) for piece in pieces], False
    kept: list[dict[str, Any]] = []
    marked = any(piece["signs"] for piece in pieces)
    for place, piece in enumerate(pieces):
        text = piece["text"]
        if not marked:
            text = start_of(text, _WHOLE) + " […]"
        elif not piece["signs"] and len(text) > 2 * _AROUND:
            head = "" if place == 0 else start_of(text, _AROUND)
            tail = "" if place == len(pieces) - 1 else end_of(text, _AROUND)
            text = f"{head} […] {tail}"
        kept.append(dict(piece) | {"text": text})
    return kept, True


def _model(text: Mapping[str, Any]) -> list[Block]:
    said = text["model"]
    blocks = [heading(3, "Ce que proposait le modèle")]
    if said is None:
        return [*blocks, para("Aucun modèle n'a lu ce texte : la lecture est entièrement humaine.")]
    about = f"Modèle {said['version']}, filtre {said['operating_point_name']} ({said['operating_point']})"
    if not said["analysed"]:
        return [*blocks, para(f"{about} : le texte n'a pas pu être analysé.")]
    found = f"niveau {said['level']} ({said['level_name']}), probabilité {percent(said['score'])}, l'auteur « {said['stance']} »"
    blocks.append(para(f"{about} : {found}. C'est une proposition ; la décision humaine ci-dessus en tient lieu."))
    items = [
        line(f"{one['name']} ({percent(one['score'])}) : ", " ; ".join(f"« {passage} »" for passage in one["passages"]))
        for one in said["present"]
    ]
    return [*blocks, bullets(items)] if items else blocks


def _decisions(text: Mapping[str, Any]) -> list[Block]:
    if len(text["decisions"]) < 2:
        return []
    rows = []
    for one in text["decisions"]:
        state = "tient" if one["holds"] else "retirée" if one["withdrawn"] else ""
        told = ", ".join(
            part for part in (one["verdict"], f"niveau {one['level']}" if one["level"] is not None else "", state) if part
        )
        rows.append([line(moment(one["at"])), line(one["who"]), line(one["kind"]), line(told)])
    return [
        heading(3, "Historique des lectures"),
        table(
            "Lectures de ce texte, de la plus ancienne à la plus récente",
            ["Quand", "Qui", "Lecture", "Réponse"],
            rows,
            [26, 18, 22, 34],
        ),
    ]


def _apart(content: Mapping[str, Any]) -> list[Block]:
    apart = sorted([*content["apart"], *content.get("cleared", ())], key=lambda one: one["place"])
    blocks = [heading(1, "4. Textes mis à part, sans valeur d'indice")]
    if not content["apart"]:
        blocks.append(para("Tous les textes du dossier ont une lecture humaine close."))
    if not apart:
        return blocks
    blocks.append(para("Ces textes sont nommés ici sans leurs mots : rien n'en est retenu, ni passage, ni avis du modèle."))
    rows = [
        [
            line(str(one["place"])),
            line(one["state_name"]),
            line(one["why"]),
            line(moment(one["captured_at"])),
            line(code(one["sha256"])),
        ]
        for one in apart
    ]
    head = ["N°", "État", "Pourquoi il est ici", "Capture", "SHA-256"]
    return [*blocks, table("Textes mis à part", head, rows, [6, 18, 30, 18, 28])]
