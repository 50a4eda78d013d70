"""The shape of the house: imports one way, small files, one place for each third-party library, public names that hold."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "training", "service")
MOST_LINES = 320
MOST_FUNCTION_LINES = 60

# Inside `model`, a module may import only modules of a lower floor.
FLOORS = (
    ("errors", "labels", "levels", "signing"),
    ("text", "tables", "records", "weights", "needs", "screen", "deadline", "numerals", "verified"),
    ("phrases", "forms", "named", "language", "pieces", "network", "wordings", "sequences", "misspelt"),
    ("context", "signals", "encoder", "contacts", "dates", "prices"),
    ("words", "edits"),
    ("facts",),
    ("reference",),
    ("masks", "doubts"),
    ("evasion", "practices"),
    ("document",),
    ("concepts", "authors"),
    ("entities",),
    ("features", "described"),
    ("attribution",),
    ("classifier",),
    ("decide", "evidence", "firstlook"),
    ("compatibility",),
    ("store",),
    ("analyser", "promotion"),
)

# Third-party libraries with one home: (library, modules or packages that may import it).
HOMES = {
    "alembic": {"service.migrations"},
    "argon2": {"service.workplace.passwords"},
    "cryptography": {"model.signing", "service.secret"},
    "spacy": {
        "model.entities",
        "model.language",
        "training.baselines",
        "training.exchange.docbin",
        "training.textcat",
        "training.words",
    },
    "onnx": {"model.network"},
    "onnxruntime": {"model.network"},
    "snowballstemmer": {"model.concepts"},
    "symspellpy": {"model.misspelt", "model.words"},
    "lingua": {"model.language"},
    "phonenumbers": {"model.contacts"},
    "stdnum": {"model.contacts"},
    "joblib": {"model.store", "training.footprint"},
    "matplotlib": {"training.plots"},
    "sqlalchemy": {
        "service.audit_commands",
        "service.demo",
        "service.demo_commands",
        "service.backup",
        "service.observatory",
        "service.campaigns",
        "service.cases",
        "service.database",
        "service.directions",
        "service.doctor",
        "service.drift",
        "service.drift_commands",
        "service.followed_file",
        "service.gauges",
        "service.label_studio",
        "service.loop_commands",
        "service.leftovers",
        "service.migrations",
        "service.outage_answers",
        "service.outages",
        "service.pages",
        "service.people_commands",
        "service.postgresql",
        "service.routes.queue",
        "service.routes.cases",
        "service.routes.campaigns",
        "service.routes.contacts",
        "service.routes.reading",
        "service.routes.sampling",
        "service.routes.tables",
        "service.server",
        "service.state",
        "service.stepping",
        "service.workplace",
        "service.privacy",
        "service.privacy_commands",
    },
    "openpyxl": {
        "service.batch.outputs",
        "service.batch.workbooks",
        "service.observatory.report",
        "service.workplace.workbook",
    },
    "pandas": {"service.cluster.worker"},
    "py4j": {"service.cluster.session"},
    "pyarrow": {
        "service.batch.files",
        "service.batch.outputs",
        "service.batch.rows",
        "service.cluster.manifest",
        "service.cluster.table",
    },
    "pyspark": {"service.cluster.session", "service.cluster.worker"},
    "charset_normalizer": {"service.batch.files"},
    "limits": {"service.hits", "service.rates"},
    "authlib": {"service.oidc"},
    "joserfc": {"service.oidc"},
    "httpx": {"service.oidc"},
    "jinja2": {"service.pages"},
    "tldextract": {"model.contacts"},
    "networkx": {"service.campaigns.graph", "service.observatory.suppression"},
    "typer": {
        "service.audit_commands",
        "service.backup_commands",
        "service.case_commands",
        "service.cli",
        "service.commands",
        "service.compare_command",
        "service.corpus_commands",
        "service.database_commands",
        "service.demo_commands",
        "service.doctor_commands",
        "service.drift_commands",
        "service.items_commands",
        "service.key_commands",
        "service.loop_commands",
        "service.model_commands",
        "service.people_commands",
        "service.privacy_commands",
    },
    "rapidfuzz": {"service.directions.sheets"},
    "datasketch": {"service.workplace.minhash"},
    "cleanlab": {"training.suspects"},
    "krippendorff": {"training.agreement"},
    "rich": {"service.terminal"},
    "docx": {"service.cases.word"},
    "typst": {"service.typeset"},
    "uvicorn": {"service.connections", "service.server"},
    "prometheus_client": {"service.gauges", "service.metrics", "service.routes.tables"},
    "pythonjsonlogger": {"service.journaling"},
    "pydantic_settings": {"service.settings"},
    "anyio": {
        "service.app",
        "service.models",
        "service.rates",
        "service.routes.exchange",
        "service.routes.imports",
        "service.routes.items",
        "service.routes.label_studio",
        "service.routes.predict",
        "service.slots",
        "service.streaming",
    },
}
ENTRY_POINTS = {"service.cli", "service.compare_command", "service.corpus_commands", "service.loop_commands"}


def _modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(_modules())


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in MODULES}
    return found


@pytest.mark.parametrize("name", MODULES)
def test_packages_import_one_way(name: str) -> None:
    package = name.split(".")[0]
    allowed = {"model": {"model"}, "training": {"training", "model"}, "service": {"service", "model"}}[package]
    if name in ENTRY_POINTS:
        allowed = set(PACKAGES)
    reached = {module.split(".")[0] for module in _imports(MODULES[name])} & set(PACKAGES)
    assert reached <= allowed, f"{name} importe {reached - allowed}"


def test_model_imports_go_down() -> None:
    floor_of = {f"model.{name}": floor for floor, names in enumerate(FLOORS) for name in names}
    assert set(floor_of) == {name for name in MODULES if name.startswith("model.")}
    for name, floor in floor_of.items():
        for other in _imports(MODULES[name]) & set(floor_of):
            same_floor_allowed = other != name and floor_of[other] == floor and floor < 2
            assert floor_of[other] < floor or same_floor_allowed, f"{name} importe {other}, qui n'est pas plus bas"


def test_each_library_has_its_home() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for name, path in MODULES.items():
        for module in _imports(path):
            users[module.split(".")[0]].add(name)
    for library, homes in HOMES.items():
        found = {next((home for home in homes if f"{name}.".startswith(f"{home}.")), name) for name in users[library]}
        assert found == homes, f"{library} : {found} au lieu de {homes}"


@pytest.mark.parametrize("name", MODULES)
def test_files_and_functions_stay_small(name: str) -> None:
    content = MODULES[name].read_text(encoding="utf-8")
    assert content.count("\n") <= MOST_LINES
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_FUNCTION_LINES or "{_table(" in content, f"{node.name} : {length} lignes"


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented_and_exist(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    if MODULES[name].stat().st_size:
        assert ast.get_docstring(tree), f"{name} n'a pas de docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name}.{node.name} n'a pas de docstring"
    module = importlib.import_module(name)
    for exported in getattr(module, "__all__", ()):
        assert hasattr(module, exported)


def test_environment_is_read_in_one_place() -> None:
    for name, path in MODULES.items():
        if name != "service.settings":
            assert not re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8")), name


def test_version_and_changelog_agree() -> None:
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    newest = re.search(r"^## \[?(\d[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert newest
    assert version.group(1) == newest.group(1)
