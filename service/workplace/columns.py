"""From a record of a file to a text received: which column holds what, and what is expected of each value."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from model.errors import TextError
from model.labels import CHANNELS
from model.text import MAX_CHARACTERS, check_text
from service.database import sha256_text
from service.inert import FORMULA_SIGNS
from service.workplace.items import Received
from service.workplace.tables import Record
from service.workplace.times import local_zone

#: What a text comes with: field, name for people, names of columns that are taken for it (without accents, case or spaces).
FIELDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "text": (
        "texte",
        ("text", "texte", "contenu", "content", "message", "publication", "post", "annonce", "description", "body"),
    ),
    "external_id": ("identifiant", ("external_id", "identifiant", "id", "post_id", "reference", "ref", "numero")),
    "source": ("source", ("source", "plateforme", "platform", "site", "origine", "reseau")),
    "channel": ("canal", ("channel", "canal")),
    "theme": ("thème", ("theme", "sujet", "topic", "rubrique", "categorie", "category")),
    "region": ("région", ("region", "region_name", "nom_region")),
    "author": ("auteur", ("author", "auteur", "handle", "author_handle", "compte", "pseudo", "username", "user", "account")),
    "url": ("adresse (URL)", ("url", "lien", "link", "adresse", "permalink", "href")),
    "captured_at": (
        "date de capture",
        (
            "captured_at",
            "date_de_capture",
            "date_capture",
            "capture",
            "date",
            "created_at",
            "published_at",
            "timestamp",
            "horodatage",
        ),
    ),
    "parent": ("message parent", ("parent", "parent_id", "en_reponse_a", "reponse_a", "in_reply_to", "reply_to", "parent_url")),
    "parent_sha256": ("empreinte du parent", ("parent_sha256",)),
    "sha256": ("empreinte", ("sha256",)),
}
_CHANNELS: Final = {name: channel.id for channel in CHANNELS for name in (channel.id, channel.name)}
_LONGEST: Final = {"external_id": 200, "source": 200, "theme": 60, "region": 60, "author": 200, "url": 2_000, "parent": 200}
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_FRENCH_DATE: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:(?: | à )(\d{1,2})[:h](\d{2})(?::(\d{2}))?)?")
_MILLISECONDS: Final = 10**11
#: What a spreadsheet program would compute, behind the apostrophes that keep it from doing so.
_GUARDED: Final = re.compile(rf"'+[{re.escape(FORMULA_SIGNS)}]")
_FORMULA: Final = re.compile(rf"'*[{re.escape(FORMULA_SIGNS)}]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record is refused: the field, if one is at fault, and what was expected."""

    field: str | None
    message: str


class _FaultError(Exception):
    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(field, message)


def guarded(value: str) -> str:
    """A value that a spreadsheet program shows as it is; `unguarded` gives it back."""
    return f"'{value}" if _FORMULA.match(value) else value


def unguarded(value: str) -> str:
    """A value without the apostrophe that `guarded` put before it."""
    return value[1:] if _GUARDED.match(value) else value


def recognised(columns: Sequence[str]) -> dict[str, str]:
    """The columns that hold known fields, by field; the first name of a field's list that is there is taken."""
    folded: dict[str, str] = {}
    for column in columns:
        folded.setdefault(_folded(column), column)
    return {
        field: folded[next(name for name in names if name in folded)]
        for field, (_, names) in FIELDS.items()
        if any(name in folded for name in names)
    }


