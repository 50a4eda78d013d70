"""The people whom a note, an answer or a text names: by the French pipeline, and by the words that announce a name."""

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

import regex

from model.document import read_document
from model.entities import find_entities
from model.tables import load_tables
from model.text import fold
from service.privacy.lexicon import lexicon

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
_SPACE: Final = "[ \u00a0\u202f]"
_IN_FULL: Final = "(?:monsieur|madame|mademoiselle|docteure?|doctoresse|MONSIEUR|MADAME|MADEMOISELLE|DOCTEURE?|DOCTORESSE)"
#: A civility, which names whoever comes next: « Mme Petit » is no small one. A small « le » or « la » begins a function, a word
#: in full ends a sentence with its stop, and « le monsieur de Lyon » has no name.
_TITLED: Final = regex.compile(
    r"(?<![\w.@-])(?P<civility>(?:(?i:mmes?|melle|mlle|mr|drs?)|MM?|Me|Pr)(?P<dot>\.)?"
    r"|(?i:madame|mademoiselle|monsieur|docteure?|doctoresse))"
    rf"(?(dot){_SPACE}?|{_SPACE}{{1,2}})"
    rf"(?P<name>(?P<core>(?:\p{{Lu}}\.{_SPACE}?){{0,2}}"
    rf"(?:(?:(?<!{_IN_FULL}{_SPACE})(?i:de la|de|du|des)|(?i:van|von|el|ben)|L[eE][sS]?|L[aA]){_SPACE}|(?i:d['’])|L['’])?"
    r"(?P<word>\p{Lu}\p{L}+)(?:['’-]\p{L}+)*)"
    rf"(?P<more>(?:{_SPACE}(?:\p{{Lu}}[\p{{L}}'’-]+|\p{{Lu}}\.)){{0,2}}))"
)
#: « Nathalie M. », « Il Me Faut »: a letter or a word that a word with a capital comes before.
_AFTER_CAPITAL: Final = regex.compile(r"(?<!\p{L})(?P<word>\p{Lu}[\p{L}'’-]*+)[ \u00a0\u202f]$")
_SHORT: Final = frozenset(["M", "Me", "MM"])
_BEFORE: Final = 40
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
    sure = {place for _, place in titled(text)}
    places = sure | {found.span("name") for found in _ANNOUNCED.finditer(text)}
    for found in _INITIAL.finditer(text):
        if fold(found["name"].split()[0]) not in _LETTERED:
            places.add(found.span("name"))
    whole = [one for one in places if not any(one != other and other[0] <= one[0] and one[1] <= other[1] for other in places)]
    return tuple(sorted(place for place in whole if place in sure or parts_of(text[slice(*place)])))


def titled(text: str) -> Iterator[tuple[int, Place]]:
    """Where a civility names somebody, though the name be an ordinary word (« Mme Petit », « M. Blanc »): its start, the name."""
    lists = lexicon()
    for found in _TITLED.finditer(text):
        first = fold(found["word"])
        method = first in practice_words() and first not in lists.frequent | lists.names
        if method or first in lists.offices or any(fold(one) in lists.figures for one in regex.findall(r"\p{L}+", found["name"])):
            continue
        before = _AFTER_CAPITAL.search(text, max(0, found.start() - _BEFORE), found.start())
        if before and found["civility"].removesuffix(".") in _SHORT:
            common = fold(before["word"]) in lists.frequent - lists.names
            if found["civility"].startswith("Me") or not common:
                continue
        yield found.start(), (found.start("name"), _last_of(found))


def _last_of(found: "regex.Match[str]") -> int:
    """Where a name ends: « MME PETIT VOUS REÇOIT » and « Mme Petit Merci » go on with what is none."""
    lists = lexicon()
    end = found.end("core")
    for word in regex.finditer(r"\p{L}[\p{L}'’.-]*", found["more"]):
        said = fold(word.group())
        common = said in lists.frequent - lists.names and word.group().isupper() and len(said) > 1
        if common or said in lists.offices:
            break
        end = found.start("more") + word.end()
    return end


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name that may say whose it is, beside who is called by it: with a capital, three letters or more."""
    words = regex.findall(r"\p{L}+", without_civility(name))
    return tuple(word for word in words if len(word) >= _LEAST and word[0].isupper() and fold(word) not in _NO_NAME)


def alone(name: str) -> str | None:
    """A pattern for a name of one word that is also an ordinary one, where it is a name: « Mme Petit », and no « petit chat ».

    None for any other name. Without a civility, it has its capital; in doubt, where a sentence begins, it is a name.
    """
    lists, word = lexicon(), fold(name)
    if not name.isalpha() or word in lists.plain or word not in lists.frequent | lists.words | practice_words():
        return None
    after = rf"(?<=(?<!\w)(?i:{_CIVIL})(?:\.|{_SPACE}|\.{_SPACE}))(?i:{regex.escape(name)}|{regex.escape(word)})"
    return f"(?-i:{after}|{name[0].upper()}{name[1:].lower()}|{name.upper()})"


def without_civility(name: str) -> str:
    """A name without « Mme », « Dr »…"""
    return _CIVILITY.sub("", name.strip())


def parts_of(name: str) -> tuple[str, ...]:
    """The words of a name that may stand for it alone: with a capital, three letters or more, no word of a practice."""
    return tuple(word for word in words_of(name) if fold(word) not in practice_words())


def names_a_practice(text: str, place: Place) -> bool:
    """Whether a first name stands in the name of a practice or of who made it: « marc de café », and not « Marc »."""
    parted = regex.finditer(r"\p{L}+", text, pos=max(0, place[0] - _BEFORE), endpos=place[1] + _BEFORE)
    around = [(found.span(), fold(found.group())) for found in parted]
    words = [word for _, word in around]
    for index, (span, word) in enumerate(around):
        if place[0] <= span[0] and span[1] <= place[1]:
            for phrase in _phrases().get(word, ()):
                first = index - phrase.index(word)
                if first >= 0 and tuple(words[first : first + len(phrase)]) == phrase:
                    return True
    return False


@cache
def _phrases() -> dict[str, set[tuple[str, ...]]]:
    """From a first name to the names of practices, titles or illnesses that hold it, and to any two long words of these."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for name in _named():
        words = tuple(regex.findall(r"\p{L}+", fold(name)))
        pairs = [pair for pair in pairwise(words) if min(map(len, pair)) > _LEAST]
        for phrase in [words, *pairs] if len(words) > 1 else ():
            for word in lexicon().names.intersection(phrase):
                found.setdefault(word, set()).add(phrase)
    return found


def _named() -> list[str]:
    tables = load_tables()
    every = (tables.practices, tables.titles, tables.conditions)
    return [word for table in every for one in table for word in (one.name, *one.variants)]


@cache
def practice_words() -> frozenset[str]:
    """Words of the names of practices, titles, illnesses: « Bach », « Reiki » say no third party."""
    return frozenset(word for name in _named() for word in regex.findall(r"\p{L}+", fold(name)) if len(word) >= _LEAST)
