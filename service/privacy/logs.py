"""Lines of the service's own journal, without how to reach anybody: a second guard, since no line is meant to hold a text."""

import logging
from typing import Final

from service.privacy.reach import reach_in

MASK: Final = "■"
#: Addresses in line are the service's own: that of its first account is told to whoever runs it.
_SHOWN: Final = frozenset({"url", "address"})


class Masked(logging.Filter):
    """Masks e-mail addresses, telephone numbers, accounts and personal numbers in the message of a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through, masked."""
        said = record.getMessage()
        hidden = said
        for kind, start, end in reach_in(said):
            if kind not in _SHOWN:
                hidden = hidden[:start] + MASK * (end - start) + hidden[end:]
        if hidden != said:
            record.msg, record.args = hidden, ()
        return True
