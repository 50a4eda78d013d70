"""The verbs of access: draw a secret, show what every route asks of who comes."""

import sys

from service.commands import app


@app.command()
def secret() -> None:
    """Tire un secret au hasard, pour VIGIE_SECRET_KEY ; il n'est gardé nulle part."""
    from service.secret import new_secret

    sys.stdout.write(new_secret() + "\n")


@app.command()
def access() -> None:
    """Montre ce que chaque adresse du service demande : rien, une session, une clé (table de docs/acces.md)."""
    from service.app import create_app
    from service.declared import table_of

    sys.stdout.write(table_of(create_app()))
