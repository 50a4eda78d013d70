"""Un flux de textes sans fin, en mémoire constante : on envoie à mesure, on lit à mesure, on reprend là où il s'est arrêté."""

import json
import os
from collections.abc import Iterator

import httpx

VIGIE = os.environ.get("VIGIE_ADRESSE", "http://127.0.0.1:8000")


def lignes() -> Iterator[bytes]:
    """Ce qui est envoyé ; un fichier ou une base, d'ordinaire."""
    for numero in range(1, 6):
        texte = {"id": str(numero), "text": f"Séance de détente numéro {numero}, 50 € l'heure, sur rendez-vous."}
        yield json.dumps(texte, ensure_ascii=False).encode() + b"\n"


lues = 0
with httpx.stream("POST", f"{VIGIE}/v1/predict/stream", content=lignes(), timeout=60) as reponse:
    reponse.raise_for_status()
    for ligne in reponse.iter_lines():
        prediction = json.loads(ligne)
        if prediction["error"] and prediction["error"]["code"] == "unavailable":
            break  # le service s'arrête : renvoyer à partir de la ligne lues + 1
        lues += 1
        print(prediction["id"], prediction["status"], prediction["risk"]["level"] if prediction["risk"] else "–")
print(lues, "lignes lues")
