"""A document put in the place of another shows, though the manifest is untouched and the seal rewritten."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.case_commands import case_app
from service.cases.bundle import sha256
from service.cases.dossier import canonical
from service.cases.verify import known_export, verify
from tests.service.workplace.test_case_dossier import Whole, parts, remade, whole

__all__ = ["whole"]
Change = Callable[[dict[str, bytes]], object]


def _sealed_again(change: Change) -> Change:
    def done(files: dict[str, bytes]) -> None:
        change(files)
        seal = json.loads(files["seal.json"])
        seal["files"] = {name: sha256(files[name]) for name in seal["files"] if name in files}
        files["seal.json"] = canonical(seal)

    return done


CHANGES = {
    "pdf": _sealed_again(lambda files: files.update({"dossier.pdf": files["dossier.pdf"] + b"\n"})),
    "docx": _sealed_again(lambda files: files.update({"dossier.docx": b"PK fake"})),
    "dropped": _sealed_again(lambda files: (files.pop("dossier.pdf"), files.pop("dossier.docx"))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_document_changed_under_a_new_seal_shows(whole: Whole, name: str, tmp_path: Path) -> None:
    files = parts(whole[3])
    CHANGES[name](files)
    report = verify(remade(files))
    assert not report.whole
    assert any(fault.startswith("dossier.") for fault in report.uncovered)
    with whole[0].connect() as connection:
        assert known_export(connection, report) is None
    archive = tmp_path / "a.zip"
    archive.write_bytes(remade(files).getvalue())
    ran = CliRunner().invoke(case_app, ["verify", str(archive), "--manifest", whole[3].manifest_sha256])
    assert ran.exit_code == 1
    assert "dossier." in ran.output


def test_the_documents_composed_again_are_the_same(whole: Whole, tmp_path: Path) -> None:
    assert verify(BytesIO(whole[3].data)).uncovered == ()
    archive = tmp_path / "a.zip"
    archive.write_bytes(whole[3].data)
    same = ["--manifest", whole[3].manifest_sha256, "--seal", whole[3].seal_sha256]
    assert CliRunner().invoke(case_app, ["verify", str(archive), *same]).exit_code == 0
    assert CliRunner().invoke(case_app, ["verify", str(archive), "--seal", "0" * 64]).exit_code == 1


def test_documents_of_another_version_are_covered_by_their_seal_alone(whole: Whole, tmp_path: Path) -> None:
    files = parts(whole[3])
    manifest = json.loads(files["manifest.json"]) | {"vigie": "0.0.1"}
    files["manifest.json"] = canonical(manifest)
    seal = json.loads(files["seal.json"]) | {"manifest_sha256": sha256(files["manifest.json"])}
    seal["files"]["manifest.json"] = sha256(files["manifest.json"])
    files["seal.json"] = canonical(seal)
    archive = tmp_path / "a.zip"
    archive.write_bytes(remade(files).getvalue())
    alone = CliRunner().invoke(case_app, ["verify", str(archive)])
    assert alone.exit_code == 1
    assert "Vigie 0.0.1" in alone.output
    assert CliRunner().invoke(case_app, ["verify", str(archive), "--seal", sha256(files["seal.json"])]).exit_code == 0


def test_what_is_no_archive_is_told_in_french() -> None:
    for content in (b"", b"rien d'un ZIP", b"PK\x03\x04" + bytes(100)):
        (fault,) = verify(BytesIO(content)).faults
        assert fault == "Ce fichier n'est pas une archive ZIP lisible : celle d'un dossier, telle qu'exportée, est attendue."
