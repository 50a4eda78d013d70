"""Plusieurs textes d'un coup ; un élément fautif n'arrête pas les autres ; on réessaie quand le service le demande."""

import os
import time

import httpx

VIGIE = os.environ.get("VIGIE_ADRESSE", "http://127.0.0.1:8000")


def envoyer(client: httpx.Client, chemin: str, corps: dict) -> dict:
    """Envoie ; attend ce que dit `Retry-After` si le service est saturé (503) ou si l'on va trop vite (429)."""
    while True:
        reponse = client.post(chemin, json=corps)
        if reponse.status_code not in (429, 503):
            break
        time.sleep(int(reponse.headers.get("Retry-After", "1")))
    if reponse.is_error:
        probleme = reponse.json()  # application/problem+json
        raise SystemExit(f"{probleme['status']} {probleme['title']} : {probleme['detail']}")
    return reponse.json()


textes = [
    {"id": "a1", "text": "Je soigne le zona et l'eczéma en deux passages, à distance. Séance 60 €."},
    {"id": "a2", "text": "Cours de yoga doux le mardi à 18 h, salle des fêtes."},
    {"id": "a3"},
]
with httpx.Client(base_url=VIGIE, timeout=60) as client:
    for prediction in envoyer(client, "/v1/predict/batch", {"items": textes})["results"]:
        if prediction["status"] == "error":
            print(prediction["id"], "non analysé :", prediction["error"]["code"])
            continue
        print(prediction["id"], "niveau", prediction["risk"]["level"])
        for signe in prediction["indicators"]:
            for passage in signe["evidence"] if signe["present"] else []:
                print("  ", signe["label"], ": «", passage["text"], "»")
