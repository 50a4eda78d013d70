"""Instants: always aware and in UTC, whatever the database gives back."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def aware(value: datetime) -> datetime:
    """An instant as read from a database, aware and in UTC; SQLite gives UTC without saying so."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
