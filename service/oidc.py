"""Signing in through an identity provider (OpenID Connect): the code flow with PKCE, as the relying party.

Facts: OpenID Connect Core 1.0 (§3.1), Discovery 1.0, RP-Initiated Logout 1.0, RFC 7636 (PKCE), RFC 9700 (security of OAuth 2.0).
The state, the nonce and the verifier of a sign-in under way are in the browser's own sealed cookie: the service keeps nothing.
"""

import json
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Final

import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc.errors import JoseError

from model.errors import VigieError
from service.exposure import roles_of
from service.secret import Keyring
from service.settings import Settings
from service.workplace.people import ROLES, Role

with warnings.catch_warnings():
    # The library will prefer another client one day; this one is what it supports of those that are installed.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.base_client import BaseApp, OAuthError
    from authlib.integrations.base_client.sync_app import OAuth2Mixin
    from authlib.integrations.base_client.sync_openid import OpenIDMixin
    from authlib.integrations.httpx_client import OAuth2Client

#: The cookie of a sign-in under way, and how long it may take.
UNDER_WAY_COOKIE: Final = "vigie_fournisseur"
UNDER_WAY_SECONDS: Final = 600
_PURPOSE: Final = "provider"
#: Signatures that only the provider can make: never « none », never a secret that both share.
_SIGNATURES: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_TIMEOUT_SECONDS: Final = 10.0
#: Clocks may differ by so much.
_LEEWAY_SECONDS: Final = 60
_LONGEST_SUBJECT: Final = 255


class ProviderError(VigieError):
    """The provider does not answer, or not as it must: it is for who runs the service to see to it."""


class RefusedError(VigieError):
    """A sign-in that is not let in; the message says why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that begins: where to send the browser, and the sealed cookie that it comes back with."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Who the provider says has come: by subject; `role` is None where the settings read no roles from it."""

    subject: str
    login: str
    name: str
    role: Role | None
    suite: str


