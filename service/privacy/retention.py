"""How long what is held is kept, by what became of it: the rules with their reasons, and the plan of the next purge.

Nothing is purged by itself: a person asks for it, by page or command. A text of a case that is not closed, one that somebody
works on and one that is being contested are never purged; the plan says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, literal, or_, select

from service.cases.schema import CASE_ITEMS, CASES
from service.database import FEEDBACK, TEXTS
from service.privacy.schema import REEXAMINATIONS, REQUESTS
from service.privacy.unsaid import PURGED_CONTACT, PURGED_TITLE
from service.settings import Settings
from service.workplace.receptions import RECEPTIONS
from service.workplace.schema import CLAIMS, DECISIONS, GOLDEN, IMPORT_ERRORS, IMPORTS, ITEMS
from service.workplace.times import aware, now


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of data, the setting that says how many days it is kept, from when, and why by default so long."""

    id: str
    name: str
    since: str
    reason: str
    shares: str = ""

    @property
    def setting(self) -> str:
        """The name of its setting, which it may share with another rule."""
        return f"retention_{self.shares or self.id}"

    @property
    def variable(self) -> str:
        """Its setting as the environment names it."""
        return f"VIGIE_{self.setting.upper()}"


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "new",
        "textes que personne n'a décidés",
        "dernière réception",
        "Un texte que personne n'a lu en six mois n'aide personne ; s'il est encore en ligne, une nouvelle collecte le rapporte.",
    ),
    Rule(
        "undecided",
        "textes sans conclusion (« je ne sais pas », relecture ou arbitrage en attente)",
        "dernière décision",
        "Le temps qu'une seconde personne tranche ; au-delà d'un an, l'offre a changé.",
    ),
    Rule(
        "level0",
        "textes décidés de niveau 0",
        "décision",
        "Rien n'y a été relevé : leur auteur n'a pas à rester dans cet outil. Trois mois laissent corriger une erreur.",
    ),
    Rule(
        "decided",
        "textes décidés de niveau 1 à 3, hors dossier",
        "décision",
        "Le temps de relier des offres qui reviennent d'une saison à l'autre et de corriger le modèle.",
    ),
    Rule(
        "golden",
        "textes étalons",
        "choix comme étalon",
        "Ils mesurent les relecteurs ; un jeu de plus de trois ans est connu de tous et ne mesure plus.",
    ),
    Rule(
        "case",
        "textes des dossiers clos",
        "clôture du dossier",
        "Le temps de répondre aux suites d'une transmission. La durée utile à l'autorité saisie est à fixer avec elle.",
    ),
    Rule(
        "cases",
        "dossiers clos : titre, objet, notes, réponses, raisons",
        "clôture du dossier",
        "Comme leurs textes. Le numéro, les dates, les états, les destinataires et les empreintes des exports restent.",
        "case",
    ),
    Rule("stored", "textes gardés à la demande d'un programme (« store »)", "dernier dépôt", "Le temps d'une correction."),
    Rule("feedback", "corrections reçues par l'API", "réception", "Le temps d'entraîner le modèle suivant, une fois par an."),
    Rule("errors", "lignes refusées des imports", "fin de l'import", "Le temps de corriger le fichier et de le renvoyer."),
    Rule("files", "fichiers d'import arrêtés ou en attente, exports écrits", "demande", "Le temps de reprendre l'import."),
    Rule(
        "requests",
        "demandes closes des personnes concernées",
        "clôture de la demande",
        "Pouvoir montrer qu'il a été répondu. Le contact est remplacé par une empreinte ; les étapes restent sans leurs mots.",
    ),
)
RULE_NAMES: Final = {rule.id: rule.name for rule in RULES}
#: Rules whose rows are texts of the workplace.
ITEM_RULES: Final = ("new", "undecided", "level0", "decided", "golden", "case")

