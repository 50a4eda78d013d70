"""A local identity provider over HTTP that signs whatever a test wants it to, honest or not."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Provider:
    """What the provider says of who comes, and how it misbehaves; `asked` keeps the parameters that it was sent."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "une"}))
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "s-1", "preferred_username": "nina", "groups": ["vigie"]})
    change: Change = dict
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "une"})
    sign_with: Any = None
    token: Change = dict
    userinfo: dict[str, Any] | None = None
    described_as: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    down: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def reset(self) -> None:
        """Honest again, with the same key."""
        fresh = Provider(self.issuer, self.key, header={"alg": "RS256", "kid": self.key.kid})
        vars(self).update(vars(fresh))

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        } | self.described_as

    def id_token(self) -> str:
        last = self.asked[-1]
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": last["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": last["nonce"],
            **self.claims,
        }
        claims = self.change(claims)
        if self.header["alg"] in ("none", "HS256"):
            return self._by_hand(claims)
        return jwt.encode(self.header, claims, self.sign_with or self.key, algorithms=[self.header["alg"]])

    def _by_hand(self, claims: dict[str, Any]) -> str:
        """A token that no library makes: not signed, or signed with the public key taken as a secret that both share."""
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (self.header, claims))
        if self.header["alg"] == "none":
            return f"{signed}."
        return f"{signed}.{_encoded(hmac.digest(self.key.as_pem(private=False), signed.encode(), 'sha256'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _json(self, content: Any, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(address.query).items()}
            if provider.down:
                self._json({"error": "panne"}, 500)
            elif address.path == "/authorize":
                provider.asked.append(given)
                back = {"error": provider.error} if provider.error else {"code": f"code-{len(provider.asked)}"}
                self.send_response(302)
                self.send_header("Location", f"{given['redirect_uri']}?{urlencode(back | {'state': given['state']})}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif address.path == "/jwks":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            elif address.path == "/userinfo":
                self._json(provider.userinfo or {})
            else:
                self._json(provider.described())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            given = {name: values[0] for name, values in parse_qs(body).items()}
            provider.asked[-1]["verifier"] = given.get("code_verifier", "")
            if given.get("code") != f"code-{len(provider.asked)}":
                self._json({"error": "invalid_grant"}, 400)
                return
            answer = {"access_token": "jeton", "token_type": "Bearer", "expires_in": 300, "id_token": provider.id_token()}
            self._json(provider.token(answer))

    return Handler


@contextmanager
def provider_running(port: int) -> Iterator[Provider]:
    """Serve a provider on this port of the loopback."""
    provider = Provider(f"http://127.0.0.1:{port}")
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(provider))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)
