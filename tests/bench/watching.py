"""Resident memory of a process and of all that it started, looked at from outside."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment (seconds of the monotonic clock): processes, bytes of all and of the largest one."""

    at: float
    processes: int
    total: int
    largest: int


@dataclass(slots=True)
class Watch:
    """Looks at a tree of processes; what several share is counted for each of them."""

    looks: list[Look] = field(default_factory=list)

    @property
    def peak(self) -> int | None:
        """The most that the whole tree held at a moment looked at, in bytes; None where the system does not tell."""
        return max((look.total for look in self.looks), default=None)


@contextmanager
def watched(root: int, every: float = 0.5) -> Iterator[Watch]:
    """Look at process `root` and its descendants every so many seconds, until the block ends."""
    watch, done = Watch(), threading.Event()

    def follow() -> None:
        while True:
            sizes = [size for number in tree(root) if (size := _resident(number))]
            if sizes:
                watch.looks.append(Look(time.monotonic(), len(sizes), sum(sizes), max(sizes)))
            if done.wait(every):
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def tree(root: int) -> list[int]:
    """A process and its living descendants; empty where it is gone, or on a system without /proc."""
    found = []
    waiting = [root]
    while waiting:
        number = waiting.pop()
        try:
            threads = list((_PROC / str(number) / "task").iterdir())
        except OSError:
            continue
        found.append(number)
        for thread in threads:
            try:
                waiting += map(int, (thread / "children").read_text(encoding="ascii").split())
            except OSError:
                continue
    return found


def _resident(number: int) -> int:
    try:
        return int((_PROC / str(number) / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
