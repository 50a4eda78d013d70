"""Reading many annotated texts, side by side in processes where there are enough of them to be worth it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from threadpoolctl import threadpool_limits

from training.corpus import AnnotatedText
from training.matrices import Example, example_of
from training.workers import workers

#: Fewer texts are read before another process has started and loaded its tables (some four seconds).
_WORTH_PROCESSES: Final = 600
_AT_ONCE: Final = 40


def read_examples(
    texts: Sequence[AnnotatedText], progress: Callable[[int, int], None], processes: int | None = None
) -> list[Example]:
    """Read, view and label texts, in order; the result does not depend on the number of processes.

    Args:
        texts: the texts to read.
        progress: called with the texts read and the texts in all.
        processes: how many to use; default: one a processor from 600 texts on, else this one alone.
    """
    count = processes or (os.cpu_count() or 1 if len(texts) >= _WORTH_PROCESSES else 1)
    if count == 1:
        return list(_counted((example_of(text) for text in texts), len(texts), progress))
    parts = [texts[first : first + _AT_ONCE] for first in range(0, len(texts), _AT_ONCE)]
    with workers(count) as pool:
        return list(_counted(chain.from_iterable(pool.map(_read, parts)), len(texts), progress))


def _read(texts: Sequence[AnnotatedText]) -> list[Example]:
    with threadpool_limits(limits=1):
        return [example_of(text) for text in texts]


def _counted(items: Iterable[Example], total: int, progress: Callable[[int, int], None]) -> Iterator[Example]:
    for done, item in enumerate(items, start=1):
        progress(done, total)
        yield item
