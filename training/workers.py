"""Processes that work beside a training, and that end with it even when it is killed."""

import ctypes
import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any


def workers(count: int, start: Callable[..., None] | None = None, given: tuple[Any, ...] = ()) -> ProcessPoolExecutor:
    """A pool of fresh processes, each prepared by `start(*given)`.

    A copy of this process would share the encoder's session, which is not made for that.
    """
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin, initargs=(start, given))


def give_back_memory() -> None:
    """Return to the system what is no longer used: glibc keeps it, and others need it to load their models beside this process.

    Elsewhere than on glibc, nothing is done.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _begin(start: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*given)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
