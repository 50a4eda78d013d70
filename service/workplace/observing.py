"""The figures of the observatory are counted in the background."""

from service.observatory.answers import keep_observing

__all__ = ["keep_observing"]
