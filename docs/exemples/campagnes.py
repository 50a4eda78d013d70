"""Toutes les campagnes, page après page ; demande une clé du droit « export »."""

import os

import httpx

VIGIE = os.environ.get("VIGIE_ADRESSE", "http://127.0.0.1:8000")
DROITS = {"Authorization": f"Bearer {os.environ['VIGIE_CLE']}"}

page, vues = 1, 0
with httpx.Client(base_url=VIGIE, headers=DROITS, timeout=60) as client:
    while True:
        recu = client.get("/v1/campaigns", params={"tri": "textes", "page": page}).raise_for_status().json()
        for campagne in recu["campaigns"]:
            entiere = client.get(f"/v1/campaigns/{campagne['id']}").raise_for_status().json()
            print(campagne["name"] or campagne["id"], ":", len(entiere["items"]), "textes,", entiere["hidden"], "cachés")
        vues += len(recu["campaigns"])
        if vues >= recu["total"] or not recu["campaigns"]:
            break
        page += 1
print(vues, "campagnes sur", recu["total"])
