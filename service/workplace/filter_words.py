"""The filter of an export in words, as the queue's form names what it asks for."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final
from urllib.parse import parse_qs

from model.labels import INDICATOR_NAMES, LEVELS
from model.tables import load_tables
from service.themes import theme_name
from service.workplace.filters import STATE_NAMES, Filter
from service.workplace.textpage import CHANNEL_NAMES

_LEVELS: Final = {level.id: f"{level.id} ({level.name})" for level in LEVELS} | {"sans": "sans niveau"}
_FLAGS: Final = {
    "danger": "personne en danger",
    "hesite": "le modèle hésite",
    "contredit": "le modèle contredit l'étiquette",
    "ressemble": "proche d'un texte déjà décidé",
    "reexamen": "contesté, à réexaminer",
}


def in_words(query: str, people: Mapping[str, str]) -> str:
    """What the address of an export asks for, in French; `people`: names by identifier.

    An export is of everything where nothing is asked: its order is not said, nothing but its texts is.
    """
    wanted = Filter.read(f"{query}&tout=1")
    found = [
        *_of("niveau", wanted.niveau, _LEVELS),
        *_of("état", wanted.etat, STATE_NAMES),
        *_of("signe", wanted.signe, INDICATOR_NAMES),
        *_of("pratique", (wanted.pratique,), {one.id: one.name for one in load_tables().practices}),
        *_of("thème", (wanted.theme,), theme_name),
        *_of("canal", (wanted.canal,), CHANNEL_NAMES),
        *_of("source", (wanted.source,)),
        *_of("compte de l'auteur", (wanted.auteur,)),
        *_of("région", (wanted.region,)),
        *_of("attribué à", (wanted.attribue,), {**people, "moi": "qui l'a demandé"}),
        *_of("en cours de lecture", (wanted.tenu,), {"moi": "par qui l'a demandé", "libre": "par personne"}),
        *_dates(wanted),
        *(told for name, told in _FLAGS.items() if getattr(wanted, name)),
        *_of("mots du texte", (wanted.q,)),
    ]
    told = "\u00a0; ".join(found) or "tous les textes"
    return f"{told}, pseudonymisés" if parse_qs(query).get("pseudonymise") == ["1"] else told


def _of(name: str, values: tuple[str, ...], names: Mapping[str, str] | Callable[[str], str] | None = None) -> list[str]:
    """What a filter asks for, if anything."""
    say = names if callable(names) else lambda value: (names or {}).get(value, value)
    told = " ou ".join(say(value) for value in values if value)
    return [f"{name}\u00a0: {told}"] if told else []


def _dates(wanted: Filter) -> list[str]:
    about = "capturé" if wanted.dates == "capture" else "reçu"
    bounds = (("depuis le", wanted.depuis), ("jusqu'au", wanted.jusqua))
    told = [f"{name} {date.fromisoformat(day):%d/%m/%Y}" for name, day in bounds if day]
    return [f"{about} {' '.join(told)}"] if told else []