def _folded(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[\s_\-’']+", "_", plain.strip().casefold())


def received_of(
    record: Record,
    columns: Mapping[str, str],
    defaults: Mapping[str, str],
    limit: int = MAX_CHARACTERS,
    *,
    exported: bool = False,
) -> Received | Fault:
    """The text of a record, read by these columns (by field), or why it is refused; `defaults` fill what is not given.

    `exported`: the file is one that Vigie wrote for a spreadsheet, whose values may be guarded and long texts cut in parts.
    """
    try:
        if record.problem is not None:
            raise _FaultError(None, record.problem)
        given = {field: record.values.get(column) for field, column in columns.items()}
        if exported:
            given |= {field: unguarded(value) for field, value in given.items() if field in _LONGEST and isinstance(value, str)}
        texts = {field: _string(field, given.get(field)) or defaults.get(field) or None for field in _LONGEST}
        parts = _parts(record.values, columns.get("text", "")) if exported else ()
        return Received(
            text=_text(given.get("text"), parts, _string("sha256", given.get("sha256")), limit),
            source=texts.pop("source") or "",
            channel=_channel(_string("channel", given.get("channel")) or defaults.get("channel")),
            captured_at=_instant(given.get("captured_at")),
            parent_sha256=_digest(_string("parent_sha256", given.get("parent_sha256"))),
            **texts,
        )
    except _FaultError as error:
        return error.fault


def part_name(column: str, number: int) -> str:
    """The column that holds the part of this number (from 2) of a value too long for one cell."""
    return f"{column} (suite {number})"


def _parts(values: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """What follows the first cell of a text that was cut over several."""
    found: list[str] = []
    while isinstance(part := values.get(part_name(column, len(found) + 2)), str) and part:
        found.append(unguarded(part))
    return tuple(found)


def _text(value: Any, parts: Sequence[str], digest: str | None, limit: int) -> str:
    if value is None:
        raise _FaultError("text", "texte absent")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _FaultError("text", "un texte est attendu")
    content = unguarded(str(value)) + "".join(parts) if parts else str(value)
    if any("\udc80" <= character <= "\udcff" for character in content):
        raise _FaultError("text", "octets invalides pour l'encodage du fichier")
    if digest is not None and _HEX.fullmatch(digest) and _is_utf8(content) and sha256_text(content) != digest:
        if sha256_text(unguarded(content)) != digest:
            raise _FaultError("sha256", "le texte n'est pas celui de l'empreinte : il a été changé ou coupé")
        content = unguarded(content)
    try:
        check_text(content, limit)
    except TextError as error:
        raise _FaultError("text", error.message) from error
    return content


def _is_utf8(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _string(field: str, value: Any) -> str | None:
    """A short value, without outer white space; None where there is none."""
    if value is None:
        return None
    if isinstance(value, datetime | date):
        value = value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _FaultError(field, "une chaîne de caractères est attendue")
    content = str(value).strip()
    if not _is_utf8(content) or "\x00" in content:
        raise _FaultError(field, "caractères invalides")
    longest = _LONGEST.get(field)
    if longest is not None and len(content) > longest:
        raise _FaultError(field, f"{len(content)} caractères ; la limite est de {longest}")
    return content or None


def _channel(value: str | None) -> str | None:
    if not value:
        return None
    known = {_folded(name): id for name, id in _CHANNELS.items()}
    if _folded(value) not in known:
        names = ", ".join(f"{channel.name} ({channel.id})" for channel in CHANNELS)
        raise _FaultError("channel", f"« {value[:40]} » : un de ces canaux est attendu : {names}")
    return known[_folded(value)]


def _digest(value: str | None) -> str | None:
    if value is not None and not _HEX.fullmatch(value):
        raise _FaultError("parent_sha256", "une empreinte de 64 chiffres hexadécimaux est attendue")
    return value


def _instant(value: Any) -> datetime | None:
    """An instant in UTC: ISO 8601, day/month/year, or seconds since 1970; in Paris where no zone is said."""
    expected = "une date est attendue : 2026-11-22, 2026-11-22T14:30:00+01:00, 22/11/2026 14:30"
    try:
        found = _moment(value)
        return found.astimezone(UTC) if found else None
    except (ValueError, OverflowError, OSError) as error:
        raise _FaultError("captured_at", expected) from error


def _moment(value: Any) -> datetime | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, date):
        return _zoned(datetime.combine(value, time()))
    content = str(value).strip()
    if re.fullmatch(r"\d{9,13}(\.\d+)?", content) and not isinstance(value, bool):
        stamp = float(content)
        return datetime.fromtimestamp(stamp / 1_000 if stamp > _MILLISECONDS else stamp, UTC)
    french = _FRENCH_DATE.fullmatch(content)
    if french:
        day, month, year, hour, minute, second = (int(part or 0) for part in french.groups())
        return _zoned(datetime(year, month, day, hour, minute, second))
    return _zoned(datetime.fromisoformat(content))


def _zoned(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=local_zone())


CHANNEL_CHOICES: Final = tuple((channel.id, channel.name) for channel in CHANNELS)
