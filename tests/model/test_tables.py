"""The data tables: each entry is found where it is written, each pattern does what its two sentences say, none is slow."""

from collections import Counter
from collections.abc import Iterable
from functools import partial

import pytest
import regex

from model.context import CONTEXT_KINDS, find_cues, find_rules, foldable
from model.document import read_document
from model.labels import INDICATOR_IDS
from model.practices import is_sure
from model.tables import Audience, Condition, Pattern, Practice, Title, load_tables
from model.text import clean
from tests.timing import quickest

TABLES = load_tables()
FAMILIES = {
    "psycho_biologique", "psycho_spirituel", "energetique", "divination", "appareil", "substance", "alimentation", "naturel",
    "geste", "formation_coaching",
}  # fmt: skip
DANGERS = set("VTADNPSFEMB")
STATUSES = {"regulated", "protected_title", "unregulated"}
HOSTILE = {"je": "je ", "arretez": "arretez ", "letter": "a", "space": " "}
LIMIT = 20_000

Named = Practice | Condition | Audience | Title
NAMED: list[tuple[str, Named]] = [
    *(("practice", entry) for entry in TABLES.practices),
    *(("condition", entry) for entry in TABLES.conditions),
    *(("audience", entry) for entry in TABLES.audiences),
    *(("title", entry) for entry in TABLES.titles),
]
PATTERNS: list[tuple[str, Pattern]] = [
    *((f"cue-{cue.kind}-{number}", cue) for number, cue in enumerate(TABLES.cues, start=1)),
    *((f"rule-{rule.id}", rule) for rule in TABLES.rules),
]
each_entry = pytest.mark.parametrize(
    ("table", "entry"), [pytest.param(table, entry, id=f"{table}-{entry.id}") for table, entry in NAMED]
)
each_pattern = pytest.mark.parametrize("pattern", [pytest.param(pattern, id=name) for name, pattern in PATTERNS])


def read(text: str) -> str:
    """A sentence as patterns see it."""
    return foldable(clean(text).text)


