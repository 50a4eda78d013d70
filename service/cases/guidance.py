"""What the tables of directions say of the texts of a case: whom to consider, which articles to look at, advice, sources."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from model.labels import INDICATOR_IDS
from model.records import Prediction
from model.tables import load_tables
from model.text import fold
from service.cases.told import Told
from service.directions.advice import AUDIENCES, advice_for
from service.directions.routing import questions, recipients
from service.directions.situations import Known, Situation, situation_of
from service.directions.tables import Authority, host_of, load_directions
from service.workplace.decided import Decided
from service.workplace.items import Item

#: Names of the table of authorities, by identifier: all of them, in its order.
Names = Mapping[str, str]
_COURTS: Final = ("justice penale", "tribunal correctionnel", "cour d'assises")


def authority_names() -> Names:
    """Whom a case may name as its recipients."""
    return {authority.id: authority.name for authority in load_directions().authorities}


def situation_of_texts(
    read: Sequence[tuple[Item, Prediction | None, Decided]], places: Sequence[int], told: Told | None = None
) -> Situation:
    """What the texts that people decided show, each named by its place in the case, with what people told of the case.

    What they decided takes the place of what the model says; whom the advice is for says nothing of what happened.
    """
    known = [
        Known(
            text=item.text,
            channel=item.channel,
            url=item.url,
            decided_level=decided.level,
            decided_signs=tuple(one for one in INDICATOR_IDS if any(mark.label == one for mark in decided.indicators)),
            decided_targets=decided.targets,
            region=item.region,
            author=item.author or "",
            name=f"texte {place}",
        )
        for (item, _, decided), place in zip(read, places, strict=True)
    ]
    said = [prediction or Prediction(status="ok", model_version="", operating_point="balanced") for _, prediction, _ in read]
    answers = told or Told()
    return situation_of(said, known=known, victim=answers.victim, urgency=answers.urgency)


def proposed_recipients(situation: Situation, chosen: Sequence[str]) -> list[dict[str, Any]]:
    """Whom to consider, with the reasons; those that people chose are marked, those that only people chose come last."""
    table = {authority.id: authority for authority in load_directions().authorities}
    reasons = {one.id: list(one.reasons) for one in recipients(situation)}
    why = ["Choisi par les personnes en charge du dossier."]
    reasons |= {id: why for id in table if id in chosen and id not in reasons}
    fields = ("id", "name", "takes", "how", "link", "phone", "legal_basis", "source", "source_date", "verify")
    return [
        {name: getattr(table[id], name) for name in fields}
        | {"source_told": _source_told(table[id]), "reasons": given, "chosen": id in chosen}
        for id, given in reasons.items()
    ]


def _source_told(authority: Authority) -> str:
    """How a dossier names where the facts about an authority were read: no third party's address goes to a prosecutor."""
    host, copies = host_of(authority.source), load_directions().copies
    if authority.official or (authority.source and not host):
        told = " ".join(part for part in (authority.source, authority.source_date) if part)
    elif host in copies:
        told = f"{copies[host]}, lu en copie chez un tiers"
    else:
        told = "aucune page officielle retenue"
    return told + (" (à vérifier)" if authority.verify else "")


def law_questions(situation: Situation) -> list[dict[str, Any]]:
    """Articles of law to look at, as questions; those on how Vigie is used are no matter of who receives a dossier."""
    fields = ("id", "article", "title", "asks", "penalty", "link", "verify")
    asked = [one for one in questions(situation) if not one.handling]
    return [{name: getattr(one, name) for name in fields} | {"reasons": list(one.reasons)} for one in asked]


def advice_block(audience: str | None) -> dict[str, Any] | None:
    """The advice for whom a case is made for, if anybody."""
    known = next((one for one in AUDIENCES if one == audience), None)
    if known is None:
        return None
    advice = advice_for(known)
    return {
        "title": advice.title,
        "intro": advice.intro,
        "first": [{"title": step.title, "text": step.text} for step in advice.first],
        "steps": [{"title": step.title, "text": step.text} for step in advice.steps],
        "contacts": [
            {name: getattr(one, name) for name in ("name", "takes", "how", "phone", "link")}
            # Nobody hesitates to call 15.
            | {"verify": one.verify and one.group != "emergency"}
            for one in advice.contacts
        ],
    }


def practice_sources(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Practices named, with who said what of them, where and when; a name alone is no sign."""
    table = {practice.id: practice for practice in load_tables().practices}
    facts = load_directions().facts
    found = []
    for id in ids:
        practice, fact = table.get(id), facts.get(id)
        if practice is None:
            continue
        statements = [
            {"who": one.who, "said": one.said, "link": one.link, "date": one.date, "verify": one.verify}
            for one in (fact.statements if fact else ())
            # What a court said of somebody else has no place in the dossier of the person concerned.
            if not fold(one.who).startswith(_COURTS)
        ]
        about = {"id": id, "name": practice.name, "source": practice.source, "verify": practice.verify}
        found.append(about | {"claims": fact.claims if fact else "", "statements": statements})
    return found
