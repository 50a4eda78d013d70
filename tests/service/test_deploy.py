"""What is given to whoever runs Vigie is true of it: settings, units, dashboard, alerts, container, proxy, operator's guide."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from service.cli import app
from service.settings import SECRETS, Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
GUIDE = (ROOT / "docs" / "exploitation.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
NAMES = {f"VIGIE_{name.upper()}": field for name, field in Settings.model_fields.items()}
#: What Prometheus makes of a family: counters and histograms have several names.
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def written(value: Any) -> str:
    """A default as one would write it in the environment."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# Settings


def test_the_example_lists_every_setting_with_its_default_and_says_what_it_is() -> None:
    found = re.findall(r"^# (.+)\n#(VIGIE_\w+)=(.*)$", EXAMPLE, re.MULTILINE)
    assert sorted(name for _, name, _ in found) == sorted(NAMES), "un réglage manque à .env.example, ou n'existe pas"
    for said, name, value in found:
        assert value == written(NAMES[name].default), f"{name} : ce n'est pas sa valeur par défaut"
        assert len(said) > 10, name
    assert set(re.findall(r"VIGIE_[A-Z_0-9]+", EXAMPLE)) <= set(NAMES)


def test_the_example_as_it_is_sets_nothing_and_holds_no_secret() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []
    for name in SECRETS:
        assert f"#VIGIE_{name.upper()}=\n" in EXAMPLE


def test_the_guide_tells_of_every_setting_and_of_no_other() -> None:
    rows = dict(re.findall(r"^\| `(VIGIE_\w+)` \| (.*?) \|", GUIDE, re.MULTILINE))
    assert sorted(rows) == sorted(NAMES)
    for name, shown in rows.items():
        value = written(NAMES[name].default)
        assert shown == (f"`{value}`" if value else "–"), f"{name} : ce n'est pas sa valeur par défaut"
    assert set(re.findall(r"VIGIE_[A-Z_0-9]+", GUIDE)) <= set(NAMES)


@pytest.mark.parametrize("path", sorted([*UNITS.glob("*.env"), DEPLOY / "Containerfile"]), ids=lambda path: path.name)
def test_files_of_settings_name_only_settings(path: Path) -> None:
    named = set(re.findall(r"\b(VIGIE_[A-Z_0-9]+)", path.read_text(encoding="utf-8")))
    assert named
    assert named <= set(NAMES)


# systemd


