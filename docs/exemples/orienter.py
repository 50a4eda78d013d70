"""Lire un texte, puis demander où il pourrait aller et pourquoi. Rien n'est envoyé : une personne relit et décide."""

import os

import httpx

VIGIE = os.environ.get("VIGIE_ADRESSE", "http://127.0.0.1:8000")
TEXTE = "Je guéris le cancer par le jeûne. Arrêtez la chimio, elle vous empoisonne. Cure de 21 jours, 2 400 €, payable d'avance."

with httpx.Client(base_url=VIGIE, timeout=60) as client:
    lu = client.post("/v1/predict", json={"text": TEXTE}).raise_for_status().json()
    suite = client.post("/v1/route", json={"prediction": lu, "online": True}).raise_for_status().json()
print(suite["note"])
for qui in suite["recipients"]:
    print("-", qui["name"], "(à vérifier)" if qui["to_verify"] else "", ":", "; ".join(qui["reasons"]))
for question in suite["questions"]:
    print("?", question["article"], ":", question["asks"])
