"""Where a request comes from, as far as signing in and sessions need to know."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

#: What browsers say of themselves, in the order that tells them apart: most also say that they are the later ones.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_IPV6_NETWORK: Final = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """The network address of a request (empty: unknown), what its browser says of itself, and the device it proves to be.

    `device` is empty unless this device has already come in as the person whom it now names.
    """

    address: str = ""
    agent: str = ""
    device: str = ""


def device_name(agent: str) -> str:
    """A browser and its system for people, from what it says of itself: « Firefox sous Linux »."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return f"Navigateur inconnu sous {system}" if system else "Navigateur ou programme inconnu"
    return f"{browser} sous {system}" if system else browser


def network_of(address: str) -> str:
    """What stands for a client when its tries are counted: the address, or its whole network in IPv6, which one client has."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    kept = int(found) >> (128 - _IPV6_NETWORK) << (128 - _IPV6_NETWORK)
    return f"{IPv6Address(kept)}/{_IPV6_NETWORK}"
