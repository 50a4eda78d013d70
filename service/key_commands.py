"""The verbs of `vigie keys`: the operator's key that signs models, and the public keys whose models are loaded here."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import JsonOption, print_json, say
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from model.signing import PublicKey

keys_app = typer.Typer(help="Les clés : celle qui signe les modèles, celles de confiance.", no_args_is_help=True)

NoteOption = Annotated[str, typer.Option("--note", help="Ce que dira la ligne de la clé : qui la tient, pourquoi.")]


def _settings() -> Settings:
    """The settings, where the private key does not lie among the models.

    Raises:
        VigieError: it does: whoever copies the models would take it along.
    """
    settings = load_settings()
    if settings.signing_key.resolve().is_relative_to(settings.model_dir.resolve()):
        raise VigieError(f"VIGIE_SIGNING_KEY={settings.signing_key} : la clé privée doit être hors de {settings.model_dir}.")
    return settings


@keys_app.command("make")
def keys_make(note: NoteOption = "") -> None:
    """Fait la clé de l'opérateur, lisible de lui seul, et lui fait confiance ici."""
    from model.signing import add_line, new_key

    settings = _settings()
    key = new_key(settings.signing_key)
    add_line(settings.trusted_keys, "trusted", key.public, note)
    say(f"Clé {key.public.id} → {settings.signing_key} ; de confiance dans {settings.trusted_keys}.")


@keys_app.command("list")
def keys_list(as_json: JsonOption = False) -> None:
    """Liste les clés de confiance et les clés révoquées ; « * » marque celle qui signe ici."""
    from model.signing import SigningError, read_key

    settings = load_settings()
    try:
        own = read_key(settings.signing_key).public.id
    except SigningError:
        own = None
    trust = settings.trust()
    lines = [line for line in trust.lines if line.verb == "revoked" or not trust.revoked(line.key.id)]
    if as_json:
        named = ("id", "state", "key", "note", "signs")
        rows = [(line.key.id, line.verb, line.key.written, line.note, line.key.id == own) for line in lines]
        print_json([dict(zip(named, row, strict=True)) for row in rows])
        return
    if not lines:
        raise VigieError(f"{settings.trusted_keys} : aucune clé de confiance. « vigie keys make » en fait une.")
    names = {"trusted": "de confiance", "revoked": "révoquée"}
    shown = [[("* " if line.key.id == own else "  ") + line.key.id, names[line.verb], line.note] for line in lines]
    terminal.console().print(terminal.table(str(settings.trusted_keys), ("clé", "état", "note"), shown))


@keys_app.command("show")
def keys_show() -> None:
    """Écrit la clé publique de celle qui signe ici, à donner à qui doit charger ces modèles."""
    from model.signing import read_key

    typer.echo(read_key(load_settings().signing_key).public.written)


@keys_app.command("trust")
def keys_trust(
    key: Annotated[str, typer.Argument(help="Clé publique, telle que « vigie keys show » l'écrit.")], note: NoteOption = ""
) -> None:
    """Fait confiance à une clé : les modèles qu'elle signe seront chargés."""
    from model.signing import PublicKey, add_line

    settings, public = load_settings(), PublicKey.parse(key.strip())
    trust = settings.trust()
    if trust.revoked(public.id):
        raise VigieError(f"La clé {public.id} est révoquée dans {settings.trusted_keys} : elle ne redevient pas de confiance.")
    if trust.trusted(public.id):
        say(f"La clé {public.id} est déjà de confiance.")
        return
    add_line(settings.trusted_keys, "trusted", public, note)
    say(f"La clé {public.id} est de confiance : les modèles qu'elle signe seront chargés.")


@keys_app.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(help="Clé publique, ou son identifiant (16 signes) si elle est connue ici.")],
    reason: Annotated[str, typer.Option("--reason", help="Pourquoi ; ce motif est dit à chaque refus.")],
) -> None:
    """Révoque une clé, pour toujours : plus rien de ce qu'elle a signé, avant ou après, ne sera chargé."""
    from model.signing import add_line

    settings = load_settings()
    public = _named(settings, key.strip())
    if settings.trust().revoked(public.id):
        say(f"La clé {public.id} est déjà révoquée.")
        return
    add_line(settings.trusted_keys, "revoked", public, reason)
    say(f"La clé {public.id} est révoquée. Ce qu'elle a signé est refusé : « vigie model verify » dit quels modèles.")


def _named(settings: Settings, key: str) -> "PublicKey":
    from model.signing import PublicKey

    for line in settings.trust().lines:
        if line.key.id == key:
            return line.key
    return PublicKey.parse(key)


@keys_app.command("rotate")
def keys_rotate(note: NoteOption = "") -> None:
    """Fait une nouvelle clé ; l'ancienne est gardée à côté et reste de confiance, jusqu'à « vigie keys revoke »."""
    from model.signing import add_line, new_key, read_key

    settings = _settings()
    private, old = settings.signing_key, read_key(settings.signing_key).public
    kept = _free(private.with_name(f"{private.stem}-{datetime.now(UTC):%Y%m%d}-{old.id}{private.suffix}"))
    private.rename(kept)
    try:
        key = new_key(private)
    except VigieError:
        kept.rename(private)
        raise
    add_line(settings.trusted_keys, "trusted", key.public, note)
    say(f"Clé {key.public.id} → {private} ; l'ancienne, {old.id}, est gardée dans {kept} et reste de confiance.")
    say(f"Ensuite : « vigie model sign --all », puis « vigie keys revoke {old.id} --reason … » et effacez {kept}.")


def _free(path: Path) -> Path:
    if path.exists():
        raise VigieError(f"{path} : ce fichier existe déjà.")
    return path
