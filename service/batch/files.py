"""Files of text as they come: unpacked as they are read, in the encoding that they seem to be in, one bounded line at a time."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import pyarrow as pa
from charset_normalizer import from_bytes

from model.errors import BatchError

_SAMPLE: Final = 1 << 18
#: What the libraries raise on bytes that are not, or no longer, of the format.
DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ParseError,
    csv.Error,
    zlib.error,
    BadZipFile,
    pa.ArrowException,
)
#: Characters of a line of CSV or JSONL, or of a cell; what is longer is told, and what follows is read.
LONGEST: Final = 4_000_000
#: What is kept of a line that is too long.
_KEPT: Final = 200
#: Of the bytes beyond ASCII, how many may be broken for a file still to count as UTF-8.
_BROKEN_SHARE: Final = 0.05
#: Listings grow some ten times when they are unpacked; what grows a hundred times and is large was made to be.
GROWTH: Final = 100
LARGE: Final = 1_000_000_000
#: Of every so many bytes of UTF-16, one at least is null: commas, spaces and line breaks each have one.
_NULLS: Final = 20

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Counted(io.RawIOBase):
    """A raw file that knows how much of it was read."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self.size = max(1, path.stat().st_size)
        self.done = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of any raw file."""
        count = self.file.readinto(buffer) or 0
        self.done += count
        return count

    def close(self) -> None:
        """As of any file."""
        self.file.close()
        super().close()

    def share(self) -> float:
        """How much of it was read, in [0, 1]."""
        return min(1.0, self.done / self.size)


class _Unpacked(gzip.GzipFile):
    """What gzip packed; one that would fill a disk from a handful of bytes is not read on."""

    def __init__(self, raw: Counted) -> None:
        super().__init__(fileobj=io.BufferedReader(raw))
        self._raw = raw
        self._size = 0

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1(size))

    def _checked(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > LARGE and self._size > GROWTH * self._raw.size:
            raise BatchError(f"Le fichier se décompresse en plus de {GROWTH} fois sa taille : il n'a pas été lu.")
        return piece


@contextmanager
def opened(path: Path) -> Iterator[tuple[Counted, IO[bytes] | gzip.GzipFile]]:
    """A file, unpacked if its name ends in `.gz`, and the raw file below it, which knows how much of it was read."""
    with Counted(path) as raw:
        yield raw, _Unpacked(raw) if path.suffix.lower() == ".gz" else io.BufferedReader(raw)


def detect_encoding(path: Path) -> str:
    """The encoding of a text file: a byte order mark decides, then null bytes, then UTF-8 if nearly all of it is valid, then a
    guess.

    Raises:
        BatchError: the mark is of UTF-16 or UTF-32, and the content is not.
    """
    with opened(path) as (_, content):
        pieces = _pieces(content)
        sample = start_of(pieces)
        for mark, name in _MARKS:
            if sample.startswith(mark):
                if name != "utf-8-sig" and sample.count(0) * _NULLS < len(sample) - len(mark):
                    raise BatchError(
                        f"Le fichier commence par la marque de {name.upper()}, et son contenu n'en est pas : "
                        "enregistrez-le de nouveau, en UTF-8."
                    )
                return name
        if unmarked := _wide(sample):
            return unmarked
        if _is_utf8(chain([sample], pieces)):
            return "utf-8"
    guess = from_bytes(sample, cp_isolation=["cp1252", "latin_1", "mac_roman", "cp850"]).best()
    # The machines that write French listings in one byte a letter write this one.
    return guess.encoding if guess else "cp1252"


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: in what is French, one byte of each two is nearly always null."""
    half = len(sample) // 2
    if half and sample[1::2].count(0) > half * 3 // 4 and sample[::2].count(0) * _NULLS < half:
        return "utf-16-le"
    if half and sample[::2].count(0) > half * 3 // 4 and sample[1::2].count(0) * _NULLS < half:
        return "utf-16-be"
    return None


def _pieces(content: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """The bytes of a file as far as they can be read: a damage further on is for the reading of rows to tell."""
    try:
        while piece := content.read1(_SAMPLE):  # type: ignore[union-attr]
            yield piece
    except DAMAGE:
        return


def start_of(pieces: Iterator[bytes]) -> bytes:
    """The beginning of what comes in pieces, as much as tells what it is."""
    sample = b""
    for piece in pieces:
        sample += piece
        if len(sample) >= _SAMPLE:
            break
    return sample


def sample_of(path: Path, encoding: str) -> str:
    """The beginning of a text file; a character that the sample ends inside of is left out."""
    with opened(path) as (_, content):
        return codecs.getincrementaldecoder(encoding)("surrogateescape").decode(start_of(_pieces(content)))


def _is_utf8(pieces: Iterator[bytes]) -> bool:
    broken = beyond = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for piece in pieces:
        text = decoder.decode(piece)
        if not text.isascii():
            broken += sum("\udc80" <= character <= "\udcff" for character in text)
            beyond += sum(character > "\x7f" for character in text)
    return broken <= _BROKEN_SHARE * beyond


class Line(NamedTuple):
    """A line with its end; of one that is longer than `LONGEST` characters, the beginning, and `whole` is false."""

    text: str
    whole: bool = True


def lines_of(file: io.TextIOWrapper) -> Iterator[Line]:
    """The lines of a text; one that is too long is passed over without ever being held."""
    while text := file.readline(LONGEST):
        if len(text) < LONGEST or text.endswith(("\n", "\r")):
            yield Line(text)
            continue
        yield Line(text[:_KEPT], whole=False)
        while (rest := file.readline(_SAMPLE)) and not rest.endswith(("\n", "\r")):
            pass
