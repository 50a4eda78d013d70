"""The proxy of `deploy/nginx`, a real one, before a real service: what people and programs reach through it, and what it writes.

Of its file only what belongs to a machine is changed: ports, the certificate, the folder of its logs.
"""

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine, text

from service.database import open_database
from service.secret import keyring_of, new_secret
from service.settings import Settings
from service.workplace.keys import create_key
from service.workplace.people import create_user
from tests.service.conftest import free_port
from tests.service.test_load_processes import serving

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "nginx" / "vigie.conf"
NAME: Final = "vigie.exemple.fr"
PASSWORD: Final = "une phrase que personne ne tape"
#: Searched for, and sent to be read: it may be in no log.
SECRET: Final = "eczema-de-lou"
_WAIT: Final = 20.0

pytestmark = pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin") is None, reason="nginx n'est pas installé")


@dataclass(frozen=True)
class Before:
    """A proxy before a service: where both answer, a key of the service, and the folder of the proxy's logs."""

    plain: int
    port: int
    service: str
    engine: Engine
    key: str
    trust: ssl.SSLContext
    logs: Path

    @contextmanager
    def client(self, address: str = "127.0.0.1") -> Iterator[httpx.Client]:
        """A client that comes from an address of the loopback."""
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        with httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}", headers={"Host": NAME}, transport=transport, timeout=60
        ) as client:
            yield client


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate of the proxy's name and of this machine, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = made.not_valid_after(now + timedelta(days=1))
    names = [x509.DNSName(NAME), x509.IPAddress(IPv4Address("127.0.0.1"))]
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    shown, kept = folder / "vigie.pem", folder / "vigie.key"
    shown.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    kept.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return shown, kept


