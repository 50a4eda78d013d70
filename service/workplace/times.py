"""Instants: always aware and in UTC, whatever the database gives back; days and weeks are those of people in Paris."""

from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PARIS = "Europe/Paris"


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def aware(value: datetime) -> datetime:
    """An instant as read from a database, aware and in UTC; SQLite gives UTC without saying so."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@cache
def local_zone() -> tzinfo:
    """The zone that people's days are cut in: Paris, UTC where the machine knows no time zones."""
    try:
        return ZoneInfo(PARIS)
    except ZoneInfoNotFoundError:
        return UTC  # `ZoneInfo("UTC")` would be looked for in the same missing tables


def in_paris() -> bool:
    """Whether people's days are those of Paris."""
    return local_zone() is not UTC


def local_day(value: datetime) -> date:
    """The day on which an instant falls for people."""
    return aware(value).astimezone(local_zone()).date()


def midnight(day: date) -> datetime:
    """When a day begins for people, in UTC."""
    return datetime.combine(day, time(), local_zone()).astimezone(UTC)
