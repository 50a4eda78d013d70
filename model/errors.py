"""Errors that Vigie raises on purpose; every message says what was found, where, and what was expected.

VigieError
 ├─ TextError            a text that cannot be analysed (code of the contract: empty_text, too_long, invalid_text)
 ├─ OutOfTime            an analysis that passed its time limit
 ├─ TableError           a data table that cannot be read
 ├─ EncoderError         weights of the sentence encoder that are missing, damaged or of another format
 ├─ ArtefactError        a model folder that is missing, changed, truncated, foreign or of another format
 ├─ CorpusError          an annotated file that cannot be used
 └─ BatchError           an input or output file of a batch that cannot be read or written
"""


class VigieError(Exception):
    """Base of every error that Vigie raises on purpose."""


class TextError(VigieError):
    """A text that cannot be analysed; `code` is one of the contract's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OutOfTime(VigieError):  # noqa: N818
    """An analysis that passed its time limit."""


class TableError(VigieError):
    """A data table that cannot be read."""


class EncoderError(VigieError):
    """Weights of the sentence encoder that cannot be used."""


class ArtefactError(VigieError):
    """A model folder that must not be loaded."""


class CorpusError(VigieError):
    """An annotated file that cannot be used."""


class BatchError(VigieError):
    """An input or output file of a batch that cannot be read or written."""