def configured(folder: Path, plain: int, port: int, service: int) -> Path:
    """The file to deploy, for these ports and this folder."""
    certificate, key = certify(folder)
    said = CONFIGURATION.read_text(encoding="utf-8")
    changes = (
        (r"server 127\.0\.0\.1:8000;", f"server 127.0.0.1:{service};"),
        (r"listen \[::\]:.*\n", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ", f"listen 127.0.0.1:{port} "),
        (r"/etc/nginx/tls/vigie\.pem", str(certificate)),
        (r"/etc/nginx/tls/vigie\.key", str(key)),
        (r"/var/log/nginx/", f"{folder}/"),
    )
    for what, by in changes:
        said, count = re.subn(what, by, said)
        assert count, what
    places = "\n".join(f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path = folder / "nginx.conf"
    head = f"daemon off;\nuser root;\npid {folder}/pid;\nerror_log {folder}/start.log;\nevents {{}}\n"
    path.write_text(f"{head}http {{\n{places}\n{said}}}\n", encoding="utf-8")
    return path


@contextmanager
def proxied(configuration: Path, port: int) -> Iterator[None]:
    running = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin") or "nginx", "-c", str(configuration)])
    try:
        end = time.monotonic() + _WAIT
        while True:
            assert running.poll() is None, (configuration.parent / "start.log").read_text()
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end
            time.sleep(0.05)
        yield
    finally:
        running.terminate()
        running.wait(timeout=_WAIT)


@pytest.fixture(scope="module")
def before(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    folder = tmp_path_factory.mktemp("mandataire")
    secret = new_secret()
    url = f"sqlite:///{folder / 'v.db'}"
    engine = open_database(url)
    person = create_user(engine, "camille", "Camille", "reviewer", PASSWORD)
    keyring = keyring_of(Settings(secret_key=secret, allowed_hosts=NAME))
    key = create_key(engine, person, "robot", ["predict", "import"], keyring)
    told = {"VIGIE_SECRET_KEY": secret, "VIGIE_ALLOWED_HOSTS": f"{NAME},127.0.0.1", "VIGIE_SCORING": "false"}
    with serving(artefacts, folder, 1, **told, VIGIE_SPOOL_DIR=str(folder / "attente")) as service:
        plain, port = free_port(), free_port()
        configuration = configured(folder, plain, port, int(service.url.rpartition(":")[2]))
        trust = ssl.create_default_context(cafile=folder / "vigie.pem")
        with proxied(configuration, port):
            yield Before(plain, port, service.url, engine, key, trust, folder)
    engine.dispose()


def test_plain_requests_are_led_to_the_sure_ones(before: Before) -> None:
    answer = httpx.get(f"http://127.0.0.1:{before.plain}/file?q=a", headers={"Host": NAME})
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/file?q=a")


def test_a_person_signs_in_and_is_known_by_the_address_that_the_proxy_saw(before: Before) -> None:
    with before.client("127.0.0.3") as client:
        opened = client.get("/connexion")
        assert opened.status_code == 200
        given = {"login": "camille", "password": PASSWORD}
        origin = {"Origin": f"https://{NAME}", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        answer = client.post("/connexion", data=given, headers=origin)
        assert (answer.status_code, answer.headers["location"]) == (303, "/file")
        cookie = answer.headers["set-cookie"].lower()
        assert "secure" in cookie
        assert "httponly" in cookie
        # The client library keeps no cookie of a name that it did not ask for: it is given back as a browser would.
        kept = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert client.get("/file", params={"q": SECRET}, headers=kept).status_code == 200
    with before.engine.connect() as connection:
        seen = set(connection.scalars(text("select address from audit_records")))
    assert "127.0.0.3" in seen
    assert "203.0.113.9" not in seen


def test_the_sign_in_page_cannot_be_asked_for_by_the_dozen(before: Before) -> None:
    # Tries are slowed by the service too: the page itself only by the proxy.
    with before.client("127.0.0.4") as client:
        told = [client.get("/connexion").status_code for _ in range(16)]
        assert (set(told[:10]), told[-1]) == ({200}, 429), told
        assert client.get("/pratiques").status_code == 200


def test_what_is_for_the_machine_is_told_to_nobody_else(before: Before) -> None:
    with before.client() as here, before.client("127.0.0.2") as other:
        for path in ("/metrics", "/health/ready"):
            assert (here.get(path).status_code, other.get(path).status_code) == (200, 403), path
        assert other.get("/health/live").status_code == 200


def test_texts_and_files_pass_up_to_the_sizes_of_the_service(before: Before) -> None:
    key = {"Authorization": f"Bearer {before.key}"}
    with before.client() as client:
        read = client.post("/v1/predict", json={"text": f"Je guéris l'asthme par le reiki. {SECRET}"}, headers=key)
        assert (read.status_code, read.json()["status"]) == (200, "ok")
        assert client.post("/v1/predict", content=b"x" * 9_000_000, headers=key).status_code == 413
        rows = "text\n" + "".join(f"Séance de magnétisme numéro {number}, {'x' * 500}\n" for number in range(18_000))
        assert len(rows) > 9_000_000
        sent = client.post("/v1/import", content=rows.encode(), headers=key | {"Content-Type": "text/csv"})
        assert sent.status_code in (200, 201, 202), sent.text


def test_a_stream_is_answered_line_by_line(before: Before) -> None:
    """The answer to the first line comes before the second one is sent."""
    bare = socket.create_connection(("127.0.0.1", before.port), timeout=30)
    with before.trust.wrap_socket(bare, server_hostname=NAME) as stream:
        head = (
            f"POST /v1/predict/stream HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {before.key}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        stream.sendall(head.encode())
        got = b""
        for number in (1, 2, 3):
            line = f'{{"id": "ligne-{number}", "text": "Je guéris le diabète en trois séances."}}\n'.encode()
            stream.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            while f"ligne-{number}".encode() not in got:
                piece = stream.recv(65_536)
                assert piece, got
                got += piece
        stream.sendall(b"0\r\n\r\n")
        assert b" 200 " in got


def test_no_log_tells_what_was_searched_or_read(before: Before) -> None:
    with before.client() as client:
        client.get("/file", params={"q": SECRET})
    end = time.monotonic() + _WAIT
    while "GET /file" not in (before.logs / "vigie.log").read_text(encoding="utf-8"):
        assert time.monotonic() < end
        time.sleep(0.05)
    for path in before.logs.glob("*log*"):
        assert SECRET not in path.read_text(encoding="utf-8", errors="replace"), path.name
