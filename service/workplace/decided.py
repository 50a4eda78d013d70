"""What people said of a text, as it is kept: records that nothing changes, and which of them hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, select

from model.labels import INDICATOR_IDS, STANCE_IDS, TARGET_IDS, Label
from model.levels import level_of
from service.workplace.schema import DECISIONS
from service.workplace.times import aware

Kind = Literal["first", "second", "adjudication", "golden", "revision", "withdrawal"]
Answer = Literal["confirmed", "corrected", "unsure", "withdrawn"]

#: Why a person decided as they did, from a list so that it can be counted.
REASONS: Final[tuple[Label, ...]] = (
    Label("denied", "nié, rapporté ou cité", "Le propos n'est pas assumé par l'auteur."),
    Label("missed_passage", "passage oublié", "Le modèle n'a pas relevé un passage qui montre un signe."),
    Label("wrong_passage", "passage mal placé", "Le signe y est, ailleurs ou plus court."),
    Label("other_sign", "un autre signe", "Le passage montre un autre signe que celui proposé."),
    Label("no_sign", "pas un signe", "Au sens du guide, le passage ne suffit pas."),
    Label("other_speaker", "qui parle", "Vendeur, client, journaliste, victime ou soignant : le modèle s'est trompé."),
    Label("recognised_care", "soin reconnu", "Le texte parle d'un soin ou d'un métier reconnu."),
    Label("target", "ce qui est visé", "La maladie ou l'enfant visé n'est pas celui que dit le modèle."),
    Label("implied", "sous-entendu", "Le sens est clair sans que les mots le disent."),
    Label("disclaimer", "clause de prudence ou de façade", "La clause change ce que vaut le propos, ou n'y change rien."),
    Label("satire", "ironie ou parodie", "Le texte ne pense pas ce qu'il dit."),
    Label("lacks_context", "contexte absent", "Une image, le fil ou la page manquent pour juger."),
    Label("unreadable", "illisible ou pas en français", "Le texte ne se laisse pas lire."),
    Label("guide_silent", "le guide ne tranche pas", "Le cas mérite d'être discuté."),
    Label("other", "autre", "À dire dans la note."),
)
REASON_NAMES: Final = {reason.id: reason.name for reason in REASONS}
NOTE_LONGEST: Final = 5_000


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A passage that shows an indicator: code points `start` to `end` (excluded) of the text as received."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says of a text, before it is kept.

    `verdict` is `confirmed`, `corrected` or `unsure`; the last has no stance, level nor indicators. `request` tells two
    sendings of one form apart from two decisions. `drawn_by` is how the text came to the person, `drawn_share` (0 to 1)
    the share of that way at the time. `sent_by` is whose key gave it in the person's name, if another's.
    """

    kind: Kind = "first"
    verdict: Answer = "corrected"
    stance: str | None = None
    level: int | None = None
    targets: tuple[str, ...] = ()
    indicators: tuple[Mark, ...] = ()
    reason: str | None = None
    note: str | None = None
    drawn_by: str = "queue"
    drawn_share: float | None = None
    request: str | None = None
    sent_by: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A record as it was kept; `withdraws` names the one that a withdrawal takes back."""

    number: int
    id: str
    item_id: str
    user_id: str
    made_at: datetime
    kind: Kind
    verdict: Answer
    stance: str | None
    level: int | None
    targets: tuple[str, ...]
    indicators: tuple[Mark, ...]
    reason: str | None
    note: str | None
    said: Mapping[str, Any] | None
    model_version: str | None
    operating_point: str | None
    drawn_by: str
    drawn_share: float | None
    withdraws: str | None
    request: str | None
    sent_by: str | None


_COLUMNS: Final = tuple(DECISIONS.c[field.name] for field in fields(Decided))
_LATER: Final = DECISIONS.alias("later")

#: What holds: neither withdrawn nor itself a withdrawal.
VALID: Final[ColumnElement[bool]] = and_(
    DECISIONS.c.kind != "withdrawal",
    ~exists(select(_LATER.c.number).where(_LATER.c.withdraws == DECISIONS.c.id)).correlate(DECISIONS),
)


def decisions_of(connection: Connection, item_id: str) -> list[Decided]:
    """Every record of a text, withdrawn ones and withdrawals too, oldest first."""
    return list(_read(connection, _select().where(DECISIONS.c.item_id == item_id)))


def valid_decisions(connection: Connection, *where: ColumnElement[bool]) -> Iterator[Decided]:
    """The records that hold and meet these conditions on `DECISIONS`, oldest first, read as they come."""
    return _read(connection, _select().where(VALID, *where))


def find_decision(connection: Connection, id: str) -> Decided | None:
    """The record of this identifier, if any."""
    return next(iter(list(_read(connection, _select().where(DECISIONS.c.id == id)))), None)


def own_standing(connection: Connection, id: str, person_id: str) -> Decided | None:
    """The record of this identifier, if it is this person's and holds."""
    return next(iter(list(valid_decisions(connection, DECISIONS.c.id == id, DECISIONS.c.user_id == person_id))), None)


