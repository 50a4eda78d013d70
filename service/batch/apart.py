"""Reads what may ask for any amount of memory, or bring its library down, in a process of its own that may do neither here.

The libraries of Parquet and of workbooks take what memory a file tells them to take. A bound that the system keeps, on a
process that only reads, makes the worst file a message.
"""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from model.errors import BatchError, VigieError

_T = TypeVar("_T")
#: Bytes that the process may take for data.
MEMORY: Final = 2_000_000_000
#: Seconds without a row after which a file is given up.
_SILENCE: Final = 120.0
#: Rows, and characters of what they hold, that are sent at a time.
_LOT: Final = 256
_LOT_SIZE: Final = 2_000_000


def read_apart(read: Callable[..., Iterator[_T]], *given: Any, weight: Callable[[_T], int]) -> Iterator[_T]:
    """What `read(*given)` gives, read in another process; `read`, `given` and what is given must be such as can be pickled.

    `weight` says how many characters one of them holds. Of what is read, little is ever held here.

    Raises:
        VigieError: what `read` raised; or BatchError, the reading took too much memory or time, or ended its process.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, read, given, weight, MEMORY), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            if not ours.poll(_SILENCE):
                raise BatchError(f"La lecture du fichier n'avance plus depuis {_SILENCE:.0f} s : elle est abandonnée.")
            try:
                lot = ours.recv()
            except (EOFError, OSError):
                raise BatchError("Le fichier a fait tomber ce qui le lit : il est abîmé, ou fait pour nuire.") from None
            if isinstance(lot, VigieError):
                raise lot
            if lot is None:
                return
            yield from lot
    finally:
        ours.close()
        process.kill()
        process.join()


def _send(there: Connection, read: Callable[..., Iterator[_T]], given: Any, weight: Callable[[_T], int], memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lot: list[_T] = []
    size = 0
    end: VigieError | None = None
    with suppress(OSError):  # nobody listens any more
        try:
            for one in read(*given):
                lot.append(one)
                size += weight(one)
                if len(lot) == _LOT or size > _LOT_SIZE:
                    there.send(lot)
                    lot, size = [], 0
        except VigieError as error:
            end = error
        except MemoryError:
            end = BatchError(f"La lecture du fichier demande plus de {memory} octets de mémoire : elle est abandonnée.")
        except Exception as error:  # the libraries raise many kinds on bytes that are not what they should be
            end = BatchError(f"Fichier illisible, ou abîmé ({type(error).__name__}).")
        if lot:
            there.send(lot)
        there.send(end)
