"""What the formats share: one view per annotator, the rest of a text carried along, and the way back.

A tool shows and edits the labels in its own fields. All else (channel, theme, group, who read again…) travels in one field,
`vigie`, that tools keep. On the way back the tool's own fields win: labels that were edited there are the new labels, and
the level is computed again by the guide.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from model.errors import CorpusError
from model.labels import STANCE_IDS, TARGET_IDS
from model.levels import level_of
from training.corpus import AnnotatedText, Annotation, Annotator, Comment, Passage, to_dict

#: The annotator of labels that came without a name.
UNNAMED: Final = {"id": "inconnu", "kind": "person"}
_LABELS: Final = ("text", "stance", "risk_level", "indicators", "targets", "annotator", "annotations", "comments")


@dataclass(frozen=True, slots=True)
class View:
    """The labels of one annotator: passages as (start, end, label) in code points, stance, targets.

    `rank` says which of how many annotations of the text this was when it was exported: (0, 3) is the decided one of three.
    None for what the tool itself added.
    """

    annotator: Mapping[str, str] | None
    stance: str
    targets: tuple[str, ...]
    passages: tuple[tuple[int, int, str], ...]
    rank: tuple[int, int] | None = None


def views_of(text: AnnotatedText) -> list[View]:
    """The decided labels first, then those of the other annotators."""
    every: tuple[AnnotatedText | Annotation, ...] = (text, *text.annotations)
    return [_view(labels, (number, len(every))) for number, labels in enumerate(every)]


def _view(labels: AnnotatedText | Annotation, rank: tuple[int, int]) -> View:
    return View(
        labels.annotator.model_dump() if labels.annotator else None,
        labels.stance,
        labels.targets,
        tuple((passage.start, passage.end, passage.label) for passage in labels.indicators),
        rank,
    )


def rest_of(text: AnnotatedText, view: View | None = None) -> dict[str, Any]:
    """What a tool has no field for: JSON values by name of the corpus line, and the rank of one view."""
    rest = {name: value for name, value in to_dict(text).items() if name not in _LABELS}
    return rest | ({"annotation": view.rank} if view and view.rank else {})


def take_rank(kept: dict[str, Any]) -> tuple[int, int] | None:
    """The rank that `rest_of` wrote, taken out of what was kept."""
    rank = kept.pop("annotation", None)
    return (int(rank[0]), int(rank[1])) if rank else None


def comments_of(text: AnnotatedText) -> list[dict[str, Any]]:
    """The comments as JSON objects."""
    return [comment.model_dump() for comment in text.comments]


def rebuild(
    content: str,
    rest: Mapping[str, Any],
    views: Sequence[View],
    comments: Iterable[Mapping[str, Any]],
    place: str,
) -> AnnotatedText:
    """A corpus text from its parts; `place` names the row in messages.

    Raises:
        CorpusError: a field is missing or wrong, or nobody labelled the text.
    """
    if not views:
        raise CorpusError(f"{place} : aucune annotation.")
    first, *others = _in_order(views, place)
    if first.rank is None and others:
        # Nobody has decided yet: the first stands for the time being, and both stay as separate annotations.
        others = [first, *others]
    base = {"channel": "website", "provenance": "imported", **rest}
    try:
        return AnnotatedText.model_validate(
            {
                **base,
                "text": content,
                **_labels(first),
                "annotator": first.annotator,
                "annotations": [
                    Annotation.model_validate({**_labels(view), "annotator": view.annotator or UNNAMED}) for view in others
                ],
                "comments": [Comment.model_validate(comment) for comment in comments],
            }
        )
    except ValidationError as error:
        raise CorpusError(f"{place} : {first_fault(error)}.") from error


def _in_order(views: Sequence[View], place: str) -> list[View]:
    """The decided labels first, then the others as they were exported, then what the tool added.

    Raises:
        CorpusError: an exported annotation is missing or comes twice, or one annotator comes twice.
    """
    ranked = {view.rank[0]: view for view in views if view.rank}
    added = [view for view in views if not view.rank]
    if ranked:
        expected = max(view.rank[1] for view in views if view.rank)
        missing = set(range(expected)) - set(ranked)
        if missing or len(ranked) + len(added) < len(views):
            which = "décidée" if 0 in missing else "d'un autre annotateur"
            what = f"l'annotation {which} manque ou est fautive" if missing else "une annotation vient deux fois"
            raise CorpusError(f"{place} : {what} ; le texte est laissé de côté ({expected} annotation(s) exportée(s)).")
    names = [view.annotator["id"] if view.annotator else None for view in added]
    if len(set(names)) < len(names):
        raise CorpusError(f"{place} : le même annotateur a annoté deux fois ce texte ; un seul est attendu.")
    return [*(ranked[number] for number in sorted(ranked)), *added]


def first_fault(error: ValidationError) -> str:
    """The first fault of a line, with its field."""
    fault = error.errors()[0]
    return f"champ « {'.'.join(map(str, fault['loc'])) or 'ligne'} » : {fault['msg']}"


def _labels(view: View) -> dict[str, Any]:
    passages = [Passage.model_validate({"label": label, "start": start, "end": end}) for start, end, label in view.passages]
    signs = {passage.label for passage in passages}
    level = level_of(view.stance, signs, view.targets).value
    return {"stance": view.stance, "targets": view.targets, "indicators": passages, "risk_level": level}


def choices_of(view: View) -> list[str]:
    """Stance and targets as the choices of a tool that has one list."""
    return [view.stance, *view.targets]


def from_choices(choices: Iterable[str], place: str) -> tuple[str, tuple[str, ...]]:
    """Stance and targets from a list of choices.

    Raises:
        CorpusError: not exactly one stance, or an unknown choice.
    """
    chosen = list(choices)
    stances = [choice for choice in chosen if choice in STANCE_IDS]
    unknown = [choice for choice in chosen if choice not in STANCE_IDS and choice not in TARGET_IDS]
    if len(stances) != 1 or unknown:
        expected = f"une stance ({', '.join(STANCE_IDS)}) et des cibles ({', '.join(TARGET_IDS)}) sont attendues"
        raise CorpusError(f"{place} : choix {chosen} ; {expected}.")
    return stances[0], tuple(choice for choice in chosen if choice in TARGET_IDS)


def kept_field(value: Any, place: str) -> dict[str, Any]:
    """What an export kept beside the labels, as a copy.

    Raises:
        CorpusError: it is not an object.
    """
    if not isinstance(value, Mapping):
        raise CorpusError(f"{place} : champ « vigie » ({type(value).__name__}) ; un objet JSON est attendu.")
    return dict(value)


def text_field(value: Any, place: str) -> str:
    """The text of a row.

    Raises:
        CorpusError: it is not a text.
    """
    if not isinstance(value, str):
        raise CorpusError(f"{place} : champ « text » ({type(value).__name__}) ; un texte est attendu.")
    return value


def annotator_of(value: Any) -> dict[str, str] | None:
    """An annotator from what a tool kept of it: ours, or a name."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        if set(value) == {"id", "kind"}:
            return Annotator.model_validate(dict(value)).model_dump()
        # Tools describe their users in their own ways.
        value = value.get("email") or value.get("username") or value.get("id")
        return None if value is None else {"id": str(value), "kind": "person"}
    return {"id": str(value), "kind": "person"}


