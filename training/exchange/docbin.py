"""spaCy DocBin: one Doc a text, a span group `signs` with the decided passages, one more group per other annotator.

Spans of spaCy go from token to token, passages need not: each Doc keeps the exact positions beside its groups. A group that
was edited in spaCy is read as it is.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange.common import Row, View, annotator_of, comments_of, parse_each, rest_of, views_of
from training.exchange.reading import MOST_BYTES

_DECIDED: Final = "signs"
_KEPT: Final = "vigie"
_PIECE: Final = 1 << 20


@cache
def _french() -> Language:
    return spacy.blank("fr")


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the binary file."""
    bin_ = DocBin(store_user_data=True)
    for text in texts:
        doc = _french().make_doc(text.text)
        views = []
        for number, view in enumerate(views_of(text)):
            group = _group(number)
            _mark(doc, group, view.passages)
            views.append({"annotator": view.annotator, "stance": view.stance, "targets": view.targets, "exact": view.passages})
        doc.user_data[_KEPT] = json.dumps(
            {"text": text.text, "rest": rest_of(text), "views": views, "comments": comments_of(text)}, ensure_ascii=False
        )
        bin_.add(doc)
    target.write_bytes(bin_.to_bytes())


def _group(number: int) -> str:
    return _DECIDED if number == 0 else f"{_DECIDED}_{number}"


def _mark(doc: Doc, group: str, passages: Iterable[tuple[int, int, str]]) -> None:
    found = (doc.char_span(start, end, label=label, alignment_mode="expand") for start, end, label in passages)
    doc.spans[group] = [span for span in found if span is not None]


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of a file that this module wrote, edited or not.

    Raises:
        CorpusError: the file cannot be read or is no DocBin.
    """
    try:
        packed = source.read_bytes()
        _check_size(packed, source)
        docs = DocBin().from_bytes(packed).get_docs(_french().vocab)
        items = [(f"{source}, document {number}", doc) for number, doc in enumerate(docs, start=1)]
    except CorpusError:
        raise
    except OSError as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error
    except Exception as error:  # spaCy and its codecs raise many kinds on bytes that are no DocBin
        raise CorpusError(f"{source} : ce n'est pas un DocBin de spaCy ({type(error).__name__}).") from error
    return parse_each(items, _parse)


def _check_size(packed: bytes, source: Path) -> None:
    """Refuse what would unpack to more than any corpus holds, before it is unpacked whole."""
    unpacker, size, waiting = zlib.decompressobj(), 0, packed
    while waiting and not unpacker.eof:
        size += len(unpacker.decompress(waiting, _PIECE))
        waiting = unpacker.unconsumed_tail
        if size > MOST_BYTES:
            raise CorpusError(f"{source} : plus de {MOST_BYTES} octets une fois décompressé : il n'a pas été lu.")


def _parse(place: str, doc: Doc) -> Iterable[Row]:
    if _KEPT not in doc.user_data:
        raise CorpusError(f"{place} : sans les données de Vigie (stance, cibles) ; un export de Vigie est attendu.")
    kept: dict[str, Any] = json.loads(doc.user_data[_KEPT])
    if not kept["views"]:
        raise CorpusError(f"{place} : aucune annotation.")
    for number, view in enumerate(kept["views"]):
        exact = [(int(start), int(end), str(label)) for start, end, label in view["exact"]]
        group = _group(number)
        shown = [(span.start_char, span.end_char, span.label_) for span in doc.spans[group]] if group in doc.spans else []
        _mark(doc, "_expected", exact)
        expected = [(span.start_char, span.end_char, span.label_) for span in doc.spans["_expected"]]
        passages = exact if shown == expected else shown
        found = View(
            annotator_of(view["annotator"]), view["stance"], tuple(view["targets"]), tuple(passages), (number, len(kept["views"]))
        )
        yield Row(place, doc.text, kept["rest"], found, tuple(kept["comments"]) if number == 0 else ())
