"""One text's decision carried over to its near-duplicates: the same words get the same signs, each text shown before.

Only a text where every passage is found word for word can be decided so; the others are left out, with the passage that fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import regex
from sqlalchemy import Connection, Engine, or_, select

from model.labels import INDICATOR_NAMES
from model.records import Prediction
from model.text import fold
from service.campaigns.components import campaigns_of, note_event
from service.campaigns.links import CampaignError
from service.campaigns.schema import ITEM_LINKS
from service.campaigns.spread import DRAWN, MOST, Candidate, Spread, candidate_of, decide_one, repeated
from service.workplace.claims import Taken
from service.workplace.decided import Decided, Mark, Verdict, check_verdict, standing
from service.workplace.decisions import VALID, DecisionError, decisions_of
from service.workplace.draws import alike_to_begun, shut_for
from service.workplace.forms import proposed
from service.workplace.items import Item, find_item
from service.workplace.people import Person
from service.workplace.reading import blind_for
from service.workplace.schema import DECISIONS
from service.workplace.similar import near
from service.workplace.textpage import prediction_shown

_LONGEST_TOLD: Final = 80


@dataclass(frozen=True, slots=True)
class Source:
    """The decided text: its campaign, and the decision that holds."""

    item: Item
    campaign_id: str
    holds: Decided


@dataclass(frozen=True, slots=True)
class Target:
    """A near-duplicate: `marks` are the passages found in it, `doubts` what a person should look at twice.

    `candidate.left` says why it is left out, None where it is not.
    """

    candidate: Candidate
    likeness: float
    marks: tuple[Mark, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extension:
    """A decided text and its near-duplicates, most alike first; `blind` of them are blind for the person, `more` too many."""

    source: Source
    targets: Sequence[Target]
    blind: int
    more: int


def source_of(connection: Connection, item_id: str, person: Person) -> Source:
    """The text whose decision may be carried over.

    Raises:
        CampaignError: there is no such text, nobody's decision holds, it says « je ne sais pas », or it is in no campaign.
    """
    item = find_item(connection, item_id)
    if item is None or shut_for(connection, item_id, person):
        raise CampaignError("Ce texte n'existe pas, ou une lecture à l'aveugle est en cours.")
    valid = set(connection.scalars(select(DECISIONS.c.id).where(VALID, DECISIONS.c.item_id == item_id)))
    holds = standing([one for one in decisions_of(connection, item_id) if one.id in valid])
    if item.state != "done" or holds is None or holds.verdict == "unsure":
        raise CampaignError("Une décision s'étend quand la lecture du texte est close, et n'est pas « je ne sais pas ».")
    home = campaigns_of(connection, [item_id]).get(item_id)
    if home is None:
        raise CampaignError("Ce texte n'est dans aucune campagne : aucun autre ne lui est presque identique.")
    return Source(item, home, holds)


def extension_of(connection: Connection, item_id: str, person: Person) -> Extension:
    """The near-duplicates of a decided text in its campaign, at most thirty.

    Raises:
        CampaignError: as `source_of`.
    """
    source = source_of(connection, item_id, person)
    alike = {one.item_id: one.likeness for one in near(connection, item_id)}
    homes = campaigns_of(connection, alike)
    links = select(ITEM_LINKS.c.item_id, ITEM_LINKS.c.other_id).where(
        or_(ITEM_LINKS.c.item_id == item_id, ITEM_LINKS.c.other_id == item_id), ITEM_LINKS.c.state == "rejected"
    )
    apart = {id for pair in connection.execute(links) for id in pair}
    ids = [id for id in alike if homes.get(id) == source.campaign_id and id not in apart]
    shut = alike_to_begun(connection, person)
    seen = [id for id in ids if id not in shut and not blind_for(connection, id, person)]
    targets = [_target(connection, source, id, alike[id], person) for id in seen[:MOST]]
    return Extension(source, targets, len(ids) - len(seen), max(0, len(seen) - MOST))


def _target(connection: Connection, source: Source, item_id: str, likeness: float, person: Person) -> Target:
    candidate = candidate_of(connection, item_id, person)
    marks, missing = moved(source.item.text, source.holds.indicators, candidate.item.text)
    if candidate.left is None and missing:
        candidate = replace(candidate, left=f"les mêmes mots n'y sont pas une seule fois : « {_told(missing[0])} »")
    return Target(candidate, likeness, marks, tuple(_doubts(source, candidate, marks)))


def moved(text: str, marks: Sequence[Mark], other: str) -> tuple[tuple[Mark, ...], tuple[str, ...]]:
    """Passages of a text at the same words of another one, and the passages that are not there.

    Words are the same but for the white space between them. Of words that are there several times, the one of the same rank
    is taken where both texts have them as often.
    """
    found, missing = [], []
    for mark in sorted(set(marks)):
        words = _words(text, mark)
        here, there = list(words.finditer(text)), list(words.finditer(other))
        rank = next((place for place, one in enumerate(here) if one.start() <= mark.start < one.end()), None)
        if rank is None or len(here) != len(there):
            missing.append(text[mark.start : mark.end])
        else:
            found.append(Mark(there[rank].start(), there[rank].end(), mark.label))
    return tuple(found), tuple(missing)


def _words(text: str, mark: Mark) -> "regex.Pattern[str]":
    """What finds a passage's words; where the passage begins or ends a word, so does what is found."""
    passage = text[mark.start : mark.end].strip()
    said = r"\s+".join(regex.escape(word) for word in passage.split())
    first = r"(?<!\w)" if passage[0].isalnum() and not text[: mark.start][-1:].isalnum() else ""
    last = r"(?!\w)" if passage[-1].isalnum() and not text[mark.end :][:1].isalnum() else ""
    return regex.compile(f"{first}{said}{last}")


