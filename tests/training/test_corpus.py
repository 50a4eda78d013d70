"""The corpus is read with file and line of every fault, and checked for what the guide and the contract ask."""

import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import CorpusError
from training.check import check_corpus
from training.corpus import AnnotatedText, corpus_hash, load_corpus, to_line
from training.neardup import near_pairs
from training.split import HELD_OUT, assign

ROOT = Path(__file__).resolve().parents[2]


def line(**changes: Any) -> dict[str, Any]:
    """A corpus line that is right in all respects, with some fields changed."""
    base: dict[str, Any] = {
        "id": "c1",
        "text": "Je harmonise vos chakras en une séance, tarif 50 €.",
        "channel": "website",
        "stance": "promotes",
        "risk_level": 1,
        "indicators": [{"label": "mystical_discourse", "start": 3, "end": 24}],
        "targets": [],
        "theme": "soin-energetique",
        "register": "polished",
        "genre": "service",
        "provenance": "authored",
        "writer": "w1",
        "annotator": {"id": "w1", "kind": "model"},
        "group": "g1",
        "split": "train",
    }
    return base | changes


def write(folder: Path, *lines: dict[str, Any] | str, name: str = "w1.jsonl") -> Path:
    content = "\n".join(entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False) for entry in lines)
    (folder / name).write_text(content + "\n", encoding="utf-8")
    return folder


OTHER = "Cours de poterie le mardi soir à la maison des associations, matériel fourni."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"indicators": [{"label": "mystical_discourse", "start": 3, "end": 999}]}, "hors du texte", id="offsets"),
        pytest.param({"indicators": [{"label": "mystical_discourse", "start": 2, "end": 24}]}, "par un blanc", id="outer-space"),
        pytest.param({"indicators": [{"label": "magic", "start": 3, "end": 24}]}, "indicators", id="unknown-label"),
        pytest.param({"risk_level": 3}, "le guide donne 1", id="level"),
        pytest.param({"targets": ["illness"]}, "le guide donne 2", id="level-with-target"),
        pytest.param({"targets": ["serious_illness"], "risk_level": 2}, "sans illness", id="serious-without-illness"),
        pytest.param({"stance": "warns", "risk_level": 0}, "aucun n'est attendu", id="sign-in-warning"),
        pytest.param({"lookalike": "news"}, "le niveau 0 est attendu", id="lookalike-level"),
        pytest.param({"channel": "fax"}, "channel", id="channel"),
        pytest.param({"split": "validation"}, "split", id="split"),
        pytest.param({"writer": ""}, "writer", id="writer"),
        pytest.param({"colour": "blue"}, "colour", id="unknown-field"),
        pytest.param({"annotator": None}, "annotator", id="annotator"),
        pytest.param({"text": "Je harmonise vos chakras, appelez le 06 12 34 56 78."}, "téléphone", id="real-phone"),
        pytest.param({"text": "Je harmonise vos chakras : lea.martin@orange.fr"}, "adresse", id="real-email"),
        pytest.param({"text": "Je harmonise vos chakras : www.soins-lumiere.fr"}, "adresse", id="real-url"),
        pytest.param({"text": "Je harmonise vos chakras, SIRET 732 829 320 00074."}, "SIRET", id="real-siret"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    folder = write(
        tmp_path, line(id="c0", text=OTHER, stance="neutral", risk_level=0, indicators=[], group="g0"), line(**changes)
    )
    faults = check_corpus(folder).faults
    assert faults
    assert any("w1.jsonl:2 : " in fault and expected in fault for fault in faults), faults


def test_a_right_corpus_has_no_fault(tmp_path: Path) -> None:
    assert check_corpus(write(tmp_path, line())).faults == ()


def test_fiction_numbers_and_domains_are_accepted(tmp_path: Path) -> None:
    text = "Je harmonise vos chakras, 06 39 98 12 34, contact@brume.example, https://brume.example/soins"
    assert check_corpus(write(tmp_path, line(text=text))).faults == ()


def test_duplicates_across_groups_ids_and_splits(tmp_path: Path) -> None:
    long = "Je harmonise vos chakras pendant une heure dans un cabinet calme près de la gare, le mardi et le jeudi matin."
    near = long.replace("jeudi", "samedi")
    faults = check_corpus(
        write(
            tmp_path,
            line(text=long),
            line(id="c2", text=near, group="g2"),
            line(id="c2", text=OTHER, stance="neutral", risk_level=0, indicators=[], group="g1", split="test"),
        )
    ).faults
    assert any("ressemble à" in fault and "w1.jsonl:2" in fault for fault in faults)
    assert any("déjà pris" in fault for fault in faults)
    assert any("groupe « g1 »" in fault for fault in faults)
    assert any("aucun rédacteur absent de train" in fault for fault in faults)


def test_unreadable_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path, "{pas du json", line(id="c2"), '{"id": "c3"}')
    report = check_corpus(folder)
    assert report.texts == 1
    assert any("w1.jsonl:1" in fault for fault in report.faults)
    assert any("w1.jsonl:3" in fault and "text" in fault for fault in report.faults)
    with pytest.raises(CorpusError, match=r"w1\.jsonl:1"):
        load_corpus(folder)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"id": "\xff"}')
    assert "x.jsonl" in check_corpus(tmp_path).faults[0]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"\.jsonl"):
        check_corpus(tmp_path)


def test_lines_round_trip_and_the_hash_ignores_order() -> None:
    texts = [AnnotatedText.model_validate(line()), AnnotatedText.model_validate(line(id="c2", lookalike=None))]
    assert AnnotatedText.model_validate_json(to_line(texts[0])) == texts[0]
    assert corpus_hash(texts) == corpus_hash(texts[::-1])
    assert corpus_hash(texts) != corpus_hash(texts[:1])


def test_near_pairs_sees_the_half_that_changed() -> None:
    base = "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    pairs = near_pairs([base, base.replace("seize", "fin"), "tout autre chose dans un texte sans rapport aucun avec le premier"])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]
    assert 0.5 <= pairs[0].similarity < 1


def test_assign_keeps_groups_together_and_writers_apart() -> None:
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma".split()  # noqa: SIM905
    texts = [
        AnnotatedText.model_validate(
            line(id=f"c{i}", text=" ".join([*words[i % 7 :], f"mot{i}", f"fin{i}"]), group="", writer=writer)
        )
        for i, writer in enumerate(["w1", "w1", "w2", "w3", *HELD_OUT] * 6)
    ]
    assigned = assign(texts)
    home: dict[str, str] = {}
    for text in assigned:
        assert home.setdefault(text.group, text.split) == text.split
    assert assign(assigned) == assigned


def test_the_repository_corpus_is_clean_and_large(corpus: list[AnnotatedText]) -> None:
    report = check_corpus(ROOT / "data" / "annotated")
    assert report.faults == ()
    assert report.texts >= 1200
    assert {text.annotator.kind for text in corpus if text.annotator} == {"model"}