def _directives(path: Path) -> dict[str, list[str]]:
    """The directives of the section [Service] of a unit, each with its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


TASKS = UNITS / "vigie-.service.d" / "10-taches.conf"
HARDENED = (
    "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "CapabilityBoundingSet=", "RestrictSUIDSGID=yes", "RestrictNamespaces=yes", "SystemCallArchitectures=native", "UMask=0077",
    "User=vigie", "ReadWritePaths=/var/lib/vigie", "EnvironmentFile=/etc/vigie/vigie.env",
)  # fmt: skip


@pytest.mark.parametrize("path", [UNITS / "vigie.service", TASKS], ids=lambda path: path.name)
def test_units_are_shut_in(path: Path) -> None:
    given = _directives(path)
    for wanted in HARDENED:
        name, _, value = wanted.partition("=")
        assert value in given.get(name, []), wanted
    assert re.fullmatch(r"\d+G", given["MemoryMax"][0])
    if path != TASKS:
        assert given["Restart"] == ["on-failure"]


def test_the_service_is_given_the_time_to_stop() -> None:
    defaults = Settings()
    given = int(_directives(UNITS / "vigie.service")["TimeoutStopSec"][0])
    assert given > defaults.shutdown_seconds + defaults.timeout


def known(words: list[str]) -> bool:
    """Whether the words after `vigie` are verbs and options that exist; nothing is run."""
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


@pytest.mark.parametrize("path", sorted(UNITS.glob("*.service")), ids=lambda path: path.name)
def test_units_run_commands_that_exist(path: Path) -> None:
    command, *words = shlex.split(_directives(path)["ExecStart"][0])
    assert command == "/opt/vigie/.venv/bin/vigie"
    assert known(words)
    assert not known([*words, "--qui-n-existe-pas"])


def test_every_task_has_its_timer_and_every_timer_its_task() -> None:
    tasks = {path.stem for path in UNITS.glob("vigie-*.service")}
    assert (
        tasks
        == {path.stem for path in UNITS.glob("*.timer")}
        == {f"vigie-{name}" for name in ("backup", "retention", "drift", "doctor")}
    )
    for name in tasks:
        assert f"{name}.timer" in GUIDE
        read = configparser.ConfigParser()
        read.read(UNITS / f"{name}.timer", encoding="utf-8")
        assert read["Timer"]["Persistent"] == "yes"
        assert read["Timer"]["OnCalendar"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd n'est pas installé : lu plus haut, sans lui")
def test_systemd_reads_the_units_without_a_word(tmp_path: Path) -> None:
    copied = shutil.copytree(UNITS, tmp_path / "units")
    for path in copied.glob("*.service"):
        path.write_text(path.read_text(encoding="utf-8").replace("/opt/vigie/.venv/bin/vigie", "/bin/true"), encoding="utf-8")
    units = [str(path) for path in sorted(copied.iterdir()) if path.suffix in (".service", ".timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{copied}:", "SYSTEMD_LOG_TARGET": "console"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert str(copied) not in done.stderr


# Prometheus, Grafana


@pytest.fixture(scope="module")
def scraped(client: httpx.Client) -> dict[str, set[str]]:
    """The names of a real scrape of `/metrics`, each with the labels that its samples have."""
    client.post("/v1/predict", json={"text": "Magnétiseuse, je soigne le cancer. Arrêtez la chimio."})
    client.get("/file")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        if family.name.endswith("_created"):
            continue  # when a counter began, which Prometheus keeps apart
        for ending in ENDINGS[family.type]:
            labels = {label for sample in family.samples if sample.name == family.name + ending for label in sample.labels}
            found[family.name + ending] = labels
    return found


def _asked_by_dashboard() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "vigie.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def _asked_by_alerts() -> list[str]:
    return re.findall(r"^\s+expr: (.+)$", (DEPLOY / "prometheus" / "vigie-alertes.yml").read_text(encoding="utf-8"), re.MULTILINE)


ASKED = [*_asked_by_dashboard(), *_asked_by_alerts()]
#: Added by Prometheus to everything that it scrapes; buckets of a histogram have `le`.
_ADDED = {"job", "instance", "le"}
#: Only where several processes serve; where no text was read, no drift measured, nothing refused, there are no samples to see.
_ELSEWHERE = {"vigie_process_resident_bytes": {"pid"}}


def _names(expression: str) -> Iterator[str]:
    yield from re.findall(r"\bvigie_\w+", re.sub(r'"[^"]*"', '""', expression))


@pytest.mark.parametrize("expression", ASKED)
def test_dashboard_and_alerts_ask_for_what_is_told(expression: str, scraped: dict[str, set[str]]) -> None:
    for name in _names(expression):
        assert name in scraped, f"{name} n'est pas dans /metrics"
    for name, chosen in re.findall(r"\b(vigie_\w+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", chosen)) - _ADDED
        known = scraped[name] | _ELSEWHERE.get(name, set())
        assert not scraped[name] or labels <= known, f"{name} n'a pas {labels - known}"


def test_what_must_be_watched_is_asked_for(scraped: dict[str, set[str]]) -> None:
    shown = {name for expression in _asked_by_dashboard() for name in _names(expression)}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in scraped if name.startswith("vigie_")}
    assert families == {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}, "une mesure que rien ne montre"


def test_the_dashboard_has_its_panels_in_their_places() -> None:
    board = json.loads((DEPLOY / "grafana" / "vigie.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"« {panel['title']} » en recouvre un autre"
        taken |= cells
        assert panel["title"]


def test_every_alert_says_what_is_wrong_and_how_grave() -> None:
    alerts = re.split(
        r"^\s+- alert: ", (DEPLOY / "prometheus" / "vigie-alertes.yml").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert len(alerts) > 10
    for alert in alerts[1:]:
        name = alert.split()[0]
        assert "summary:" in alert, name
        assert re.search(r"severity: (page|avis)", alert), name
        assert name in GUIDE, f"{name} : docs/exploitation.md ne dit pas quoi faire"


# Container, proxy


def test_the_container_is_pinned_and_not_root() -> None:
    steps = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text(encoding="utf-8")).splitlines()
    bases = [step.split()[1] for step in steps if step.startswith("FROM ")]
    assert all(re.fullmatch(r"\S+/python:3\.11\.\d+-slim-\w+", base) for base in bases), bases
    assert len(set(bases)) == 1
    final = steps[max(index for index, step in enumerate(steps) if step.startswith("FROM ")) :]
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", [step for step in final if step.startswith("USER ")][-1])
    assert any(step.startswith("HEALTHCHECK ") and "/health/ready" in step for step in final)
    installs = [step for step in steps if "pip install" in step]
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)
    for step in steps:
        if step.startswith("COPY ") and "--from" not in step:
            *sources, _ = step.split()[1:]
            assert all((ROOT / source).exists() for source in sources), step
    entry = json.loads(next(step for step in final if step.startswith("ENTRYPOINT ")).removeprefix("ENTRYPOINT "))
    assert known([*entry[1:], *json.loads(next(step for step in final if step.startswith("CMD ")).removeprefix("CMD "))])
    assert "VIGIE_SECRET_KEY=" not in "".join(steps)


def test_the_proxy_agrees_with_the_service() -> None:
    said = (DEPLOY / "nginx" / "vigie.conf").read_text(encoding="utf-8")
    defaults = Settings()
    assert f"server 127.0.0.1:{defaults.port};" in said
    assert int(re.findall(r"client_max_body_size (\d+)m;", said)[0]) * 1_000_000 == defaults.max_body_bytes
    assert int(re.findall(r"proxy_read_timeout (\d+)s;", said)[0]) > defaults.max_wait + defaults.timeout
    assert "X-Forwarded-For $remote_addr;" in said, "ce que le client dit de son adresse ne doit pas être transmis"
    assert "$request_uri" not in said.partition("upstream")[0], "une adresse journalisée ne doit pas porter de recherche"


# Guide


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^[#$] vigie(?:-admin)? (.+?)(?:\s+#.*)?$", GUIDE, re.MULTILINE))))
def test_commands_of_the_guide_exist(line: str) -> None:
    assert known(shlex.split(line.partition(" | ")[0].partition(" > ")[0]))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", GUIDE))))
def test_links_of_the_guide_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


def test_the_guide_names_every_file_to_deploy() -> None:
    for path in sorted(path for path in DEPLOY.rglob("*") if path.is_file()):
        assert path.relative_to(ROOT).as_posix() in GUIDE or path.stem in GUIDE, path
