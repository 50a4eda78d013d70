"""What the author of a text says to be, and a regulated title that stands next to a practice that is not recognised for it."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from model.document import Document
from model.phrases import Hit, tokenize
from model.tables import Practice, Title, load_tables
from model.text import Span

# Words before a title that show that it is somebody else's (« parlez-en à votre médecin »).
_OTHERS_TITLE: Final = frozenset(
    [
        "votre", "ton", "leur", "vos", "tes", "leurs", "un", "une", "des", "le", "les", "la", "au", "aux", "avec",
        "chez", "par", "mon", "ma", "mes", "son", "sa", "ses", "du", "d", "l", "avis", "autre", "aucun", "aucune",
        "chaque", "tout", "tous", "vers", "sans", "entre", "comme", "ces", "ce", "cet", "cette", "plusieurs", "quel",
        "quelque", "ou", "de", "ni", "en", "notre", "nos", "ta", "est", "etait", "ideal", "cherche", "recherche", "recrute",
        "cherchons", "recherchons",
    ]
)  # fmt: skip
_OWN: Final = frozenset(("suis", "sommes"))
# Who held a title holds it no more; how many, and which, are other people.
_NOT_NOW: Final = frozenset(
    ["ancien", "ancienne", "anciens", "anciennes", "ex", "futur", "future", "apprenti", "apprentie", "retraite", "retraitee"]
)
_COUNTED: Final = frozenset(
    [
        "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "quinze", "vingt", "trente",
        "quarante", "cinquante", "cent", "cents", "mille", "quels", "quelles", "quelle", "certains", "certaines", "vrai", "vraie",
        "vrais", "beaucoup", "nombreux", "nombreuses", "meme", "memes", "autres", "pas", "jamais", "aucune",
    ]
)  # fmt: skip
# « Mon mari, kinésithérapeute » : an apposition to somebody else.
_SOMEBODY: Final = frozenset(
    ("mon", "ma", "mes", "son", "sa", "ses", "leur", "leurs", "un", "une", "cet", "cette", "ce", "notre")
)
_QUOTED: Final = frozenset(("quotation",))
_SAID_BY_OTHERS: Final = frozenset(("quotation", "reported_speech", "testimony"))
_BESIDE: Final = 25
_SHORT: Final = 3
_ANY: Final = "*"
# Titles that name no person.
_NOBODY: Final = frozenset(("soignant-generique", "equipe-medicale"))


@dataclass(frozen=True, slots=True)
class Author:
    """What the author says to be: `regulated`, `protected_title`, `unregulated`, `mixed` or `unknown`; range or None.

    `title` is the identifier of the title in that range. `beside`: identifiers of the practices next to a regulated or protected
    title of the author's that are not recognised for it, in order; something to look at, no proof of anything.
    """

    status: str
    span: Span | None
    title: str | None = None
    beside: tuple[str, ...] = ()


@cache
def _titles() -> dict[str, Title]:
    return {title.id: title for title in load_tables().titles}


@cache
def _practices() -> dict[str, Practice]:
    return {practice.id: practice for practice in load_tables().practices}


def find_author(document: Document) -> Author:
    """What the author says to be, by the titles not plainly given to somebody else.

    `mixed` when a regulated or protected title stands beside an unregulated one; the range is that of the first title.
    """
    own = [
        hit
        for index, hit in enumerate(document.hits)
        if hit.table == "title" and index not in document.negated and _is_own_title(document, hit)
    ]
    if not own:
        return Author("unknown", None)
    statuses = {_titles()[hit.entry].status for hit in own}
    if "unregulated" in statuses and len(statuses) > 1:
        status = "mixed"
    else:
        status = "regulated" if "regulated" in statuses else next(iter(statuses))
    return Author(status, own[0].span, own[0].entry, _beside(document, own))


def is_recognised(practice: Practice, title: Title) -> bool:
    """Whether an act is admitted for a title, by the table: named there, or of the same order as one named there."""
    if _ANY in practice.recognised or title.id in practice.recognised:
        return True
    orders = {_titles()[id].order for id in practice.recognised if id in _titles()}
    return bool(title.order) and title.order in orders


def _is_own_title(document: Document, hit: Hit) -> bool:
    """Whether nothing says that a title is somebody else's; when in doubt it is, since an order may be told of it."""
    before = [token.text for token in document.tokens[max(0, hit.first - 4) : hit.first]]
    if _OWN & set(before[-3:]) or before[-2:] == ["tant", "que"]:
        return not (_NOT_NOW & set(before[-3:]) or _within(document, hit, _QUOTED))
    last = document.tokens[hit.after - 1].text
    if hit.entry in _NOBODY or (last[-1] in "sx" and len(last) > _SHORT and last not in _names_in_s()):
        return False
    if before and (before[-1] in _OTHERS_TITLE or before[-1] in _COUNTED or before[-1].isdigit()):
        return False
    if _NOT_NOW & set(before[-1:]) or (len(before) > 1 and before[-2] in _SOMEBODY and _comma_before(document, hit)):
        return False
    return not _within(document, hit, _SAID_BY_OTHERS)


def _within(document: Document, hit: Hit, kinds: frozenset[str]) -> bool:
    return any(cue.kind in kinds and cue.span.overlaps(hit.span) for cue in document.cues)


@cache
def _names_in_s() -> frozenset[str]:
    """Last words of titles that end like a plural in the singular."""
    single = {token.text for title in load_tables().titles for token in tokenize(title.name)[-1:]}
    return frozenset(word for word in single if word[-1] in "sx")


def _comma_before(document: Document, hit: Hit) -> bool:
    return document.clean.text[: hit.span.start].rstrip().endswith(",")


def _beside(document: Document, own: list[Hit]) -> tuple[str, ...]:
    """The practices not recognised for a regulated or protected title of the author's, within 25 words of it."""
    guarded = [hit for hit in own if _titles()[hit.entry].status != "unregulated" and hit.entry not in _NOBODY]
    found = []
    for index, hit in enumerate(document.hits):
        if hit.table != "practice" or index in document.negated:
            continue
        for title in guarded:
            near = hit.first - title.after <= _BESIDE and title.first - hit.after <= _BESIDE
            apart = not hit.span.overlaps(title.span)
            if near and apart and not is_recognised(_practices()[hit.entry], _titles()[title.entry]):
                found.append(hit.entry)
    return tuple(dict.fromkeys(found))