@dataclass(frozen=True, slots=True)
class Row:
    """One annotator's view of a text as a file holds it; `place` names the row in messages."""

    place: str
    content: str
    rest: Mapping[str, Any]
    view: View
    comments: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import read, and the rows it could not, each named with its fault."""

    texts: tuple[AnnotatedText, ...]
    faults: tuple[str, ...]


def collect(rows: Iterable[Row | CorpusError]) -> Imported:
    """Texts from rows of one annotator each, put together by identifier, in order of first appearance; the rest goes on."""
    faults: list[str] = []
    found: dict[str, list[Row]] = {}
    for number, row in enumerate(rows, start=1):
        if isinstance(row, CorpusError):
            faults.append(str(row))
            continue
        name = str(row.rest.get("id") or f"import-{number}")
        parts = found.setdefault(name, [])
        if parts and parts[0].content != row.content:
            faults.append(f"{row.place} : l'identifiant « {name} » a un autre texte en {parts[0].place}.")
        else:
            parts.append(row)
    texts = []
    for name, parts in found.items():
        first = parts[0]
        try:
            comments = [comment for part in parts for comment in part.comments]
            texts.append(rebuild(first.content, {**first.rest, "id": name}, [part.view for part in parts], comments, first.place))
        except CorpusError as error:
            faults.append(str(error))
    return Imported(tuple(texts), tuple(faults))


def _check_row(row: Row) -> None:
    """Refuse what a parser takes as it comes: a text that is none, extras of another type, passages that lie outside."""
    if not isinstance(row.content, str) or not row.content:
        raise CorpusError(f"{row.place} : champ « text » vide ou absent ; un texte est attendu.")
    if not isinstance(row.rest, Mapping) or not all(isinstance(comment, Mapping) for comment in row.comments):
        raise CorpusError(f"{row.place} : champ « vigie » ou commentaires mal formés ; des objets JSON sont attendus.")
    for start, end, label in row.view.passages:
        if not 0 <= start < end <= len(row.content):
            length = len(row.content)
            raise CorpusError(
                f"{row.place} : passage {label} [{start}, {end}[ hors du texte ({length} points de code) ou à l'envers."
            )


def parse_each(
    items: Iterable[tuple[str, Any] | CorpusError], parse: Callable[[str, Any], Iterable[Row]]
) -> Iterator[Row | CorpusError]:
    """The rows of every item; what an item lacks becomes a fault that names it."""
    for item in items:
        if isinstance(item, CorpusError):
            yield item
            continue
        place, value = item
        if value is None or isinstance(value, list | str | int | float):
            yield CorpusError(f"{place} : un objet JSON est attendu.")
            continue
        try:
            rows = list(parse(place, value))
            for row in rows:
                _check_row(row)
            yield from rows
        except CorpusError as error:
            yield error
        except ValidationError as error:
            yield CorpusError(f"{place} : {first_fault(error)}.")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            yield CorpusError(f"{place} : champ absent ou mal formé ({type(error).__name__} : {error}).")
