"""Files of annotation tools made to harm: what is wrong is told, the rest is read, nothing else is ever raised."""

import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import CorpusError
from tests.timing import quickest
from training.exchange import docbin, reading
from training.exchange.formats import FORMATS, import_corpus

JSON_LINES = ("doccano", "prodigy")
JSON_ARRAYS = ("label-studio", "argilla")
GOOD: dict[str, Any] = {
    "doccano": {"text": "bonjour à tous", "cats": ["neutral"]},
    "prodigy": {"text": "bonjour à tous", "accept": ["neutral"]},
    "label-studio": {
        "data": {"text": "bonjour à tous"},
        "annotations": [{"result": [{"type": "choices", "value": {"choices": ["neutral"]}}]}],
    },
    "argilla": {"id": "a", "fields": {"text": "bonjour à tous"}, "responses": {"stance": [{"value": "neutral", "user_id": "u"}]}},
}


def read(folder: Path, name: str, content: str | bytes) -> tuple[list[str], tuple[str, ...]]:
    path = folder / "x"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = import_corpus(path, name)
    return [text.text for text in found.texts], found.faults


def test_a_quote_left_open_costs_its_own_line(tmp_path: Path) -> None:
    rows = [f"{n},texte {n},neutral" for n in range(20)]
    rows[3] = '3,"jamais fermé,neutral'
    rows[9] = '9,"neuf, dit-on",neutral'
    texts, faults = read(tmp_path, "csv", "id,text,stance\n" + "\n".join(rows) + "\n")
    assert texts == [f"texte {n}" if n != 9 else "neuf, dit-on" for n in range(20) if n != 3]
    assert len(faults) == 1
    assert "x:5 : ligne illisible" in faults[0]


def test_quotes_without_end_cost_a_bounded_time(tmp_path: Path) -> None:
    content = "id,text,stance\n" + 'x","\n' * 3_000
    texts, faults = read(tmp_path, "csv", content)
    assert texts == []
    assert len(faults) >= 2_400
    assert quickest(lambda: read(tmp_path, "csv", content), 30) < 30


def test_two_columns_of_a_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="« text »"):
        read(tmp_path, "csv", "id,text,text,stance\n1,a,b,neutral\n")


@pytest.mark.parametrize("name", JSON_LINES)
@pytest.mark.parametrize(
    "line", ['{"text": "a", "text": "b"}', '{"text": NaN}', "[" * 100_000, '{"text": 1e999}', "9" * 5_000, '"a"']
)
def test_lines_that_are_no_json_are_told_and_the_others_read(tmp_path: Path, name: str, line: str) -> None:
    good = json.dumps(GOOD[name])
    texts, faults = read(tmp_path, name, f"{good}\n{line}\n")
    assert texts == ["bonjour à tous"]
    assert len(faults) == 1


@pytest.mark.parametrize("name", JSON_ARRAYS)
@pytest.mark.parametrize("content", ["[" * 100_000, '[{"a": 1, "a": 2}]', "[NaN]", "[Infinity]", "[9" + "9" * 5_000 + "]"])
def test_documents_that_are_no_json_are_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(CorpusError, match="JSON"):
        read(tmp_path, name, content)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_PATHS = {
    "doccano": ("text", "cats", "label", "vigie", "annotator", "Comments"),
    "prodigy": ("text", "accept", "spans", "vigie", "comments", "_annotator_id", "answer"),
    "label-studio": ("data", "annotations", "id"),
    "argilla": ("id", "fields", "responses", "metadata"),
}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_value_in_any_field_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    fields = data.draw(st.lists(st.sampled_from(_PATHS[name]), min_size=1, unique=True))
    record = GOOD[name] | {field: data.draw(_VALUES) for field in fields}
    line = json.dumps(record)
    content = f"{line}\n{json.dumps(GOOD[name])}\n" if name in JSON_LINES else f"[{line}, {json.dumps(GOOD[name] | {'id': 'b'})}]"
    texts, _ = read(tmp_path_factory.getbasetemp(), name, content)
    assert "bonjour à tous" in texts or record.get("id") == "b" or texts


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=200))
def test_any_bytes_are_told(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    with suppress(CorpusError):
        read(tmp_path_factory.getbasetemp(), name, content)


def test_a_docbin_that_unpacks_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docbin, "MOST_BYTES", 5_000_000)
    with pytest.raises(CorpusError, match="décompressé"):
        read(tmp_path, "docbin", zlib.compress(b"\x00" * 50_000_000))


def test_a_file_larger_than_any_corpus_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1_000)
    with pytest.raises(CorpusError, match="limite"):
        read(tmp_path, "prodigy", "a" * 2_000)