def decision_of_request(connection: Connection, request: str) -> Decided | None:
    """The record that a form of this token made, if it was received before."""
    return next(iter(list(_read(connection, _select().where(DECISIONS.c.request == request)))), None)


def standing(decisions: Sequence[Decided]) -> Decided | None:
    """Which of a text's valid decisions says what holds: the last adjudication, else first reading, else second one.

    A revision holds where nobody has read the text blind or adjudicated it since: who filed it knew what was said before.
    """
    last: dict[str, Decided] = {decided.kind: decided for decided in decisions}
    revision = last.get("revision")
    if revision and all(revision.number > last[kind].number for kind in ("adjudication", "second") if kind in last):
        return revision
    return next((last[kind] for kind in ("adjudication", "first", "second", "revision") if kind in last), None)


def first_kind(records: Sequence[Decided], person_id: str) -> Kind:
    """What a reading made with the text's page open is: `first`, or `revision` where others' readings could be seen.

    So it is once anybody read the text blind or adjudicated it, withdrawn or not, and where a reading of somebody else holds;
    a person who corrects themselves before anybody else said anything makes a first reading again.
    """
    gone = {decided.withdraws for decided in records}
    for decided in records:
        if decided.kind in ("second", "adjudication"):
            return "revision"
        if decided.kind != "withdrawal" and decided.id not in gone and decided.user_id != person_id:
            return "revision"
    return "first"


def check_verdict(verdict: Verdict, text: str) -> None:
    """Whether a verdict on this text can be kept.

    Raises:
        ValueError: a value is unknown, a passage lies outside the text, or the level is not the one that stance,
            indicators and targets give by the guide; the message, in French, says which and what was expected.
    """
    _check_words(verdict)
    if verdict.verdict == "unsure":
        if verdict.stance is not None or verdict.level is not None or verdict.indicators:
            raise ValueError("« Je ne sais pas » ne va avec aucune position, aucun niveau et aucun signe.")
        return
    if verdict.stance not in STANCE_IDS:
        raise ValueError(f"Position de l'auteur « {verdict.stance or ''} » : une de {', '.join(STANCE_IDS)} est attendue.")
    if verdict.stance != "promotes" and verdict.indicators:
        raise ValueError("Un texte qui met en garde ou qui est neutre n'a aucun signe : retirez-les, ou changez la position.")
    if "serious_illness" in verdict.targets and "illness" not in verdict.targets:
        raise ValueError("Une maladie grave visée est aussi une maladie visée : cochez les deux.")
    for mark in verdict.indicators:
        if mark.label not in INDICATOR_IDS:
            raise ValueError(f"Signe « {mark.label} » : un de {', '.join(INDICATOR_IDS)} est attendu.")
        if not 0 <= mark.start < mark.end <= len(text) or not text[mark.start : mark.end].strip():
            raise ValueError(f"Passage {mark.start}-{mark.end} : une partie du texte (0 à {len(text)}) est attendue.")
    due = level_of(verdict.stance, {mark.label for mark in verdict.indicators}, verdict.targets).value
    if verdict.level != due:
        raise ValueError(f"Niveau {verdict.level} : la position, les signes et ce qui est visé donnent {due} selon le guide.")


def _check_words(verdict: Verdict) -> None:
    if verdict.kind not in ("first", "second", "adjudication", "golden", "revision"):
        raise ValueError(f"Lecture « {verdict.kind} » : first, second, adjudication, golden ou revision est attendu.")
    if verdict.verdict not in ("confirmed", "corrected", "unsure"):
        raise ValueError(f"Réponse « {verdict.verdict} » : confirmed, corrected ou unsure est attendu.")
    if unknown := set(verdict.targets) - set(TARGET_IDS):
        raise ValueError(f"Visé « {', '.join(sorted(unknown))} » : {', '.join(TARGET_IDS)} sont attendus.")
    if verdict.reason is not None and verdict.reason not in REASON_NAMES:
        raise ValueError(f"Raison « {verdict.reason} » : une de la liste est attendue.")
    if verdict.note is not None and len(verdict.note) > NOTE_LONGEST:
        raise ValueError(f"Note de {len(verdict.note)} caractères : {NOTE_LONGEST} au plus sont attendus.")
    if "\x00" in (verdict.note or ""):
        raise ValueError("Note : un caractère nul ne peut pas être gardé.")


def _select() -> Select[Any]:
    return select(*_COLUMNS).order_by(DECISIONS.c.number)


def _read(connection: Connection, query: Select[Any]) -> Iterator[Decided]:
    for row in connection.execute(query.execution_options(yield_per=500)).mappings():
        values = dict(row)
        values["made_at"] = aware(values["made_at"])
        values["targets"] = tuple(values["targets"])
        values["indicators"] = tuple(Mark(mark["start"], mark["end"], mark["label"]) for mark in values["indicators"])
        yield Decided(**values)
