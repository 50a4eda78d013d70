"""One form for all ways to write an account or a way to reach somebody: what requests are asked by, and pseudonyms made of."""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

import regex

from model.entities import find_contacts
from model.errors import VigieError
from model.text import clean, fold
from service.campaigns.spoken import spoken_contacts

ContactKind = Literal["email", "phone", "url", "handle"]
KIND_NAMES: Final = {"email": "courriel", "phone": "téléphone", "url": "adresse en ligne", "handle": "compte"}
LONGEST: Final = 300
_HANDLE: Final = regex.compile(r"@?[\w.-]{2,60}")
_FRENCH: Final = regex.compile(r"^(?:\+|00)?33(?:\(?0\)?)?(?=[1-9]\d{8}$)")
#: What is looked for in a number first: its end, however it is spaced.
_SEPARATORS: Final = r"[\s\u00a0\u202f./,_•·*|~()–-]{0,4}"


class ContactError(VigieError):
    """A contact that cannot be looked for; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contact that is looked for, in its one form."""

    kind: ContactKind
    value: str

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"{KIND_NAMES[self.kind]} {self.value}"


def read_contact(written: str) -> Wanted:
    """The contact that somebody wrote: an e-mail address, a telephone number, a web address or the name of an account.

    Raises:
        ContactError: it is none of these.
    """
    given = written.strip()
    if not given or len(given) > LONGEST or "\x00" in given:
        raise ContactError(
            f"Contact : un courriel, un téléphone, une adresse en ligne ou un compte est attendu ({LONGEST} signes)."
        )
    for kind in ("email", "phone", "url"):
        if value := normal_of(kind, given):
            return Wanted(kind, value)
    if _HANDLE.fullmatch(given) and not given.isdigit():
        return Wanted("handle", normal_handle(given))
    raise ContactError(
        f"Contact « {given[:60]} » : un courriel, un téléphone, une adresse en ligne ou un compte (« @nom ») est attendu. "
        "Un nom seul ne suffit pas : plusieurs personnes peuvent le porter."
    )


def normal_of(kind: str, written: str) -> str:
    """The one form of a telephone number, an e-mail address or a web address; empty where it is none."""
    if kind == "phone":
        return _phone(written)
    read = clean(written).text
    found = [(one.kind, one.value or {}, one.span.end - one.span.start) for one in find_contacts(read)]
    found += [(str(one["kind"]), one["value"], one["end"] - one["start"]) for one in spoken_contacts(read)]
    if kind == "email":
        values = [str(value.get("address") or "") for name, value, _ in found if name == "email"]
        return fold(values[0]) if values and values[0] else ""
    whole = [name for name, _, length in found if name == "url" and length >= len(read.strip()) - 1]
    return normal_url(written) if whole else ""


def _phone(written: str) -> str:
    """International form; French numbers from what is dialled in the country too."""
    digits = regex.sub(r"[^\d+]", "", clean(written).text.replace("O", "0").replace("o", "0")) if _is_number(written) else ""
    if digits:
        dialled = _FRENCH.sub("0", digits.replace("+330", "+33"))
        if len(dialled) == 10 and dialled[0] == "0":
            return f"+33{dialled[1:]}"
        return f"+{digits.lstrip('+').removeprefix('00')}" if digits[:1] == "+" or digits[:2] == "00" else ""
    said = [one for one in spoken_contacts(clean(written).text) if one["kind"] == "phone"]
    return str(said[0]["value"]["e164"]) if said else ""


def _is_number(written: str) -> bool:
    return bool(regex.fullmatch(r"[\d\s+().,/_•·*|~oO-]{9,40}", clean(written).text.strip()))


def normal_url(written: str) -> str:
    """A web address without scheme, « www. », case, query nor final bar; anything else as it is, without case."""
    try:
        parts = urlsplit(written if "//" in written else f"//{written}")
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:
        return fold(written).strip()
    return f"{host}{fold(parts.path)}".rstrip("/") if "." in host else fold(written).strip()


def normal_handle(written: str) -> str:
    """The name of an account without « @ », case nor accents."""
    return fold(written).strip().removeprefix("@").rstrip(".")


def pattern_of(wanted: Wanted) -> "regex.Pattern[str]":
    """What finds a contact in a text without case nor accents (`fold`), however it is spaced."""
    if wanted.kind == "phone":
        national = wanted.value[3:] if wanted.value.startswith("+33") else wanted.value[1:]
        head = rf"(?:(?:\+|00){_SEPARATORS}33{_SEPARATORS}0?|[0o])" if wanted.value.startswith("+33") else r"(?:\+|00)"
        return regex.compile(rf"(?<!\d){head}{_SEPARATORS}{_SEPARATORS.join(national)}(?!\d)")
    if wanted.kind == "email":
        user, _, host = wanted.value.partition("@")
        at = r"(?:\s?[\[({<]?\s?(?:@|at|arobase|arobas|chez|\(a\))\s?[\])}>]?\s?)"
        dot = r"(?:\s?[\[({<]?\s?(?:\.|dot|point)\s?[\])}>]?\s?)"
        return regex.compile(rf"(?<![\w.+-]){_dotted(user, dot)}{at}{_dotted(host, dot)}(?![\w-])")
    if wanted.kind == "url":
        return regex.compile(rf"(?<![\w.-]){regex.escape(wanted.value)}(?![\w-])")
    return regex.compile(rf"(?<![\w.-])@?{regex.escape(wanted.value)}(?![\w-])")


def _dotted(value: str, dot: str) -> str:
    return dot.join(regex.escape(part) for part in value.split("."))
