"""The corpus goes to annotation tools and back without loss, and what they edited comes back."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from model.errors import CorpusError
from model.labels import INDICATOR_IDS, TARGET_IDS
from model.levels import level_of
from tests.service.test_batch import ROOT, inside
from tests.training.test_corpus import line
from training.corpus import AnnotatedText, load_corpus
from training.exchange.formats import FORMATS, export_corpus, import_corpus
from training.exchange.label_studio import labelling_config

# Overlapping passages, one that starts in the middle of a word, an emoji of several code points before them, two annotators, a
# comment, a field that no tool knows.
HARD = line(
    text="👩🏽‍⚕️ =Bonjour, je soigne le cancer\r\net vos « chakras » 💉, arrêtez tout.",
    indicators=[
        {"label": "miracle_cure", "start": 19, "end": 35},
        {"label": "mystical_discourse", "start": 29, "end": 53},
        {"label": "breaking_with_medicine", "start": 59, "end": 71},
    ],
    targets=["illness", "serious_illness"],
    risk_level=3,
    marks=["evasive_spelling"],
    annotations=[
        {"annotator": {"id": "b2", "kind": "person"}, "stance": "warns", "risk_level": 0, "targets": ["illness"]},
        {
            "annotator": {"id": "b3", "kind": "model"},
            "stance": "promotes",
            "risk_level": 3,
            "indicators": [{"label": "miracle_cure", "start": 21, "end": 27}],
            "targets": ["illness", "serious_illness"],
        },
    ],
    comments=[{"author": {"id": "b2", "kind": "person"}, "text": "« cancer » est-il\nvisé ? 🤔"}],
)


def text_of(**changes: Any) -> AnnotatedText:
    return AnnotatedText.model_validate(HARD | changes)


@st.composite
def annotated(draw: st.DrawFn) -> AnnotatedText:
    alphabet = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    content = draw(st.text(alphabet, min_size=1, max_size=80))

    def labels() -> dict[str, Any]:
        stance = draw(st.sampled_from(["promotes", "warns", "neutral"]))
        targets = draw(st.lists(st.sampled_from(TARGET_IDS), unique=True))
        passages: list[dict[str, Any]] = []
        for _ in range(draw(st.integers(0, 4)) if stance == "promotes" else 0):
            start = draw(st.integers(0, len(content) - 1))
            end = draw(st.integers(start + 1, len(content)))
            passages.append({"label": draw(st.sampled_from(INDICATOR_IDS)), "start": start, "end": end})
        level = level_of(stance, {passage["label"] for passage in passages}, targets).value
        return {"stance": stance, "targets": targets, "indicators": passages, "risk_level": level}

    who = st.builds(
        lambda name, kind: {"id": name, "kind": kind}, st.text("abcé ", min_size=1), st.sampled_from(["model", "person"])
    )
    others = [{**labels(), "annotator": draw(who)} for _ in range(draw(st.integers(0, 2)))]
    said = st.builds(lambda author, text: {"author": author, "text": text}, who, st.text(alphabet, min_size=1, max_size=20))
    comments = draw(st.lists(said, max_size=2))
    return AnnotatedText.model_validate(line(text=content, **labels(), annotations=others, comments=comments))


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(annotated(), min_size=1, max_size=3))
def test_a_round_trip_loses_nothing(tmp_path: Path, name: str, texts: list[AnnotatedText]) -> None:
    texts = [text.model_copy(update={"id": f"t{number}"}) for number, text in enumerate(texts)]
    target = tmp_path / f"corpus{FORMATS[name][0]}"
    export_corpus(texts, target, name)
    read = import_corpus(target, name)
    assert read.faults == ()
    assert list(read.texts) == texts


@pytest.mark.parametrize("name", FORMATS)
def test_the_whole_corpus_comes_back(tmp_path: Path, name: str, corpus: list[AnnotatedText]) -> None:
    target = tmp_path / "corpus"
    # spaCy makes its own words of each text, a dozen times slower than the others.
    texts = corpus[::4] if name == "docbin" else corpus
    export_corpus(texts, target, name)
    read = import_corpus(target, name)
    assert read.faults == ()
    assert list(read.texts) == texts


def test_doccano_counts_utf16_units(tmp_path: Path) -> None:
    export_corpus([text_of()], tmp_path / "x.jsonl", "doccano")
    first = json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8").split("\n")[0])
    start, end, label = first["label"][0]
    encoded = first["text"].encode("utf-16-le")
    assert (encoded[2 * start : 2 * end].decode("utf-16-le"), label) == ("soigne le cancer", "miracle_cure")
    assert first["cats"] == ["promotes", "illness", "serious_illness"]


def tools(*arguments: str) -> dict[str, int]:
    """The tools' own libraries, which need other versions than ours, in their own environment."""
    python = ROOT / ".venv-tools" / "bin" / "python"
    assert python.exists(), "« make test » installe .venv-tools."
    script = str(ROOT / "tests" / "tools_check.py")
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def test_label_studio_accepts_the_tasks_and_the_interface(tmp_path: Path) -> None:
    export_corpus([text_of(), text_of(id="c2")], tmp_path / "x.json", "label-studio")
    (tmp_path / "c.xml").write_text(labelling_config(), encoding="utf-8")
    assert tools("label-studio", str(tmp_path / "x.json"), str(tmp_path / "c.xml")) == {"tasks": 2, "annotations": 6}
    tasks = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    for item in tasks[0]["annotations"][0]["result"][:3]:
        value = item["value"]
        assert tasks[0]["data"]["text"][value["start"] : value["end"]] == value["text"]
    tasks[0]["annotations"][0]["result"][0]["value"]["labels"] = ["magie"]
    (tmp_path / "x.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert tools("label-studio", str(tmp_path / "x.json"), str(tmp_path / "c.xml"))["annotations"] == 5


def test_the_level_that_our_interface_asks_for_is_computed_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    export_corpus([text_of()], path, "label-studio")
    tasks = json.loads(path.read_text(encoding="utf-8"))
    level = {"from_name": "level", "to_name": "text", "type": "choices", "value": {"choices": ["niveau-3"]}}
    tasks[0]["annotations"][0]["result"].append(level)
    path.write_text(json.dumps(tasks), encoding="utf-8")
    assert import_corpus(path, "label-studio").texts == (text_of(),)


def test_argilla_reads_the_records_and_gives_them_back(tmp_path: Path) -> None:
    export_corpus([text_of(), text_of(id="c2")], tmp_path / "x.json", "argilla")
    assert tools("argilla", str(tmp_path / "x.json"), str(tmp_path / "again.json")) == {"records": 2}
    assert import_corpus(tmp_path / "again.json", "argilla").texts == (text_of(), text_of(id="c2"))


def test_spacy_reads_the_groups_and_an_edited_group_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.spacy"
    export_corpus([text_of()], path, "docbin")
    vocab = spacy.blank("fr").vocab
    (doc,) = DocBin().from_disk(path).get_docs(vocab)
    assert doc.text == text_of().text
    assert [span.label_ for span in doc.spans["signs"]] == [passage.label for passage in text_of().indicators]
    span = doc.char_span(21, 34, label="pseudo_science", alignment_mode="expand")
    assert span is not None
    doc.spans["signs"] = [span]
    edited = DocBin(store_user_data=True)
    edited.add(doc)
    edited.to_disk(path)
    (text,) = import_corpus(path, "docbin").texts
    assert [passage.label for passage in text.indicators] == ["pseudo_science"]
    assert text.risk_level == 2
    assert text.annotations == text_of().annotations


def test_what_a_reviewer_changed_in_the_tool_is_the_new_label(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    export_corpus([text_of()], path, "prodigy")
    first, *others = path.read_text(encoding="utf-8").splitlines()
    task = json.loads(first) | {"spans": [], "accept": ["warns", "illness"]}
    path.write_text("\n".join([json.dumps(task), *others]), encoding="utf-8")
    (text,) = import_corpus(path, "prodigy").texts
    assert (text.stance, text.risk_level, text.indicators, text.targets) == ("warns", 0, (), ("illness",))
    assert len(text.annotations) == 2


@pytest.mark.parametrize("name", ["doccano", "prodigy", "csv"])
def test_the_decided_labels_stay_the_decided_ones(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x"
    export_corpus([text_of()], path, name)
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    if name == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows[::-1]])
    else:
        path.write_text("\n".join([line for line in lines if line][::-1]), encoding="utf-8")
    assert import_corpus(path, name).texts == (text_of(),)


def test_a_text_whose_decision_is_missing_or_comes_twice_is_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    export_corpus([text_of(), text_of(id="c2", annotations=[])], path, "prodigy")
    first, *others = path.read_text(encoding="utf-8").splitlines()
    for lines in ([*others], [json.dumps(json.loads(first) | {"answer": "reject"}), *others], [first, first, *others]):
        path.write_text("\n".join(lines), encoding="utf-8")
        read = import_corpus(path, "prodigy")
        assert [text.id for text in read.texts] == ["c2"]
        assert any("le texte est laissé de côté" in fault for fault in read.faults), read.faults


def test_two_people_who_annotate_in_a_tool_are_both_kept_and_compared(tmp_path: Path) -> None:
    def by(user: Any, stance: str) -> dict[str, Any]:
        return {"completed_by": user, "result": [{"type": "choices", "value": {"choices": [stance]}}, {"type": "relation"}]}

    task = {
        "id": 3,
        "data": {"text": "Je soigne le cancer"},
        "annotations": [by(1, "promotes"), by({"email": "b@x.example"}, "warns")],
    }
    (tmp_path / "s.json").write_text(json.dumps([task]), encoding="utf-8")
    (text,) = import_corpus(tmp_path / "s.json", "label-studio").texts
    assert [(one.annotator.id, one.annotator.kind, one.stance) for one in text.annotations] == [
        ("1", "person", "promotes"),
        ("b@x.example", "person", "warns"),
    ]
    task["annotations"] = [by(1, "promotes"), by(1, "warns")]
    (tmp_path / "s.json").write_text(json.dumps([task]), encoding="utf-8")
    assert "deux fois" in import_corpus(tmp_path / "s.json", "label-studio").faults[0]


def test_a_correction_made_in_prodigy_is_its_author_s(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    export_corpus([text_of(annotations=[])], path, "prodigy")
    task = json.loads(path.read_text(encoding="utf-8")) | {"_annotator_id": "vigie-marie", "accept": ["warns"], "spans": []}
    path.write_text(json.dumps(task), encoding="utf-8")
    (text,) = import_corpus(path, "prodigy").texts
    assert text.annotator
    assert (text.annotator.id, text.annotator.kind) == ("vigie-marie", "person")


def test_exports_of_the_tools_themselves_are_read(tmp_path: Path) -> None:
    doccano = {
        "id": 7,
        "text": "Je soigne 💉 le cancer",
        "label": [[3, 22, "miracle_cure"]],
        "cats": ["promotes"],
        "Comments": ["vu"],
    }
    (tmp_path / "d.jsonl").write_text(json.dumps(doccano) + "\n", encoding="utf-8")
    (text,) = import_corpus(tmp_path / "d.jsonl", "doccano").texts
    assert text.text[text.indicators[0].start : text.indicators[0].end] == "soigne 💉 le cancer"
    assert text.comments[0].text == "vu"
    studio = {
        "id": 12,
        "data": {"text": "Je soigne le cancer"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "completed_by": 4,
                "result": [
                    {"type": "labels", "value": {"start": 3, "end": 19, "labels": ["miracle_cure"]}},
                    {"type": "choices", "value": {"choices": ["promotes"]}},
                ],
            },
        ],
    }
    (tmp_path / "s.json").write_text(json.dumps([studio]), encoding="utf-8")
    (text,) = import_corpus(tmp_path / "s.json", "label-studio").texts
    assert (text.id, text.annotator.id if text.annotator else None, text.risk_level) == ("12", "4", 2)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("doccano", '{"text": "a", "cats": ["promotes", "warns"]}', "x:1 : choix", id="two-stances"),
        pytest.param(
            "doccano", '{"text": "💉", "label": [[1, 2, "isolation"]], "cats": ["promotes"]}', "milieu", id="half-emoji"
        ),
        pytest.param("doccano", "{pas du json", "x:1 : JSON", id="not-json"),
        pytest.param("prodigy", '{"text": "a", "accept": ["neutral"], "answer": "reject"}', "laissée de côté", id="rejected"),
        pytest.param("prodigy", '{"text": "a"}', "x:1 : champ absent", id="no-choices"),
        pytest.param("prodigy", '{"text": "a", "accept": ["magie"]}', "magie", id="unknown-choice"),
        pytest.param("label-studio", '[{"data": {"text": "a"}, "annotations": []}]', "élément 1", id="no-annotation"),
        pytest.param("argilla", '[{"id": "a", "fields": {"text": "a"}}]', "aucune réponse", id="no-response"),
        pytest.param("prodigy", '{"text": null, "accept": ["neutral"]}', "« text »", id="no-text"),
        pytest.param("doccano", '{"text": 3, "cats": ["neutral"]}', "« text »", id="text-is-a-number"),
        pytest.param("prodigy", '{"text": "a", "accept": ["warns"], "vigie": "b"}', "« vigie »", id="extras-of-another-type"),
        pytest.param("prodigy", '{"text": "a \\ud800 b", "accept": ["warns"]}', "text", id="lone-surrogate"),
        pytest.param(
            "prodigy",
            '{"text": "a b", "accept": ["promotes"], "spans": [{"start": 2, "end": 1, "label": "isolation"}]}',
            "à l'envers",
            id="span-reversed",
        ),
        pytest.param(
            "prodigy",
            '{"text": "a b", "accept": ["promotes"], "spans": [{"start": 0, "end": 9, "label": "isolation"}]}',
            "hors du texte",
            id="span-outside",
        ),
        pytest.param("csv", "id,text,stance\na,bonjour,parle\n", "stance", id="bad-stance"),
        pytest.param("csv", "id,text,stance\na,bonjour\n", "nombre de cellules", id="ragged"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / "x").write_text(content, encoding="utf-8")
    read = import_corpus(tmp_path / "x", name)
    assert read.texts == ()
    assert any(expected in fault for fault in read.faults), read.faults


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("label-studio", b"{}", "tableau", id="not-an-array"),
        pytest.param("docbin", b"bonjour", "DocBin", id="not-a-docbin"),
        pytest.param("csv", b"id,text\n1,a\n", "stance", id="missing-column"),
        pytest.param("prodigy", b"\xff\xfe", "illisible", id="not-utf8"),
        pytest.param("excel", b"", "Format", id="unknown-format"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CorpusError, match=expected):
        import_corpus(tmp_path / "x", name)


def test_files_that_windows_programs_write_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("\ufeffid;text;stance\r\n1;bonjour à tous;neutral\r\n".encode())
    (tmp_path / "x.jsonl").write_bytes('\ufeff{"text": "bonjour à tous", "accept": ["neutral"]}\r\n'.encode())
    for name, file in (("csv", "x.csv"), ("prodigy", "x.jsonl")):
        read = import_corpus(tmp_path / file, name)
        assert (read.faults, [text.text for text in read.texts]) == ((), ["bonjour à tous"])


def test_spreadsheets_compute_no_formula(tmp_path: Path) -> None:
    texts = [text_of(id="f", text="=1+1 je soigne le cancer", indicators=[], risk_level=0, annotations=[])]
    export_corpus(texts, tmp_path / "x.csv", "csv")
    with (tmp_path / "x.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == ["'=1+1 je soigne le cancer"]
    assert list(import_corpus(tmp_path / "x.csv", "csv").texts) == texts


def test_the_verbs_export_and_import(tmp_path: Path, artefacts: Path) -> None:
    out, back = tmp_path / "tasks.json", tmp_path / "back.jsonl"
    done = inside(
        *("corpus", "export", str(out), "--format", "label-studio", "--data", "data/annotated/w18.jsonl"),
        *("--config", str(tmp_path / "c.xml")),
        artefacts=artefacts,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.xml").read_text(encoding="utf-8") == labelling_config()
    no_folder = ("--config", str(tmp_path / "absent" / "c.xml"))
    unwritable = inside("corpus", "export", str(tmp_path / "b.json"), "-f", "label-studio", *no_folder, artefacts=artefacts)
    assert (unwritable.returncode, "impossible d'écrire" in unwritable.stderr) == (1, True)
    assert not (tmp_path / "b.json").exists()
    same = inside("corpus", "export", str(out), "-f", "label-studio", "--config", str(out), "--overwrite", artefacts=artefacts)
    assert (same.returncode, "--config" in same.stderr) == (2, True)
    refused = inside("corpus", "export", str(out), "--format", "csv", artefacts=artefacts)
    assert (refused.returncode, "--overwrite" in refused.stderr) == (1, True)
    tasks = json.loads(out.read_text(encoding="utf-8"))
    out.write_text(json.dumps([*tasks, {"data": {}}]), encoding="utf-8")
    done = inside("corpus", "import", str(out), "-o", str(back), "--format", "label-studio", artefacts=artefacts)
    assert done.returncode == 0, done.stderr
    assert f"élément {len(tasks) + 1}" in done.stdout
    assert "1 ligne(s) laissée(s) de côté" in done.stderr
    assert load_corpus(back) == load_corpus(Path("data/annotated/w18.jsonl"))
    kept = inside("corpus", "import", str(out), "-o", str(back), "-f", "label-studio", "--overwrite", artefacts=artefacts)
    assert (kept.returncode, "n'est pas remplacé" in kept.stderr) == (1, True)
