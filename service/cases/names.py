"""The people whom a note, an answer or a text names: by the French pipeline, and by the words that announce a name."""

from functools import cache, lru_cache
from typing import Final

import regex

from model.document import read_document
from model.entities import find_entities
from model.tables import load_tables
from model.text import fold

Place = tuple[int, int]

_CIVIL: Final = (
    r"(?:m\.|mr\.?|mme|mmes|melle|mlle|madame|mademoiselle|monsieur|ma[îi]tre|(?-i:Me)|dr\.?|drs|docteure?|doctoresse|pr\.?"
    r"|professeure?)"
)
_RELATION: Final = (
    r"(?:patiente?s?|clientes?|clients?|[ée]l[èe]ves?|stagiaires?|consultante?s?|adh[ée]rente?s?|disciples?|t[ée]moins?|filles?"
    r"|fils|m[èe]re|p[èe]re|maman|papa|mari|femme|[ée]poux|[ée]pouse|compagne|compagnon|conjointe?|s[œo]eur|fr[èe]re|enfants?"
    r"|b[ée]b[ée]|voisine?|amie?s?|copine|copain|cousine?|tante|oncle|ni[èe]ce|neveu|grand-m[èe]re|grand-p[èe]re|coll[èe]gue"
    r"|assistante?|secr[ée]taire|petite?)"
)
_PARTICLE: Final = r"(?:(?:de la|de|du|des|le|la|les|van|von|el|ben|d['’]|l['’])[ \u00a0]?)"
_WORD: Final = r"\p{Lu}[\p{L}'’]*(?:-\p{L}[\p{L}'’]*)*"
_NAME: Final = rf"(?:(?i:{_PARTICLE})?{_WORD})(?:[ \u00a0](?i:{_PARTICLE})?(?:{_WORD}|\p{{Lu}}\.)){{0,3}}"
_CALLED: Final = r"(?:s['’]appelle|pr[ée]nomm[ée]e?|nomm[ée]e?|appel[ée]e?)"
_ANNOUNCED: Final = regex.compile(rf"(?<!\w)(?:(?i:{_CIVIL})|(?i:{_RELATION}),?|(?i:{_CALLED}))[ \u00a0](?P<name>{_NAME})")
#: « Marc-Antoine L. », where the first word is no « Vitamine C. ».
_INITIAL: Final = regex.compile(
    r"(?<![\w.])(?P<name>\p{Lu}\p{Ll}{2,}(?:-\p{Lu}\p{Ll}+)?[ \u00a0]\p{Lu}\.?)(?=[ \u00a0,;:)\n.]|$)(?![ \u00a0]?\d)"
)
_LETTERED: Final = frozenset(
    [
        *(
            "vitamine",
            "vitamines",
            "hepatite",
            "groupe",
            "type",
            "plan",
            "annexe",
            "point",
            "zone",
            "serie",
            "classe",
            "categorie",
        ),
        *(
            "methode",
            "niveau",
            "salle",
            "batiment",
            "escalier",
            "bloc",
            "danger",
            "indice",
            "article",
            "section",
            "virus",
            "grippe",
        ),
        *("dossier", "lettre", "facteur", "proteine", "option", "formule", "module", "cours", "cle", "tableau", "porte"),
    ]
)
#: What is no part of a name, though a name may stand beside it.
_NO_NAME: Final = frozenset(
    [
        *(
            "monsieur",
            "madame",
            "mademoiselle",
            "docteur",
            "docteure",
            "professeur",
            "maitre",
            "mme",
            "mlle",
            "melle",
            "les",
            "des",
        ),
        *("del", "van", "von", "ben", "saint", "sainte", "the", "and", "une", "avec", "pour", "chez", "par", "mon", "mes", "nos"),
        *(
            "votre",
            "notre",
            "leur",
            "tel",
            "contact",
            "merci",
            "bonjour",
            "appel",
            "appelez",
            "vous",
            "nous",
            "elle",
            "ils",
            "que",
        ),
    ]
)
_CIVILITY: Final = regex.compile(rf"^(?i:{_CIVIL})[ \u00a0]+")
_LEAST: Final = 3


@lru_cache(maxsize=4096)
def people_in(text: str) -> tuple[Place, ...]:
    """Where a text names people (code points, end excluded), by the pipeline and by what announces a name."""
    if not any(one.isupper() for one in text):
        return ()
    document = read_document(text)
    found = [document.clean.to_raw(one.span) for one in find_entities(document) if one.kind == "person"]
    return tuple(sorted({*((one.start, one.end) for one in found), *announced(text)}))


@lru_cache(maxsize=4096)
def announced(text: str) -> tuple[Place, ...]:
    """Where words announce a name: « Mme Le Bihan », « ma patiente Odile », « Théo D. »."""
    places = {found.span("name") for found in _ANNOUNCED.finditer(text)}
    for found in _INITIAL.finditer(text):
        if fold(found["name"].split()[0]) not in _LETTERED:
            places.add(found.span("name"))
    whole = [one for one in places if not any(one != other and other[0] <= one[0] and one[1] <= other[1] for other in places)]
    return tuple(sorted(place for place in whole if parts_of(text[slice(*place)])))


def without_civility(name: str) -> str:
    """A name without « Mme », « Dr »…"""
    return _CIVILITY.sub("", name.strip())


def parts_of(name: str) -> tuple[str, ...]:
    """The words of a name that may stand for it alone: with a capital, three letters or more, no word of a practice."""
    words = regex.findall(r"\p{L}+", without_civility(name))
    return tuple(
        word
        for word in words
        if len(word) >= _LEAST and word[0].isupper() and fold(word) not in _NO_NAME and fold(word) not in practice_words()
    )


@cache
def practice_words() -> frozenset[str]:
    """Words of the names of practices, titles, illnesses: « Bach », « Reiki » say no third party."""
    tables = load_tables()
    names = [
        word
        for table in (tables.practices, tables.titles, tables.conditions)
        for one in table
        for word in (one.name, *one.variants)
    ]
    return frozenset(word for name in names for word in regex.findall(r"\p{L}+", fold(name)) if len(word) >= _LEAST)
