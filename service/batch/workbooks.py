"""Workbooks opened to be read row by row, if what they hold can be: never more than so many bytes once unpacked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import openpyxl

from model.errors import BatchError
from service.batch.files import DAMAGE, GROWTH

#: A workbook of that size once unpacked may have grown as it likes: a small one of equal rows grows a lot.
_SMALL: Final = 100_000_000
#: The lines of a sheet, in any program.
MOST_LINES: Final = 1_048_576
_MOST_MEMBERS: Final = 10_000


def unpacked_size(path: Path) -> int:
    """Bytes of a workbook once unpacked; what its parts say of their size is all that is ever read of them.

    Raises:
        BatchError: it is no workbook.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except (BadZipFile, NotImplementedError, *DAMAGE) as error:
        raise BatchError(f"{path.name} : ce n'est pas un classeur .xlsx lisible.") from error
    if len(members) > _MOST_MEMBERS:
        raise BatchError(f"{path.name} : {len(members)} parties ; un classeur .xlsx en a moins de {_MOST_MEMBERS}.")
    return sum(member.file_size for member in members)


@contextmanager
def opened_workbook(path: Path, most: int) -> Iterator[Any]:
    """A workbook of at most so many bytes unpacked, opened to be read row by row.

    Raises:
        BatchError: it is no workbook, or costs more than it may.
    """
    unpacked = unpacked_size(path)
    if unpacked > most or (unpacked > _SMALL and unpacked > GROWTH * path.stat().st_size):
        raise BatchError(f"{path.name} : ce classeur occuperait {unpacked} octets une fois décompressé : il n'a pas été ouvert.")
    with path.open("rb") as content:
        try:
            book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        except MemoryError:
            raise
        except Exception as error:  # the library raises many kinds on parts that are not what they should be
            raise BatchError(f"{path.name} : ce n'est pas un classeur .xlsx lisible ({type(error).__name__}).") from error
        try:
            yield book
        finally:
            book.close()
