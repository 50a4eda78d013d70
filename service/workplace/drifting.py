"""The drift of the stream is watched in the background."""

from service.drift.watching import keep_watching

__all__ = ["keep_watching"]