#: Decisions by which a person looks at a contested text again.
ANEW: Final = ("first", "revision", "adjudication")
#: Why texts past their time are kept all the same, in French.
KEPT: Final = {
    "open_case": "dans un dossier qui n'est pas clos : jamais purgés",
    "contested": "contestés, en attente d'un réexamen humain",
    "claimed": "pris en lecture en ce moment",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What a rule would purge: how many, since when the oldest is past keeping (UTC), and those kept all the same, by KEPT."""

    rule: Rule
    days: int
    going: int
    oldest: datetime | None
    kept: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a purge at this moment would take out; nothing is changed by making it."""

    made_at: datetime
    lines: Sequence[Line]

    @property
    def going(self) -> int:
        """How many rows and files, all rules together."""
        return sum(line.going for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "going": self.going,
            "rules": [
                {
                    "id": line.rule.id,
                    "name": line.rule.name,
                    "setting": line.rule.variable,
                    "days": line.days,
                    "since": line.rule.since,
                    "going": line.going,
                    "oldest": line.oldest.isoformat(timespec="seconds") if line.oldest else None,
                    "kept": {KEPT[name]: number for name, number in line.kept.items()},
                    "reason": line.rule.reason,
                }
                for line in self.lines
            ],
        }


def days_of(settings: Settings, rule: Rule) -> int:
    """How many days a rule keeps."""
    days: int = getattr(settings, rule.setting)
    return days


def _open_case() -> ColumnElement[bool]:
    joined = select(CASE_ITEMS.c.item_id).join(CASES, CASES.c.id == CASE_ITEMS.c.case_id)
    return exists(joined.where(CASE_ITEMS.c.item_id == ITEMS.c.id, CASES.c.status != "closed").correlate(ITEMS))


def contested() -> ColumnElement[bool]:
    """The condition on `items` that a text waits for a person to look at it again."""
    again = exists(
        select(DECISIONS.c.number).where(
            DECISIONS.c.item_id == REEXAMINATIONS.c.item_id,
            DECISIONS.c.number > REEXAMINATIONS.c.after,
            DECISIONS.c.kind.in_(ANEW),
        )
    ).correlate(REEXAMINATIONS)
    asked = select(REEXAMINATIONS.c.item_id).join(REQUESTS, REQUESTS.c.id == REEXAMINATIONS.c.request_id)
    waiting = asked.where(REEXAMINATIONS.c.item_id == ITEMS.c.id, REQUESTS.c.state == "open", ~again)
    return exists(waiting.correlate(ITEMS))


def _claimed() -> ColumnElement[bool]:
    return exists(select(CLAIMS.c.item_id).where(CLAIMS.c.item_id == ITEMS.c.id, CLAIMS.c.expires_at > now()).correlate(ITEMS))


def held() -> dict[str, ColumnElement[bool]]:
    """The conditions on `items` under which a text is never purged, by the words of KEPT."""
    return {"open_case": _open_case(), "contested": contested(), "claimed": _claimed()}


def _in_case() -> ColumnElement[bool]:
    return exists(select(CASE_ITEMS.c.item_id).where(CASE_ITEMS.c.item_id == ITEMS.c.id).correlate(ITEMS))


def _golden() -> ColumnElement[bool]:
    return exists(select(GOLDEN.c.item_id).where(GOLDEN.c.item_id == ITEMS.c.id).correlate(ITEMS))


def _since(rule: str) -> ColumnElement[Any]:
    """From when a text of a rule is kept its time."""
    if rule == "new":
        again = (
            select(func.max(RECEPTIONS.c.received_at))
            .where(RECEPTIONS.c.item_id == ITEMS.c.id)
            .correlate(ITEMS)
            .scalar_subquery()
        )
        return case((again > ITEMS.c.received_at, again), else_=ITEMS.c.received_at)
    if rule == "undecided":
        last = select(func.max(DECISIONS.c.made_at)).where(DECISIONS.c.item_id == ITEMS.c.id).correlate(ITEMS).scalar_subquery()
        return func.coalesce(last, ITEMS.c.received_at)
    if rule == "golden":
        return select(GOLDEN.c.made_at).where(GOLDEN.c.item_id == ITEMS.c.id).correlate(ITEMS).scalar_subquery()
    if rule == "case":
        joined = select(func.max(CASES.c.changed_at)).join(CASE_ITEMS, CASE_ITEMS.c.case_id == CASES.c.id)
        return joined.where(CASE_ITEMS.c.item_id == ITEMS.c.id).correlate(ITEMS).scalar_subquery()
    return ITEMS.c.decided_at


def _of_rule(rule: str) -> list[ColumnElement[bool]]:
    """The texts that a rule is about; a text is of one rule."""
    if rule == "case":
        return [_in_case()]
    if rule == "golden":
        return [_golden(), ~_in_case()]
    apart = [~_in_case(), ~_golden()]
    if rule == "new":
        return [ITEMS.c.state == "new", *apart]
    if rule == "undecided":
        undecided = or_(
            ITEMS.c.state.in_(("open", "disputed", "unsure")), and_(ITEMS.c.state == "done", ITEMS.c.decided_level.is_(None))
        )
        return [undecided, *apart]
    level = ITEMS.c.decided_level == 0 if rule == "level0" else ITEMS.c.decided_level > 0
    return [ITEMS.c.state == "done", level, *apart]


def past(rule: str, before: datetime) -> list[ColumnElement[bool]]:
    """The conditions on `items` that a text of a rule was kept its time; `held` texts are among them."""
    return [*_of_rule(rule), _since(rule) < before]


def going_items(rule: str, before: datetime, size: int) -> "Select[Any]":
    """The identifiers of the next texts that a rule purges."""
    free = [~condition for condition in held().values()]
    return select(ITEMS.c.id).where(*past(rule, before), *free).order_by(ITEMS.c.id).limit(size)


def make_plan(connection: Connection, settings: Settings, files: Sequence[datetime] = ()) -> Plan:
    """What a purge would take out now; `files`: when the files that wait in the spool were asked for (`purge.old_files`)."""
    moment = now()
    lines = []
    for rule in RULES:
        days = days_of(settings, rule)
        before = moment - timedelta(days=days)
        if rule.id in ITEM_RULES:
            lines.append(_line_of_items(connection, rule, days, before))
        elif rule.id == "files":
            old = [at for at in files if at < before]
            lines.append(Line(rule, days, len(old), min(old, default=None), {}))
        else:
            count, oldest = connection.execute(_counted(rule.id, before)).one()
            lines.append(Line(rule, days, count, aware(oldest) if oldest else None, {}))
    return Plan(moment, lines)


def _line_of_items(connection: Connection, rule: Rule, days: int, before: datetime) -> Line:
    since = _since(rule.id)
    where = past(rule.id, before)
    free = [~condition for condition in held().values()]
    count, oldest = connection.execute(select(func.count(), func.min(since)).select_from(ITEMS).where(*where, *free)).one()
    kept = {
        name: int(connection.execute(select(func.count()).select_from(ITEMS).where(*where, condition)).scalar_one())
        for name, condition in held().items()
    }
    return Line(rule, days, int(count), _instant(oldest), {name: number for name, number in kept.items() if number})


def _instant(value: Any) -> datetime | None:
    """An instant that SQLite may give as words."""
    if value is None:
        return None
    return aware(datetime.fromisoformat(value) if isinstance(value, str) else value)


def rows_of(rule: str, before: datetime) -> tuple[Any, Any, list[ColumnElement[bool]]]:
    """The table of a rule that is not about texts, when its rows are from, and the conditions that they were kept their time."""
    if rule == "stored":
        return TEXTS, TEXTS.c.stored_at, [TEXTS.c.stored_at < before]
    if rule == "feedback":
        return FEEDBACK, FEEDBACK.c.received_at, [FEEDBACK.c.received_at < before]
    if rule == "requests":
        # One that was purged holds no contact any more.
        return REQUESTS, REQUESTS.c.closed_at, [REQUESTS.c.closed_at < before, REQUESTS.c.contact_kind != PURGED_CONTACT]
    if rule == "cases":
        return CASES, CASES.c.changed_at, [CASES.c.status == "closed", CASES.c.changed_at < before, CASES.c.title != PURGED_TITLE]
    ended = select(IMPORTS.c.id).where(IMPORTS.c.finished_at < before)
    return IMPORT_ERRORS, literal(None), [IMPORT_ERRORS.c.import_id.in_(ended)]


def _counted(rule: str, before: datetime) -> "Select[Any]":
    table, since, where = rows_of(rule, before)
    oldest = func.min(since) if rule != "errors" else literal(None)
    return select(func.count(), oldest).select_from(table).where(*where)