class _Provider(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    client_cls = OAuth2Client


class Relying:
    """What Vigie is to one provider: it begins a sign-in, and ends it; the provider's description is asked for once."""

    def __init__(self, settings: Settings) -> None:
        if settings.oidc_issuer is None or settings.oidc_client_secret is None:
            raise ValueError("aucun fournisseur d'identité n'est réglé")
        self.settings = settings
        self.issuer = settings.oidc_issuer.rstrip("/")
        self._lock = Lock()
        self._provider = _Provider(
            framework=None,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            server_metadata_url=f"{self.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT_SECONDS,
            },
        )

    def begin(self, back: str, suite: str, keyring: Keyring) -> Begun:
        """Begin a sign-in that comes back to the address `back`, then goes on to `suite`.

        Raises:
            ProviderError: the provider does not answer as it must.
        """
        self._described()
        made = self._provider.create_authorization_url(back, nonce=secrets.token_urlsafe(24), state=secrets.token_urlsafe(24))
        kept = {name: made[name] for name in ("state", "nonce", "code_verifier")} | {"back": back, "suite": suite}
        return Begun(made["url"], keyring.seal(_PURPOSE, json.dumps(kept)))

    def end(self, given: Mapping[str, str], cookie: str, keyring: Keyring) -> Claims:
        """Who has come, from the parameters that the provider sent the browser back with, and the browser's cookie.

        Raises:
            RefusedError: this is not the sign-in that the browser began, the provider refused it, its answer is not for us, not
                signed by it, or out of date, or no role is known for this person.
            ProviderError: the provider does not answer as it must.
        """
        sealed = keyring.unseal(_PURPOSE, cookie, UNDER_WAY_SECONDS) if cookie else None
        begun = json.loads(sealed) if sealed is not None else None
        if begun is None or not secrets.compare_digest(begun["state"].encode(), given.get("state", "").encode()):
            raise RefusedError("Cette connexion n'a pas été commencée ici, ou elle a pris trop de temps : recommencez.")
        if given.get("error") or not given.get("code"):
            raise RefusedError("Le fournisseur d'identité n'a pas accordé la connexion.")
        self._described()
        token = self._exchange(given["code"], begun)
        claims = self._checked(token, begun["nonce"])
        return self._read(claims, token, str(begun["suite"]))

    def sign_out_address(self, back: str) -> str | None:
        """Where one ends one's session at the provider too, to come back to `back`; None if it offers none.

        Raises:
            ProviderError: the provider does not answer as it must.
        """
        if not self._described().get("end_session_endpoint"):
            return None
        made = self._provider.create_logout_url(post_logout_redirect_uri=back, client_id=self.settings.oidc_client_id)
        return str(made["url"])

    def _described(self) -> Mapping[str, Any]:
        with self._lock:
            try:
                described: dict[str, Any] = self._provider.load_server_metadata()
            except (httpx.HTTPError, ValueError) as error:
                raise ProviderError("Le fournisseur d'identité ne répond pas.") from error
            if str(described.get("issuer", "")).rstrip("/") != self.issuer:
                described.clear()
                raise ProviderError("Le fournisseur d'identité se nomme autrement que VIGIE_OIDC_ISSUER.")
            offered = described.get("id_token_signing_alg_values_supported") or ["RS256"]
            described["id_token_signing_alg_values_supported"] = [one for one in offered if one in _SIGNATURES]
        return described

    def _exchange(self, code: str, begun: Mapping[str, str]) -> dict[str, Any]:
        try:
            token: dict[str, Any] = self._provider.fetch_access_token(
                begun["back"], code=code, code_verifier=begun["code_verifier"]
            )
        except OAuthError as error:
            raise RefusedError("Le fournisseur d'identité n'a pas confirmé la connexion : recommencez.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError("Le fournisseur d'identité ne répond pas.") from error
        if not isinstance(token.get("id_token"), str):
            raise ProviderError("Le fournisseur d'identité n'a pas dit qui se connecte (jeton d'identité absent).")
        return token

    def _checked(self, token: dict[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of the token of identity: signed by the provider, from it, for us alone, of this sign-in, of now."""
        asked = {
            "iss": {"essential": True, "value": self._described()["issuer"]},
            "aud": {"essential": True, "value": self.settings.oidc_client_id},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        try:
            claims: Mapping[str, Any] = self._provider.parse_id_token(token, nonce, asked, leeway=_LEEWAY_SECONDS)
        except JoseError as error:
            raise RefusedError(
                "La réponse du fournisseur d'identité n'est pas recevable (destinataire, signature, date ou demande) : "
                "recommencez."
            ) from error
        except (httpx.HTTPError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise ProviderError("Le fournisseur d'identité ne répond pas comme attendu.") from error
        return claims

    def _read(self, claims: Mapping[str, Any], token: dict[str, Any], suite: str) -> Claims:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise ProviderError("Le fournisseur d'identité désigne cette personne d'une façon illisible.")
        path = self.settings.oidc_role_claim
        if path and found_at(claims, path) is None and self._described().get("userinfo_endpoint"):
            claims = {**self._told(token, subject), **claims}
        role = role_of(found_at(claims, path), roles_of(self.settings)) if path else None
        if path and role is None:
            raise RefusedError(
                "Le fournisseur d'identité ne vous donne aucun des rôles de Vigie : "
                "demandez à qui l'administre de vous y ajouter."
            )
        login = _first(claims, "preferred_username", "email") or subject
        return Claims(subject, login, _first(claims, "name") or login, role, suite)

    def _told(self, token: dict[str, Any], subject: str) -> Mapping[str, Any]:
        """What the provider tells of this person beside the token; it must be of the same person."""
        try:
            told: Mapping[str, Any] = self._provider.userinfo(token=token)
        except (httpx.HTTPError, ValueError, OAuthError) as error:
            raise ProviderError("Le fournisseur d'identité ne répond pas.") from error
        if told.get("sub") != subject:
            raise ProviderError("Le fournisseur d'identité parle de deux personnes à la fois.")
        return told


def _first(claims: Mapping[str, Any], *names: str) -> str:
    """The first of these claims that says something."""
    values = (claims.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


@cache
def relying(settings: Settings) -> Relying:
    """What Vigie is to the provider of these settings, one for the process."""
    return Relying(settings)


def found_at(claims: Mapping[str, Any], path: str) -> Any:
    """The value of a claim whose name may go down by dots (`realm_access.roles`); None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def role_of(value: Any, roles: Mapping[str, str]) -> Role | None:
    """The highest role that a claim gives: one value, or a list of them; None if it gives none."""
    values = value if isinstance(value, list) else [value]
    given = {roles[one] for one in values if isinstance(one, str) and one in roles}
    return next((role for role in reversed(ROLES) if role in given), None)
