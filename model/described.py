"""What tables and entities say of a text, whatever its scores: context, author, practices, entities."""

from functools import cache

from model import authors, deadline, entities
from model.document import Document
from model.records import AuthorInfo, ContextCue, EntityMention, PracticeMention
from model.tables import load_tables
from model.text import Span


def raw_range(document: Document, span: Span) -> tuple[int, int, str]:
    """A range of the clean text in the text as received: start, end, and the characters there."""
    raw = document.clean.to_raw(span)
    return raw.start, raw.end, document.clean.raw[raw.start : raw.end]


@cache
def _practice_names() -> dict[str, str]:
    return {practice.id: practice.name for practice in load_tables().practices}


def described(document: Document, stance: str, *, people: bool = True) -> dict[str, object]:
    """The fields `context`, `author`, `practices` and `entities` of a prediction.

    Who warns against a practice does not offer it: a stance `warns` leaves `author.beside` empty.
    """
    deadline.check()
    found = authors.find_author(document)
    author = AuthorInfo(status=found.status)
    if found.span:
        start, end, text = raw_range(document, found.span)
        beside = [] if stance == "warns" else list(found.beside)
        author = AuthorInfo(status=found.status, start=start, end=end, text=text, title=found.title, beside=beside)
    cues = []
    for cue in document.cues:
        start, end, text = raw_range(document, cue.span)
        cues.append(ContextCue(kind=cue.kind, start=start, end=end, text=text))
    practices = []
    for hit in document.hits_of("practice"):
        start, end, text = raw_range(document, hit.span)
        practices.append(PracticeMention(id=hit.entry, name=_practice_names()[hit.entry], start=start, end=end, text=text))
    mentions = []
    for entity in entities.find_entities(document, people=people):
        start, end, text = raw_range(document, entity.span)
        value = dict(entity.value) if entity.value else None
        mentions.append(EntityMention(kind=entity.kind, start=start, end=end, text=text, value=value))
    return {"context": cues, "author": author, "practices": practices, "entities": mentions}