def twice(values: Iterable[str]) -> list[str]:
    """The values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


@pytest.mark.parametrize("table", ["practice", "condition", "audience", "title"])
def test_identifiers_are_unique_and_plain(table: str) -> None:
    ids = [entry.id for name, entry in NAMED if name == table]
    assert twice(ids) == []
    assert [name for name in ids if not regex.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name)] == []


def test_rule_identifiers_are_unique_and_say_their_indicator() -> None:
    assert twice(rule.id for rule in TABLES.rules) == []
    assert [rule.id for rule in TABLES.rules if not rule.id.startswith(rule.kind.replace("_", "-"))] == []


def test_no_two_patterns_are_the_same() -> None:
    assert twice(cue.pattern for cue in TABLES.cues) == []
    assert twice(rule.pattern for rule in TABLES.rules) == []


@each_entry
def test_an_entry_has_a_name_and_variants_without_doubles(table: str, entry: Named) -> None:
    assert entry.name.strip() == entry.name != ""
    assert entry.variants
    assert twice(entry.variants) == []


@each_entry
def test_every_variant_is_found_in_a_sentence_that_holds_it(table: str, entry: Named) -> None:
    missed = []
    for variant in entry.variants:
        document = read_document(f"Voici {variant} ici.")
        doubtful = isinstance(entry, Practice) and not is_sure(entry.id, variant)
        if not doubtful and entry.id not in [hit.entry for hit in document.hits_of(table)]:
            missed.append(variant)
    assert missed == []


@pytest.mark.parametrize("name", sorted(TABLES.lexicon))
def test_every_word_of_a_class_is_found_in_a_sentence_that_holds_it(name: str) -> None:
    words = TABLES.lexicon[name]
    assert words
    assert twice(words) == []
    missed = [word for word in words if not read_document(f"Voici {word.replace('*', '')} ici.").hits_of(f"lexicon.{name}")]
    assert missed == []


def test_a_word_belongs_to_one_class_only() -> None:
    assert twice(clean(word).text.casefold() for words in TABLES.lexicon.values() for word in words) == []


@pytest.mark.parametrize("practice", [pytest.param(practice, id=practice.id) for practice in TABLES.practices])
def test_a_practice_has_a_known_family_known_dangers_and_a_source_that_is_a_page(practice: Practice) -> None:
    assert practice.family in FAMILIES
    assert set(practice.danger) <= DANGERS
    assert twice(practice.danger) == []
    assert not practice.source or regex.fullmatch(r"https?://\S+", practice.source)


def test_a_practice_without_a_source_is_marked_as_to_be_verified() -> None:
    assert [practice.id for practice in TABLES.practices if not practice.source and not practice.verify] == []


def test_a_grave_condition_is_always_a_lasting_one() -> None:
    assert [condition.id for condition in TABLES.conditions if condition.grave and not condition.lasting] == []


def test_titles_have_a_known_status_and_only_regulated_ones_an_order() -> None:
    assert {title.status for title in TABLES.titles} == STATUSES
    assert [title.id for title in TABLES.titles if title.order and title.status == "unregulated"] == []


def test_a_minor_is_always_a_public_named_as_one() -> None:
    minors = {audience.id for audience in TABLES.audiences if audience.minor}
    assert {"bebes", "nourrissons", "enfants", "adolescents"} <= minors
    assert not {"seniors", "parents", "toute-personne", "femmes-enceintes"} & minors


@pytest.mark.parametrize(
    ("table", "entry", "word"),
    [
        pytest.param(table, entry.id, word, id=f"{entry.id}-{word}")
        for table, entry in NAMED
        if isinstance(entry, Condition)
        for word in entry.homonyms[:1]
    ],
)
def test_a_homonym_close_by_hides_the_entry(table: str, entry: str, word: str) -> None:
    variant = next(known.variants[0] for name, known in NAMED if name == table and known.id == entry)
    hits = [hit.entry for hit in read_document(f"Voici {variant}, {word.replace('*', '')}.").hits_of(table)]
    assert entry not in hits


def test_cues_cover_every_kind_of_context_and_rules_every_indicator() -> None:
    assert {cue.kind for cue in TABLES.cues} == set(CONTEXT_KINDS)
    assert {rule.kind for rule in TABLES.rules} == set(INDICATOR_IDS)


@each_pattern
def test_a_pattern_matches_its_example_and_not_its_near_miss(pattern: Pattern) -> None:
    compiled = regex.compile(pattern.pattern)
    assert compiled.search(read(pattern.example)), pattern.example
    assert not compiled.search(read(pattern.counter)), pattern.counter
    assert not compiled.fullmatch("")


@pytest.mark.parametrize("cue", [pytest.param(cue, id=f"{cue.kind}-{n}") for n, cue in enumerate(TABLES.cues, start=1)])
def test_the_example_of_a_cue_is_reported_with_its_kind(cue: Pattern) -> None:
    text = clean(cue.example).text
    found = [hit for hit in find_cues(text) if hit.kind == cue.kind]
    assert found
    assert all(0 <= hit.span.start < hit.span.end <= len(text) for hit in found)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in TABLES.rules])
def test_the_example_of_a_rule_is_reported_with_its_name_and_indicator(rule: Pattern) -> None:
    text = clean(rule.example).text
    assert (rule.kind, rule.id) in {(hit.label, hit.rule) for hit in find_rules(text)}
    assert rule.id not in {hit.rule for hit in find_rules(clean(rule.counter).text)}


@each_pattern
def test_a_pattern_is_fast_on_hostile_texts(pattern: Pattern) -> None:
    compiled = regex.compile(pattern.pattern)
    words = read(pattern.example).split()
    own = {"example": " ".join(words) + " ", "first-word": f"{words[0]} ", "first-half": " ".join(words[: len(words) // 2]) + " "}
    for name, piece in (HOSTILE | own).items():
        text = (piece * LIMIT)[:LIMIT]
        assert quickest(partial(compiled.sub, "", text), 0.5) < 0.5, name
