"""Whom the service answers: this machine alone, or others, and then only with what protects it; under which names it answers."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from service.settings import NO_SECRET, Settings, SettingsError

#: 32 random bytes take at least so many characters, in base 64; in hexadecimal, more.
_LEAST_CHARACTERS: Final = 43
_LEAST_DISTINCT: Final = 12
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")
_ROLES: Final = ("analyst", "reviewer", "administrator")


def is_loopback(name: str) -> bool:
    """Whether a name or an address is that of the machine itself."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def hosts_of(settings: Settings) -> tuple[str, ...]:
    """The names of VIGIE_ALLOWED_HOSTS, in small letters."""
    return tuple(name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip())


def host_of(header: str) -> str:
    """The name in a Host header, without its port, in small letters; empty where it has none."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


def answers_to(settings: Settings, name: str) -> bool:
    """Whether the service answers under this name: the machine's own, or one of VIGIE_ALLOWED_HOSTS.

    A page of another site whose name was made to lead to this machine (DNS rebinding) asks under that name, and is refused.
    """
    if is_loopback(name):
        return True
    return any(name == host or (host.startswith("*.") and name.endswith(host[1:])) for host in hosts_of(settings))


def roles_of(settings: Settings) -> dict[str, str]:
    """The role that each value of VIGIE_OIDC_ROLE_CLAIM gives; a value may hold « = » and commas, as names of directories do."""
    pairs = (pair.rpartition("=") for pair in settings.oidc_roles.split(";") if pair.strip())
    return {value.strip(): role.strip() for value, _, role in pairs}


def check_exposure(settings: Settings) -> None:
    """Refuse to serve others than this machine without what protects them, or with a setting that protects nothing.

    Raises:
        SettingsError: an address, a name, a secret or the identity provider cannot be used; the message says how to set it.
    """
    _check_secrets(settings)
    _check_hosts(settings)
    _check_provider(settings)


def _check_hosts(settings: Settings) -> None:
    for name in hosts_of(settings):
        if not _HOST.fullmatch(name):
            raise SettingsError(
                f"VIGIE_ALLOWED_HOSTS : « {name} » n'est pas un nom d'hôte ; attendu : des noms séparés par des virgules, sans "
                "« http:// » ni port (vigie.exemple.fr, *.exemple.fr)."
            )
    beyond = not is_loopback(settings.host)
    if beyond and not settings.allow_remote:
        raise SettingsError(
            f"VIGIE_HOST={settings.host} : une adresse de boucle locale est attendue (127.0.0.1). "
            "Pour écouter ailleurs, placez un serveur mandataire en HTTPS devant et posez VIGIE_ALLOW_REMOTE=true, "
            "VIGIE_ALLOWED_HOSTS et VIGIE_SECRET_KEY (et VIGIE_REQUIRE_KEY=true si l'API d'analyse ne doit pas être ouverte à "
            "qui l'atteint)."
        )
    others = [name for name in hosts_of(settings) if not is_loopback(name)]
    if beyond and not others:
        raise SettingsError(
            f"VIGIE_HOST={settings.host} : VIGIE_ALLOWED_HOSTS manque. Posez-y le nom sous lequel on joint le service "
            "(VIGIE_ALLOWED_HOSTS=vigie.exemple.fr) ; sous tout autre nom, il ne répond pas."
        )
    if (beyond or others) and settings.secret_key is None:
        raise SettingsError(
            "VIGIE_SECRET_KEY manque : un service joint d'ailleurs que de sa machine en demande un. "
            "« vigie secret » en tire un au hasard ; gardez-le hors de la base et de ses sauvegardes."
        )


def _check_secrets(settings: Settings) -> None:
    _check_secret("VIGIE_SECRET_KEY", settings.secret_key)
    if settings.previous_secret_key is not None:
        if settings.secret_key is None:
            raise SettingsError("VIGIE_PREVIOUS_SECRET_KEY est posé sans VIGIE_SECRET_KEY : posez le secret qui sert.")
        if settings.previous_secret_key.get_secret_value() != NO_SECRET:
            _check_secret("VIGIE_PREVIOUS_SECRET_KEY", settings.previous_secret_key)


def _check_secret(name: str, given: SecretStr | None) -> None:
    if given is None:
        return
    value = given.get_secret_value()
    if len(value) < _LEAST_CHARACTERS or len(set(value)) < _LEAST_DISTINCT:
        raise SettingsError(
            f"{name} : 32 octets tirés au hasard sont attendus ({_LEAST_CHARACTERS} caractères au moins). "
            "« vigie secret » en tire un."
        )


def _check_provider(settings: Settings) -> None:
    if settings.oidc_issuer is None:
        if settings.oidc_client_id or settings.oidc_client_secret:
            raise SettingsError("VIGIE_OIDC_CLIENT_ID est posé sans VIGIE_OIDC_ISSUER : l'adresse du fournisseur est attendue.")
        return
    address = urlsplit(settings.oidc_issuer)
    local = is_loopback(address.hostname or "")
    if address.scheme != "https" and not (address.scheme == "http" and local):
        raise SettingsError(f"VIGIE_OIDC_ISSUER={settings.oidc_issuer} : une adresse https:// est attendue.")
    for name, value in (("CLIENT_ID", settings.oidc_client_id), ("CLIENT_SECRET", settings.oidc_client_secret)):
        if not value:
            raise SettingsError(f"VIGIE_OIDC_{name} manque : le fournisseur d'identité le donne quand il enregistre Vigie.")
    if settings.secret_key is None:
        raise SettingsError(
            "VIGIE_SECRET_KEY manque : la connexion par un fournisseur d'identité en demande un (« vigie secret »)."
        )
    if "openid" not in settings.oidc_scopes.split():
        raise SettingsError(f"VIGIE_OIDC_SCOPES={settings.oidc_scopes} : « openid » est attendu parmi les mots.")
    if bool(settings.oidc_role_claim) != bool(settings.oidc_roles):
        raise SettingsError(
            "VIGIE_OIDC_ROLE_CLAIM et VIGIE_OIDC_ROLES vont ensemble : la déclaration à lire, et le rôle que donne chaque valeur."
        )
    for value, role in roles_of(settings).items():
        if not value or role not in _ROLES:
            raise SettingsError(
                f"VIGIE_OIDC_ROLES : « {value}={role} » ; attendu : valeur=rôle, séparés par « ; », "
                f"le rôle parmi {', '.join(_ROLES)}."
            )
