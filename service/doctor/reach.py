"""Whom the service will answer, and whether it can: secret, names, mandated proxies, the port."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_network
from typing import Final

from service.doctor.findings import Finding, careful, well, wrong
from service.exposure import check_exposure, hosts_of, is_loopback
from service.settings import Settings, SettingsError

_EXPOSED: Final = "exposition"
_PROXIES: Final = "exposition : mandataires"
_PORT: Final = "port"
_SECONDS: Final = 3.0
_PRIVILEGED: Final = 1024


def look_at_exposure(settings: Settings) -> Iterator[Finding]:
    """What protects a service that others than this machine reach, and what contradicts it."""
    others = [name for name in hosts_of(settings) if not is_loopback(name)]
    beyond = not is_loopback(settings.host)
    try:
        check_exposure(settings)
    except SettingsError as error:
        yield wrong(_EXPOSED, str(error), "Le service refuse de démarrer tant que ce réglage n'est pas corrigé (docs/acces.md).")
        return
    if beyond or others:
        told = f"Joint sous {', '.join(others)}, écoute sur {settings.host}, secret posé."
        yield well(_EXPOSED, told)
        yield from _open_to_others(settings)
    else:
        yield well(_EXPOSED, "Cette machine seule : boucle locale, aucun nom public.")
    if settings.allow_remote and not beyond:
        yield careful(
            _EXPOSED,
            f"VIGIE_ALLOW_REMOTE=true, mais VIGIE_HOST={settings.host} n'écoute que sur la machine.",
            "Retirez VIGIE_ALLOW_REMOTE : posé d'avance, il laisserait passer une erreur sur VIGIE_HOST.",
        )
    if settings.previous_secret_key is not None:
        yield careful(
            _EXPOSED,
            "VIGIE_PREVIOUS_SECRET_KEY est posé : ce que l'ancien secret protège est encore accepté.",
            "Retirez-le quand sessions et clés ont eu le temps de servir (docs/acces.md).",
        )


def _open_to_others(settings: Settings) -> Iterator[Finding]:
    yield from _proxies(settings)
    if not settings.require_key:
        yield careful(
            _EXPOSED,
            "VIGIE_REQUIRE_KEY=false : qui atteint le service analyse par l'API sans clé.",
            "Posez VIGIE_REQUIRE_KEY=true, sauf si le mandataire s'en charge.",
        )
    if not settings.rate_per_minute:
        yield careful(
            _EXPOSED,
            "VIGIE_RATE_PER_MINUTE=0 : une adresse peut envoyer autant de requêtes qu'elle veut.",
            "Posez une limite (600, par exemple), ici ou au mandataire.",
        )


def _proxies(settings: Settings) -> Iterator[Finding]:
    believed = [one.strip() for one in settings.trusted_proxies.split(",") if one.strip()]
    if not believed:
        yield wrong(
            _PROXIES,
            "VIGIE_TRUSTED_PROXIES est vide : le service ne sait plus qu'une requête vient en HTTPS, et nul ne se connecte.",
            "Posez-y l'adresse du mandataire.",
        )
        return
    if "*" in believed:
        yield wrong(
            _PROXIES,
            "VIGIE_TRUSTED_PROXIES=* : n'importe qui peut se dire d'une autre adresse, et échapper aux limites.",
            "Posez-y l'adresse ou le réseau du mandataire, rien d'autre.",
        )
        return
    unread = [one for one in believed if not _is_network(one)]
    if unread:
        yield wrong(
            _PROXIES,
            f"VIGIE_TRUSTED_PROXIES : {', '.join(unread)} n'est ni une adresse ni un réseau ; ce mandataire ne sera pas cru.",
            "Attendu : 10.0.0.5 ou 10.0.0.0/24, séparés par des virgules, sans nom ni port.",
        )
    elif not is_loopback(settings.host) and all(ip_network(one, strict=False).is_loopback for one in believed):
        yield careful(
            _PROXIES,
            f"Le service écoute sur {settings.host}, mais ne croit que les mandataires de la machine.",
            "Si le mandataire est ailleurs, posez son adresse dans VIGIE_TRUSTED_PROXIES ; sinon, VIGIE_HOST=127.0.0.1 suffit.",
        )
    else:
        yield well(_PROXIES, f"Crus sur l'origine d'une requête : {', '.join(believed)}.")


def _is_network(written: str) -> bool:
    try:
        ip_network(written, strict=False)
    except ValueError:
        return False
    return True


def answers(settings: Settings) -> bool:
    """Whether a Vigie already answers where these settings would listen."""
    connection = HTTPConnection(settings.host, settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/health/live")
        said = json.loads(connection.getresponse().read(1_000))
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(said, dict) and said.get("status") == "ok"


def look_at_port(settings: Settings, running: bool) -> Iterator[Finding]:
    """Whether the service can listen there; `running`: it already does (`answers`)."""
    where = f"{settings.host}:{settings.port}"
    if running:
        yield well(_PORT, f"Le service répond déjà sur {where}.")
        return
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except PermissionError:
            yield wrong(
                _PORT,
                f"{where} : un port sous {_PRIVILEGED} est réservé à root.",
                "Gardez VIGIE_PORT=8000, et un mandataire devant.",
            )
        except OSError as error:
            yield wrong(
                _PORT,
                f"{where} ne peut pas être pris ({error.strerror or error}), et ce n'est pas Vigie qui y répond.",
                "Arrêtez ce qui l'occupe (« ss -ltnp »), ou changez VIGIE_PORT ou VIGIE_HOST.",
            )
        else:
            yield well(_PORT, f"{where} est libre.")