def _doubts(source: Source, candidate: Candidate, marks: Sequence[Mark]) -> list[str]:
    """What may make the same words say something else, or what the decided text does not hold."""
    told = []
    before = {_sentence(source.item.text, mark) for mark in source.holds.indicators}
    after = {_sentence(candidate.item.text, mark) for mark in marks}
    if marks and not after <= before:
        told.append("la phrase autour d'un passage n'y est pas la même")
    said = candidate.prediction
    held = {mark.label for mark in source.holds.indicators}
    more = [INDICATOR_NAMES[label] for label in sorted({mark.label for mark in proposed(said)} - held)]
    seen = {mark.label for mark in proposed(Prediction.model_validate(source.holds.said))} if source.holds.said else set()
    if more and not {mark.label for mark in proposed(said)} <= held | seen:
        told.append(f"le modèle y propose aussi : {', '.join(more)}")
    if said is not None and said.stance is not None and said.stance.value != source.holds.stance:
        told.append("le modèle y lit une autre position de l'auteur")
    return told


def _sentence(text: str, mark: Mark) -> str:
    stops = regex.compile(r"(?<![.!?…])[.!?…]+\s|\n")
    start = max((one.end() for one in stops.finditer(text, 0, mark.start)), default=0)
    after = stops.search(text, mark.end)
    return " ".join(fold(text[start : after.start() if after else len(text)]).split()).rstrip(" .!?…")


def _told(passage: str) -> str:
    plain = " ".join(passage.split())
    return plain if len(plain) <= _LONGEST_TOLD else f"{plain[:_LONGEST_TOLD]}…"


def extend(
    engine: Engine,
    item_id: str,
    person: Person,
    chosen: Mapping[str, tuple[str, int]],
    *,
    decision: str,
    note: str = "",
    request: str,
) -> Spread:
    """Carry a decision over to the chosen near-duplicates; `chosen` gives the model's version and last record shown of each.

    `decision` is the one that the person saw. Sent twice with one `request`, each text is decided once.

    Raises:
        CampaignError: as `source_of`, none or too many were chosen, the decision is no more the same, or the note is not kept.
    """
    with engine.connect() as connection:
        found = extension_of(connection, item_id, person)
    if found.source.holds.id != decision:
        raise CampaignError("La décision de ce texte a changé depuis que vous avez ouvert cette page : relisez-la.")
    if not chosen:
        raise CampaignError("Textes : cochez au moins un texte.")
    words = note.replace("\r\n", "\n").strip() or None
    try:
        check_verdict(Verdict(verdict="unsure", note=words), "")
    except ValueError as error:
        raise CampaignError(str(error)) from error
    done: dict[str, str] = {}
    left: dict[str, str] = {}
    targets = {one.candidate.item.id: one for one in found.targets}
    for id, (version, last) in chosen.items():
        token = f"{request[:26]}:{id}"[:64]
        if id not in targets:
            left[id] = "n'est pas, ou plus, presque identique à ce texte"
            continue
        target = targets[id]
        try:
            if target.candidate.left is not None and not repeated(engine, id, token):
                left[id] = target.candidate.left
                continue
            with engine.connect() as connection:
                prediction = prediction_shown(connection, id, version)
            verdict = _verdict(found.source.holds, target.marks, prediction, words, token)
            kept = partial(_keep_event, found.source, person, id)
            done[id] = decide_one(engine, target.candidate, person, verdict, (prediction, last), kept)
        except (ValueError, DecisionError) as error:
            left[id] = str(error)
        except Taken as taken:
            left[id] = f"{taken.by} travaille dessus"
    return Spread(done, left)


def _verdict(holds: Decided, marks: tuple[Mark, ...], said: Prediction | None, note: str | None, token: str) -> Verdict:
    same = said is not None and said.stance is not None and said.risk is not None
    same = same and (said.stance.value, said.risk.level) == (holds.stance, holds.level)  # type: ignore[union-attr]
    same = same and set(said.targets) == set(holds.targets) and set(proposed(said)) == set(marks)  # type: ignore[union-attr]
    return Verdict(
        verdict="confirmed" if same else "corrected",
        stance=holds.stance,
        level=holds.level,
        targets=holds.targets,
        indicators=marks,
        reason=holds.reason,
        note=note,
        drawn_by=DRAWN,
        request=token,
    )


def _keep_event(source: Source, person: Person, item_id: str, connection: Connection, decision: str) -> None:
    said = {"decision": decision, "choice": "extended", "source": source.item.id, "source_decision": source.holds.id}
    note_event(connection, source.campaign_id, "decided", user=person.id, item=item_id, **said)
