"""Phones, e-mails, web addresses, accounts and registration numbers, offline."""

from collections.abc import Iterator
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import phonenumbers
import regex
import tldextract
from stdnum import luhn
from stdnum.fr import siret

from model.named import Entity, Value
from model.text import Span, fold

_EMAIL: Final = regex.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@(?:[\w-]{1,63}\.){1,5}\p{L}{2,24}(?!\w)")
_AT: Final = r"(?: ?[\[({<] ?(?:at|arobase|arobas|@|a|chez) ?[\])}>] ?| (?:arobase|arobas) | ?@ ?)"
_DOT: Final = r"(?: ?[\[({<] ?(?:dot|point|\.) ?[\])}>] ?| (?:point|dot) |\.)"
# Said rather than written: « nom [at] domaine point fr ».
_SAID_EMAIL: Final = regex.compile(
    rf"(?<![\w.+-])(?P<user>[\w+-]{{1,40}}(?:{_DOT}[\w+-]{{1,40}}){{0,2}}){_AT}(?P<host>[\w-]{{2,63}}(?:{_DOT}[a-z0-9-]{{2,63}}){{0,2}})"
    rf"{_DOT}(?P<end>[a-z]{{2,12}})(?!\w)"
)
_URL: Final = regex.compile(
    r"(?<![\w@.-])(?:https?://[^\s<>\"']{2,500}|www\.[^\s<>\"']{3,300}"
    r"|(?:[a-z0-9][a-z0-9-]{0,62}\.){1,4}(?P<end>[a-z]{2,12})(?P<path>/[^\s<>\"']{0,300})?(?![\w@.-]))",
    regex.IGNORECASE,
)
# Endings that a bare address may have: those in use here, and none that is a French word after a full stop without its space.
_USUAL_ENDINGS: Final = frozenset(
    (
        "fr", "com", "org", "net", "eu", "be", "ch", "ca", "info", "example", "io", "bio", "shop", "re", "yt", "gp", "mq", "gf",
        "nc", "pf", "lu", "mc", "bzh", "paris", "alsace", "corsica", "app", "online", "site", "store", "blog", "biz",
        "club", "academy",
        "studio", "uk", "coach", "yoga", "center", "website", "tv", "xyz", "africa", "ly", "ee",
    )
)  # fmt: skip
_HANDLE: Final = regex.compile(r"(?<![\w@./])@[\w.]{2,40}(?<!\.)(?![\w@])")
_PLATFORM: Final = regex.compile(
    r"(?<!\w)(?P<platform>instagram|insta|ig|tiktok|tik tok|facebook|fb|telegram|snapchat|snap|twitter|threads|youtube)"
    r" ?[:=>] ?(?P<name>[a-z0-9](?:[\w.]{1,38}[\w]))(?![\w@.])"
)
_PLATFORMS: Final = {"insta": "instagram", "ig": "instagram", "fb": "facebook", "snap": "snapchat", "tik tok": "tiktok"}
_MARKED: Final = regex.compile(r"[\d._]")
_SIRET: Final = regex.compile(r"(?<!\d)\d{3}[ .]?\d{3}[ .]?\d{3}[ .]?\d{5}(?!\d)")
_NAMED_SIRET: Final = regex.compile(r"\bsiret\b\D{0,15}$", regex.IGNORECASE)
_RPPS: Final = regex.compile(r"\brpps\b\D{0,15}(?P<number>(?:\d ?){10}\d)(?!\d)", regex.IGNORECASE)
_ADELI: Final = regex.compile(r"\badeli\b\D{0,15}(?P<number>\d[\dAB](?: ?\d){7})(?!\d)", regex.IGNORECASE)
_DEPARTMENT: Final = regex.compile(r"(?:0[1-9]|[1-8]\d|9[0-578]|2[AB])", regex.IGNORECASE)
# A number cut by signs or small words, beyond what phonenumbers joins: « 06 39 puis 98 / 12 / 40 ».
_CUT_PHONE: Final = regex.compile(
    r"(?<![\d.,/-])(?:(?:\+|00) ?(?P<country>33|262|590|594|596) ?(?:\(0\) ?)?(?P<short>[1-9])|0(?P<first>[1-9]))"
    r"(?:(?: |[.,/_•·*|~-]| (?:puis|et|ensuite|suivi de|-|/|•|\|) ){1,3}(?P<pair>\d\d)){4}(?![\d€])"
)
_OVERSEAS: Final = {
    "0590": "GP", "0690": "GP", "0691": "GP", "0594": "GF", "0694": "GF", "0596": "MQ", "0696": "MQ", "0697": "MQ", "0262": "RE",
    "0263": "RE", "0692": "RE", "0693": "RE", "0269": "YT",
}  # fmt: skip
_LEAST_DIGITS: Final = 8


def find_contacts(text: str) -> list[Entity]:
    """E-mails, URLs, handles, phones and registration numbers of a clean text, in no particular order.

    Values: e-mail `address`, and URL `url`, as they are written elsewhere, both with their `registered_domain` by the public
    suffix list inside the library; phone `e164`; account `platform` where it is said; `number` and `valid` of registrations.
    """
    return [*_emails_and_addresses(text), *_handles(text), *_phones(text), *_identifiers(text)]


