"""The last sections of a dossier: sources of practices, whom to consider, history, what Vigie is, advice, integrity."""

from collections.abc import Mapping
from typing import Any, Final

from service.cases.blocks import Block, Inline, bold, bullets, code, day, facts, heading, line, moment, para, share, table

_IS: Final = (
    "Vigie est un logiciel libre qui lit des textes en français et propose des passages qui ressemblent à des signes de dérive "
    "sectaire en santé. Une personne lit chaque texte et décide ; seules ces décisions figurent ici comme indices."
)
_IS_NOT: Final = (
    "Vigie n'est ni une autorité, ni un avis médical, ni une preuve. Il juge des mots, jamais une personne, une croyance ou une "
    "profession ; il ne sait pas si ce qui est écrit est fait. Nommer une pratique n'est pas un indice. Il n'envoie rien : tout "
    "envoi est fait, et noté, par une personne."
)

_QUESTIONS: Final = (
    "Ce sont des questions, pas des qualifications : aucune ne dit qu'une infraction a été commise. Chacune donne l'article où "
    "chercher, et ce qui, dans les textes, la fait poser ; seule une autorité compétente peut y répondre."
)


def _mark(verify: bool) -> str:
    return " (à vérifier)" if verify else ""


def _joined(*parts: str) -> str:
    return ", ".join(part.rstrip(".") for part in parts if part)


def practices(content: Mapping[str, Any]) -> list[Block]:
    """Practices that the texts name, and the sources of their sheets."""
    blocks = [heading(1, "5. Pratiques nommées et sources de leurs fiches")]
    if not content["practices"]:
        return [*blocks, para("Aucune pratique de la table n'est nommée dans les textes retenus.")]
    blocks.append(para("Un nom de pratique n'est pas, à lui seul, un indice."))
    for one in content["practices"]:
        blocks.append(heading(2, one["name"]))
        if one["claims"]:
            blocks.append(para(bold("Ce qu'elle avance. "), one["claims"]))
        items: list[Inline] = [
            line(
                bold(said["who"]),
                f"{' (' + said['date'] + ')' if said['date'] else ''} : {said['said']}{_mark(said['verify'])} ",
                ("s", said["link"]),
            )
            for said in one["statements"]
        ]
        if not items and one["source"]:
            items = [line(f"Source de l'entrée{_mark(one['verify'])} : ", ("s", one["source"]))]
        blocks.append(bullets(items) if items else para("Aucune source n'est encore dans la table : à vérifier."))
    return blocks


def directions(content: Mapping[str, Any]) -> list[Block]:
    """Whom to consider, with the reasons, what was handed on, and the articles of law to look at, as questions."""
    blocks = [heading(1, "6. À qui s'adresser, et questions de droit")]
    blocks.append(
        para("Propositions tirées d'une table, à partir des textes relus ; une personne choisit, et rien n'est envoyé par Vigie.")
    )
    if not content["recipients"]:
        blocks.append(para("Aucun destinataire n'est proposé : les textes relus ne le demandent pas."))
    for one in content["recipients"]:
        blocks.append(heading(2, one["name"] + (" (retenu)" if one["chosen"] else "")))
        rows = [
            ("Pourquoi", line(" ; ".join(reason.rstrip(".") for reason in one["reasons"]))),
            ("Ce qu'il traite", line(one["takes"])),
            ("Comment", line(_joined(one["how"], one["phone"], one["link"]))),
            ("Base légale", line(one["legal_basis"])),
            ("Source", line(one["source_told"])),
        ]
        blocks.append(facts(rows))
    if content["sendings"]:
        rows_sent = [
            [line(day(one["on"])), line(one["recipient"]), line(one["reference"] or "–"), line(one["who"])]
            for one in content["sendings"]
        ]
        blocks.append(heading(2, "Transmissions notées par les personnes en charge"))
        blocks.append(table("Transmissions", ["Le", "À qui", "Référence", "Notée par"], rows_sent, [20, 40, 20, 20]))
    if content["questions"]:
        blocks.append(heading(2, "Questions de droit à examiner"))
        blocks.append(para(_QUESTIONS))
        items = [
            line(
                f"{one['article']} ({one['title'].lower()}). ",
                bold(one["asks"]),
                _mark(one["verify"]),
                f" Posée parce que : {' ; '.join(reason.rstrip('.') for reason in one['reasons'])}.",
            )
            for one in content["questions"]
        ]
        blocks.append(bullets(items))
    return blocks


