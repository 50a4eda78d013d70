"""Cut the rows of an input into tasks, leaving out those that an earlier session scored."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Final

from model.errors import BatchError, TextError
from model.text import check_text
from service.batch.journal import Shard
from service.batch.outputs import XLSX_ROWS
from service.batch.records import Row, Source, Task, UnreadableError, format_of
from service.batch.rows import read_rows
from service.batch.seen import SeenIds

SHARD_ROWS: Final = 1_000
_LEAST_SHARD_ROWS: Final = 50
_SHARDS_A_WORKER: Final = 4
_AHEAD: Final = 4_000
_DIGEST: Final = 16


class Reading:
    """The rows of an input, texts over the limit already answered so that they take no room; never raises half way.

    Where the input cannot be read any further, the rows end and `broken` says why. `few` is how many rows there are,
    or None if they are many.
    """

    def __init__(self, source: Source, output: Path, limit: int) -> None:
        """Read the first rows.

        Raises:
            BatchError: not a single row can be read.
        """
        self.source = source
        self.limit = limit
        self.most = XLSX_ROWS if format_of(output) == "xlsx" else None
        self.broken: UnreadableError | None = None
        rows = self._rows()
        ahead = list(islice(rows, _AHEAD))
        if self.broken and not self.broken.rows:
            raise self.broken
        self.few = len(ahead) if len(ahead) < _AHEAD else None
        self.rows = chain(ahead, rows)

    def shard_rows(self, workers: int) -> int:
        """How many rows make a shard: fewer than usual where there would not be enough for all workers."""
        if self.few is None:
            return SHARD_ROWS
        return min(SHARD_ROWS, max(_LEAST_SHARD_ROWS, -(-self.few // (workers * _SHARDS_A_WORKER))))

    def _rows(self) -> Iterator[Row]:
        try:
            for row in read_rows(self.source):
                if self.most is not None and row.number > self.most:
                    raise BatchError(f"Une feuille .xlsx ne tient que {self.most} lignes ; choisissez .csv, .jsonl ou .parquet.")
                yield self._bounded(row)
        except UnreadableError as error:
            self.broken = error

    def _bounded(self, row: Row) -> Row:
        content = repr((row.id, row.text, row.problem)).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(content, digest_size=_DIGEST).digest()
        if row.text is not None and len(row.text) > self.limit:
            try:
                check_text(row.text, self.limit)
            except TextError as error:
                return replace(row, text=None, problem=error.message, code=error.code, digest=digest)
        return replace(row, digest=digest)


def tasks(rows: Iterator[Row], shards: Mapping[int, Shard], size: int) -> Iterator[Task]:
    """Tasks of at most `size` rows for the rows of no shard, in order; identifiers met before are marked.

    Raises:
        BatchError: the rows of a shard are not those that were scored.
    """
    seen = SeenIds()
    firsts = sorted(shards)
    at = 1
    while True:
        shard = shards.get(at)
        place = bisect_right(firsts, at)
        following = firsts[place] if place < len(firsts) else at + size
        count = shard.last - at + 1 if shard else min(size, following - at)
        taken = list(islice(rows, count))
        digest = hashlib.sha256(b"".join(row.digest for row in taken)).hexdigest()
        if shard and shard.digest != digest:
            raise BatchError(
                f"Les lignes {shard.first} à {shard.last} de l'entrée ne sont pas celles qui ont été analysées : "
                "remettez l'entrée de départ, ou recommencez tout avec --overwrite."
            )
        met = seen.add([row.id for row in taken])
        if not taken:
            return
        if not shard:
            marked = [replace(row, duplicate=True) if again else row for row, again in zip(taken, met, strict=True)]
            yield Task(marked, digest)
        at += len(taken)