@cache
def _suffixes() -> tldextract.TLDExtract:
    # The list inside the package: nothing is fetched, nothing is written.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def registered_domain(host: str) -> str:
    """The part of a host that one registers (« sous.exemple.co.uk » → « exemple.co.uk »); empty where there is none."""
    found = _suffixes()(host.lower())
    if found.domain and found.suffix:
        return f"{found.domain}.{found.suffix}"
    labels = host.lower().strip(".").split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 and not labels[-1].isdigit() else ""


def _host(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _emails_and_addresses(text: str) -> Iterator[Entity]:
    emails = []
    for match in _EMAIL.finditer(text):
        emails.append(Span(*match.span()))
        yield Entity("email", emails[-1], _email(match.group()))
    folded = fold(text)
    for match in _SAID_EMAIL.finditer(folded) if "arobas" in folded or any(mark in text for mark in "@[({<") else ():
        span = Span(*match.span())
        host, end = regex.sub(_DOT, ".", match["host"]), match["end"]
        known = end in _USUAL_ENDINGS or bool(_suffixes()(f"{host}.{end}").suffix)
        if known and not any(span.overlaps(email) for email in emails):
            emails.append(span)
            yield Entity("email", span, _email(f"{regex.sub(_DOT, '.', match['user'])}@{host}.{end}"))
    for match in _URL.finditer(text):
        span = _without_closing(match.span(), text)
        if any(span.overlaps(email) for email in emails) or not _is_address(match, text):
            continue
        written = text[span.start : span.end]
        yield Entity("url", span, _with_domain(Value(url=written), _host(written)))


def _email(address: str) -> Value:
    return _with_domain(Value(address=address.lower()), address.rpartition("@")[2])


def _with_domain(value: Value, host: str) -> Value:
    if domain := registered_domain(host):
        value["registered_domain"] = domain
    return value


def _is_address(match: regex.Match[str], text: str) -> bool:
    """Whether a bare address is one: « exemple.fr » is, « fini.Merci », « bien.être » and « là.De » are not."""
    if not (end := match["end"]):
        return True
    if end.lower() in _USUAL_ENDINGS:
        # A capital after the stop begins a sentence, unless the address has no small letter.
        return end.islower() or match.group().isupper()
    return bool(match["path"]) and len(match["path"]) > 1 and end.islower() and bool(_suffixes()(match.group()).suffix)


def _without_closing(span: tuple[int, int], text: str) -> Span:
    """A web address without the punctuation of the sentence around it."""
    start, end = span
    while end > start and text[end - 1] in ".,;:!?)]»\"'":
        end -= 1
    return Span(start, end)


def _handles(text: str) -> Iterator[Entity]:
    seen = []
    for match in _HANDLE.finditer(text):
        seen.append(Span(*match.span()))
        yield Entity("handle", seen[-1], Value(name=match.group()))
    for match in _PLATFORM.finditer(fold(text)):
        span = Span(*match.span("name"))
        # A plain word after « Facebook : » may be a person's name.
        if _MARKED.search(match["name"]) and not any(span.overlaps(other) for other in seen):
            platform = _PLATFORMS.get(match["platform"], match["platform"])
            yield Entity("handle", span, Value(name=f"@{text[span.start : span.end]}", platform=platform))


def _phones(text: str) -> Iterator[Entity]:
    if sum(character.isdigit() for character in text) < _LEAST_DIGITS:
        return
    seen = []
    for found in phonenumbers.PhoneNumberMatcher(text, "FR", leniency=phonenumbers.Leniency.POSSIBLE):
        if found.raw_string.lstrip("(").startswith(("0", "+")):
            seen.append(Span(found.start, found.end))
            yield Entity("phone", seen[-1], Value(e164=_international(found.number)))
    for match in _CUT_PHONE.finditer(fold(text)):
        span = Span(*match.span())
        if not any(span.overlaps(other) for other in seen):
            digits = "".join(match.captures("pair"))
            country, first = match["country"] or "33", match["short"] or match["first"]
            yield Entity("phone", span, Value(e164=_international(phonenumbers.parse(f"+{country}{first}{digits}"))))


def _international(number: phonenumbers.PhoneNumber) -> str:
    """The number in international form; « 0596… » is one of Martinique."""
    national = f"0{number.national_number}"
    if number.country_code == 33 and (region := _OVERSEAS.get(national[:4])):
        number = phonenumbers.parse(national, region)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _identifiers(text: str) -> Iterator[Entity]:
    for match in _SIRET.finditer(text):
        number = "".join(character for character in match.group() if character.isdigit())
        valid = siret.is_valid(number)
        # Fourteen digits may be anything; with the word before them they are a SIRET, well copied or not.
        if valid or _NAMED_SIRET.search(text[max(0, match.start() - 25) : match.start()]):
            yield Entity("siret", Span(*match.span()), Value(number=number, valid=valid))
    for match in _RPPS.finditer(text):
        number = match["number"].replace(" ", "")
        yield Entity("rpps", Span(*match.span("number")), Value(number=number, valid=luhn.is_valid(number)))
    for match in _ADELI.finditer(text):
        number = match["number"].replace(" ", "").upper()
        yield Entity("adeli", Span(*match.span("number")), Value(number=number, valid=bool(_DEPARTMENT.match(number))))
