"""The annotated corpus: one JSON object a line, read with the file and line of every fault."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import CorpusError

CORPUS: Final = Path("data/annotated")
SPLITS: Final = ("train", "dev", "test")

Indicator = Literal[
    "miracle_cure",
    "breaking_with_medicine",
    "medicine_disparagement",
    "mystical_discourse",
    "pseudo_science",
    "undue_influence",
    "isolation",
    "financial_pressure",
    "misleading_title",
    "unrecognised_training",
    "vulnerable_target",
    "physical_danger",
]
Stance = Literal["promotes", "warns", "neutral"]
Target = Literal["illness", "serious_illness", "minor"]
Lookalike = Literal["warning", "victim", "news", "satire", "question", "regulated_care", "prudent_wellness", "homonym"]
Register = Literal["polished", "commercial", "chatty", "sms", "capitals", "scholarly", "speech", "plain"]
Genre = Literal[
    "presentation",
    "service",
    "faq",
    "testimonial",
    "price_list",
    "blog",
    "event",
    "legal_notice",
    "menu_remains",
    "entry",
    "other",
]
Region = Literal["be", "ch", "qc", "antilles", "reunion", "africa"]
Mark = Literal["soft_sentence", "facade_disclaimer", "evasive_spelling", "noise", "person_at_risk"]
Contrast = Literal[
    "negation",
    "bare_negation",
    "condition",
    "question",
    "quotation",
    "warning",
    "regret",
    "recognised_care",
    "speaker",
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Passage(_Strict):
    """A passage that shows an indicator: half-open range in code points of the text."""

    label: Indicator
    start: int = Field(ge=0)
    end: int = Field(ge=1)


class Annotator(_Strict):
    """Who labelled: an identifier, and truthfully whether a person or a language model."""

    id: str
    kind: Literal["model", "person"]


class Reader(Annotator):
    """Who read a text again after its writer, and what of it they changed."""

    changed: tuple[Literal["text", "stance", "signs", "level", "targets"], ...] = ()
    template_like: bool = False


class Annotation(_Strict):
    """The labels that one more annotator gave a text, kept beside those that were decided."""

    annotator: Annotator
    stance: Stance
    risk_level: int = Field(ge=0, le=3)
    indicators: tuple[Passage, ...] = ()
    targets: tuple[Target, ...] = ()


class Comment(_Strict):
    """What somebody says of a text or its labels."""

    author: Annotator
    text: str = Field(min_length=1)


class AnnotatedText(_Strict):
    """One line of the corpus (contract, "Corpus line").

    Beside the labels: `theme` (a row of `training/data/themes.toml`) and `topic` (the writer's own word for it), what kind
    of writing it is (`register`; `genre` for a passage of a page; `region` where the French is not of mainland France),
    `lookalike` (what harmless thing a level-0 text is), `marks` (what makes it hard) and `contrast` (what sets this half of a
    pair apart from the other half, which has the same `group`). The labels are those decided upon; `annotations` keeps what
    other annotators said, `comments` what was said about the text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    id: str
    text: str = Field(min_length=1)
    channel: Literal["ad", "directory", "website", "social_post", "comment", "newsletter", "video_transcript", "message"]
    stance: Stance
    risk_level: int = Field(ge=0, le=3)
    indicators: tuple[Passage, ...]
    targets: tuple[Target, ...] = ()
    theme: str = ""
    topic: str = ""
    lookalike: Lookalike | None = None
    register_: Register | None = Field(default=None, alias="register")
    genre: Genre | None = None
    region: Region | None = None
    marks: tuple[Mark, ...] = ()
    contrast: Contrast | None = None
    provenance: str
    writer: str = ""
    annotator: Annotator | None = None
    second_reader: Reader | None = None
    annotations: tuple[Annotation, ...] = ()
    comments: tuple[Comment, ...] = ()
    group: str = ""
    split: str = ""

    def labels(self) -> frozenset[str]:
        """Identifiers of the indicators that the text carries."""
        return frozenset(passage.label for passage in self.indicators)

    @property
    def flagged(self) -> bool:
        """Whether an analyst should examine the text: level 2 or 3."""
        return self.risk_level >= 2


@dataclass(frozen=True, slots=True)
class Line:
    """A corpus line with the place it was read from, or the reason why it could not be read."""

    file: Path
    number: int
    text: AnnotatedText | None
    problem: str | None

    @property
    def place(self) -> str:
        """File and line, as editors jump to them."""
        return f"{self.file}:{self.number}"


def corpus_files(source: Path) -> list[Path]:
    """The JSONL files of a corpus folder, sorted by name; or the one file given.

    Raises:
        CorpusError: nothing there.
    """
    files = [source] if source.is_file() else sorted(source.glob("*.jsonl"))
    if not files:
        raise CorpusError(f"Aucun fichier .jsonl dans {source}.")
    return files


def read_lines(source: Path) -> Iterator[Line]:
    """Every line of a corpus, readable or not, in the order of files and lines."""
    for file in corpus_files(source):
        try:
            content = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Line(file, 0, None, f"fichier illisible ({error})")
            continue
        for number, line in enumerate(content.split("\n"), start=1):
            if line.strip():
                yield _parse(file, number, line)


def _parse(file: Path, number: int, line: str) -> Line:
    try:
        return Line(file, number, AnnotatedText.model_validate_json(line), None)
    except ValidationError as error:
        faults = "; ".join(
            f"champ « {'.'.join(map(str, fault['loc'])) or 'ligne'} » : {fault['msg']}" for fault in error.errors()[:3]
        )
        return Line(file, number, None, faults)


def load_corpus(source: Path = CORPUS) -> list[AnnotatedText]:
    """All texts of a corpus.

    Raises:
        CorpusError: a line cannot be read; the message names file, line and field of the first three.
    """
    texts: list[AnnotatedText] = []
    faults: list[str] = []
    for line in read_lines(source):
        if line.text is None:
            faults.append(f"{line.place} : {line.problem}")
        else:
            texts.append(line.text)
    if faults:
        raise CorpusError(f"Corpus {source} : {len(faults)} ligne(s) illisible(s).\n" + "\n".join(faults[:3]))
    return texts


def load_texts(source: Path) -> list[str]:
    """The texts alone of a JSONL file whose lines have at least a `text`.

    Raises:
        CorpusError: the file cannot be read, or a line has no text; the message names it.
    """
    texts: list[str] = []
    try:
        lines = source.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            texts.append(str(json.loads(line)["text"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{source}:{number} : un objet JSON avec « text » est attendu.") from error
    return texts


def of_split(texts: Iterable[AnnotatedText], split: str) -> list[AnnotatedText]:
    """The texts of one split, in order."""
    return [text for text in texts if text.split == split]


def corpus_hash(texts: Iterable[AnnotatedText]) -> str:
    """Hexadecimal SHA-256 over the texts and labels, whatever their order in the files."""
    digest = hashlib.sha256()
    for text in sorted(texts, key=lambda text: text.id):
        digest.update(to_line(text).encode())
    return digest.hexdigest()


def to_dict(text: AnnotatedText) -> dict[str, Any]:
    """The JSON object of a text, without the fields left at their default."""
    data: dict[str, Any] = text.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    keep = {"indicators": [passage.model_dump() for passage in text.indicators], "targets": list(text.targets)}
    return data | keep


def to_line(text: AnnotatedText) -> str:
    """The JSON line of a text."""
    return json.dumps(to_dict(text), ensure_ascii=False)


def write_lines(texts: Iterable[AnnotatedText], target: Path) -> None:
    """Write texts as corpus lines; the file appears whole or not at all.

    Raises:
        CorpusError: the file cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text("".join(f"{to_line(text)}\n" for text in texts), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise CorpusError(f"{target} : impossible d'écrire ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