def history(content: Mapping[str, Any]) -> list[Block]:
    """What was done on the case, by whom and when, exports apart."""
    rows = [[line(moment(one["at"])), line(one["who"]), line(one["what"])] for one in content["history"]]
    return [
        heading(1, "7. Historique du dossier"),
        table("Ce qui a été fait, du plus ancien au plus récent", ["Quand", "Qui", "Quoi"], rows, [30, 22, 48]),
    ]


def vigie(content: Mapping[str, Any]) -> list[Block]:
    """What Vigie is and is not, and how often the models of these texts are wrong."""
    blocks = [heading(1, "8. Ce qu'est Vigie, et ses erreurs mesurées"), para(_IS), para(_IS_NOT)]
    for model in content["models"]:
        blocks.append(heading(2, f"Modèle {model['version']}"))
        if not model["known"]:
            blocks.append(para("La carte de ce modèle n'est plus disponible : ses erreurs ne peuvent pas être redites ici."))
            continue
        unseen = " écrits par des personnes dont le modèle n'avait rien lu" if model["on"] == "test_unseen_writers" else ""
        blocks.append(para(f"Mesuré sur {model['texts']} textes d'épreuve{unseen} (filtre équilibré) :"))
        rows = [
            ("Textes à examiner retrouvés", line(share(model["recall"]))),
            ("Signalements justes", line(share(model["precision"]))),
            ("Niveau exact", line(share(model["level"]))),
            ("Mises en garde signalées à tort", line(share(model["flagged_warnings"]))),
            ("Textes neutres signalés à tort", line(share(model["flagged_neutral"]))),
        ]
        blocks.append(facts(rows))
    told = (
        "Ces textes d'épreuve ont été écrits et étiquetés pour la mesure : sur des textes réels, les erreurs peuvent être plus "
        "nombreuses."
    )
    return [*blocks, para(told)] if content["models"] else blocks


def advice(content: Mapping[str, Any]) -> list[Block]:
    """What a victim, a relative or a person at risk can do."""
    given = content["advice"]
    if given is None:
        return []
    blocks = [heading(1, f"9. Conseils : {given['title'][:1].lower()}{given['title'][1:]}", fresh=True), para(given["intro"])]
    for name, steps in (("En cas de danger immédiat", given["first"]), ("Les étapes", given["steps"])):
        blocks += [heading(2, name), bullets([line(bold(f"{step['title']}. "), step["text"]) for step in steps])]
    blocks.append(heading(2, "Contacts"))
    contacts = [
        line(bold(one["name"]), " : ", _joined(one["takes"], one["phone"], one["link"]), _mark(one["verify"]))
        for one in given["contacts"]
    ]
    return [*blocks, bullets(contacts)]


def integrity(content: Mapping[str, Any], export: Any) -> list[Block]:
    """How to find out whether a file of this dossier was changed."""
    rank = 10 if content["advice"] else 9
    rows = [
        ("Exporté par", line(export.exporter)),
        ("Le", line(f"{moment(export.at)} ({export.at})")),
        ("Version de Vigie", line(export.version)),
        ("Empreinte du manifeste (SHA-256)", line(code(export.manifest_sha256))),
    ]
    told = (
        "L'archive de ce dossier contient manifest.json, qui donne l'empreinte SHA-256 des pièces et de chaque texte tel que "
        "reçu, et seal.json, qui donne celles du manifeste et des documents. Un fichier changé, ajouté ou retiré se voit avec "
        "« vigie case verify ARCHIVE.zip », ou à la page « Vérifier une archive ». Comparez l'empreinte du manifeste à celle "
        "imprimée ici, et à celle que le poste de travail a gardée."
    )
    fonts = (
        "Un signe que les polices de ce document n'ont pas est écrit par son code, comme ⟦U+1F600⟧ ; l'archive garde le texte "
        "exact."
    )
    return [heading(1, f"{rank}. Intégrité"), facts(rows), para(told), para(fonts, kind="small")]
