"""Des textes dans le poste de travail, suivis jusqu'au bout ; puis un classeur de ce qui est à examiner."""

import os
import time
from pathlib import Path

import httpx

VIGIE = os.environ.get("VIGIE_ADRESSE", "http://127.0.0.1:8000")
DROITS = {"Authorization": f"Bearer {os.environ['VIGIE_CLE']}"}  # droits « import » et « export »
TEXTES = '{"texte": "J\'enlève le feu du zona à distance, sur photo. Don libre.", "id": "p-1", "region": "Bretagne"}\n'

with httpx.Client(base_url=VIGIE, headers=DROITS, timeout=60) as client:
    for essai in (1, 2):  # renvoyer le même fichier n'ajoute rien deux fois
        envoye = client.post(
            "/v1/import",
            params={"source": "petites-annonces", "name": f"essai {essai}", "channel": "ad"},
            content=TEXTES.encode(),
            headers={"Content-Type": "application/x-ndjson"},
        ).raise_for_status()
        while not (etat := client.get(envoye.json()["url"]).raise_for_status().json())["over"]:
            time.sleep(0.5)
        print("ajoutés :", etat["added"], "déjà connus :", etat["duplicates"], "erreurs :", etat["errors"])

    demande = client.post("/v1/exports", params={"format": "xlsx", "source": "petites-annonces"}).raise_for_status().json()
    while not (etat := client.get(demande["url"]).raise_for_status().json())["over"]:
        time.sleep(0.5)
    Path("petites-annonces.xlsx").write_bytes(client.get(etat["file"]).raise_for_status().content)
    print("textes écrits :", etat["texts"])
