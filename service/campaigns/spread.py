"""One answer for several texts of a campaign: each is shown, each is decided by the same rules, each has its record.

Left out, and said: texts that are blind for the person, that somebody else works on, or that were decided before.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from sqlalchemy import Connection, Engine

from model.levels import level_of
from model.records import Prediction
from service.campaigns.components import note_event
from service.campaigns.links import CampaignError, items_of
from service.workplace.claims import Taken, claim, claim_of, release
from service.workplace.decided import REASON_NAMES
from service.workplace.decisions import DecisionError, Verdict, decide, decisions_of
from service.workplace.draws import alike_to_begun
from service.workplace.forms import as_proposed
from service.workplace.items import Item, find_item
from service.workplace.people import Person
from service.workplace.reading import blind_for
from service.workplace.said import newest_prediction
from service.workplace.textpage import prediction_shown

Choice = Literal["confirm", "neutral", "warns", "unsure"]
CHOICES: Final[Mapping[str, str]] = {
    "confirm": "Confirmer la proposition du modèle, texte par texte",
    "neutral": "Neutre : l'auteur ne promeut pas, niveau 0",
    "warns": "Met en garde, niveau 0",
    "unsure": "Je ne sais pas",
}
#: `drawn_by` of a decision made here: the text did not come by chance.
DRAWN: Final = "campaign"
#: Texts in one answer: each has to be read.
MOST: Final = 30


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text to decide on: `last` is the number of its last record; `left` says why it is left out, None where it is not."""

    item: Item
    prediction: Prediction | None
    last: int
    left: str | None


@dataclass(frozen=True, slots=True)
class Spread:
    """What was done: records by text, and why others were left out."""

    done: Mapping[str, str]
    left: Mapping[str, str]


def candidates_of(connection: Connection, campaign_id: str, chosen: Sequence[str], person: Person) -> tuple[list[Candidate], int]:
    """The chosen texts of a campaign, and how many of them are blind for the person: those are not told apart.

    Raises:
        CampaignError: none was chosen, too many were, or one is not of the campaign.
    """
    ids = list(dict.fromkeys(chosen))
    if not ids:
        raise CampaignError("Textes : cochez au moins un texte de la campagne.")
    if len(ids) > MOST:
        raise CampaignError(f"Textes : {MOST} au plus à la fois, puisque chacun doit être lu ; {len(ids)} sont cochés.")
    if not set(ids) <= set(items_of(connection, campaign_id)):
        raise CampaignError("Textes : l'un d'eux n'est pas, ou plus, dans cette campagne. Rechargez la page.")
    shut = alike_to_begun(connection, person)
    seen = [id for id in ids if id not in shut and not blind_for(connection, id, person)]
    return [candidate_of(connection, id, person) for id in seen], len(ids) - len(seen)


def candidate_of(connection: Connection, item_id: str, person: Person) -> Candidate:
    """A text that is not blind for the person, and why it would be left out.

    Raises:
        CampaignError: there is no such text.
    """
    item = find_item(connection, item_id)
    if item is None:
        raise CampaignError("Textes : l'un d'eux n'existe plus. Rechargez la page.")
    records = decisions_of(connection, item_id)
    held = claim_of(connection, item_id)
    left = None
    if item.state != "new":
        left = "déjà lu par une personne : à décider sur sa page"
    elif held is not None and held.user_id != person.id:
        left = f"{held.name} travaille dessus"
    return Candidate(item, newest_prediction(connection, item_id), records[-1].number if records else 0, left)


def verdict_for(choice: str, prediction: Prediction | None, reason: str, note: str, request: str) -> Verdict:
    """The verdict that an answer gives for one text.

    Raises:
        ValueError: the answer or the reason is unknown, or there is no proposal to confirm; the message is in French.
    """
    if choice not in CHOICES:
        raise ValueError("Réponse : choisissez-en une.")
    if reason and reason not in REASON_NAMES:
        raise ValueError("Raison : choisissez-en une de la liste, ou aucune.")
    given = {"reason": reason or None, "note": note.replace("\r\n", "\n").strip() or None, "drawn_by": DRAWN, "request": request}
    if choice == "unsure":
        return Verdict(verdict="unsure", **given)  # type: ignore[arg-type]
    if choice != "confirm":
        return Verdict(verdict="corrected", stance=choice, level=level_of(choice, (), ()).value, **given)  # type: ignore[arg-type]
    if (verdict := as_proposed(prediction, **given)) is None:
        raise ValueError("le modèle n'a rien proposé pour ce texte")
    return verdict


def spread(
    engine: Engine,
    campaign_id: str,
    person: Person,
    choice: str,
    chosen: Mapping[str, tuple[str, int]],
    *,
    reason: str = "",
    note: str = "",
    request: str,
) -> Spread:
    """Decide on each chosen text as `decisions.decide` does; `chosen` gives the model's version and last record shown of each.

    Sent twice with one `request`, each text is decided once.

    Raises:
        CampaignError: none, too many or strange texts were chosen, or the answer, reason or note cannot be kept.
    """
    with engine.connect() as connection:
        known, blind = candidates_of(connection, campaign_id, list(chosen), person)
    try:
        verdict_for("unsure" if choice == "confirm" else choice, None, reason, note, request)
    except ValueError as error:
        raise CampaignError(str(error)) from error
    done: dict[str, str] = {}
    left: dict[str, str] = {}
    for candidate in known:
        id, token = candidate.item.id, f"{request[:26]}:{candidate.item.id}"[:64]
        version, last = chosen[id]
        try:
            if candidate.left is not None and not repeated(engine, id, token):
                left[id] = candidate.left
                continue
            with engine.connect() as connection:
                prediction = prediction_shown(connection, id, version)
            verdict = verdict_for(choice, prediction, reason, note, token)
            kept = partial(_keep_event, campaign_id, person, id, choice)
            done[id] = decide_one(engine, candidate, person, verdict, (prediction, last), kept)
        except (ValueError, DecisionError) as error:
            left[id] = str(error)
        except Taken as taken:
            left[id] = f"{taken.by} travaille dessus"
    if blind:
        left[""] = f"{blind} en lecture à l'aveugle"
    return Spread(done, left)


def _keep_event(campaign_id: str, person: Person, item_id: str, choice: str, connection: Connection, decision: str) -> None:
    """One row in the campaign's history for each text decided, with its record or not at all."""
    note_event(connection, campaign_id, "decided", user=person.id, item=item_id, decision=decision, choice=choice)


def repeated(engine: Engine, item_id: str, token: str) -> bool:
    """Whether a form of this token was received before for a text."""
    with engine.connect() as connection:
        return any(one.request == token for one in decisions_of(connection, item_id))


def decide_one(
    engine: Engine,
    candidate: Candidate,
    person: Person,
    verdict: Verdict,
    shown: tuple[Prediction | None, int],
    kept: Callable[[Connection, str], None],
) -> str:
    """Claim a text, decide on it and write `kept` with the record; a text that the person did not hold before is given back.

    `shown` is the prediction that the person saw, and the number of the last record at that time.

    Raises:
        ValueError, DecisionError, Taken: as `decisions.decide`.
    """
    id = candidate.item.id
    with engine.connect() as connection:
        mine = claim_of(connection, id)
    if not repeated(engine, id, verdict.request or ""):
        with engine.begin() as connection:
            claim(connection, id, person)
    try:
        return decide(engine, id, person, verdict, shown[0], last=shown[1], also=kept)
    except (ValueError, DecisionError):
        if mine is None:
            with suppress(Taken), engine.begin() as connection:
                release(connection, id, person)
        raise
