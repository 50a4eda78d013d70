#!/bin/sh
# Un texte, puis plusieurs : le niveau, les signes présents et leurs passages.
VIGIE="${VIGIE_ADRESSE:-http://127.0.0.1:8000}"

curl --silent --show-error --fail-with-body "$VIGIE/v1/predict" \
  --header "Content-Type: application/json" \
  --data '{"id": "annonce-17", "text": "Je soigne le zona et les verrues en deux passages, à distance. Séance 60 €."}'
echo

curl --silent --show-error --fail-with-body "$VIGIE/v1/predict/batch" \
  --header "Content-Type: application/json" \
  --data '{"items": [{"id": "a1", "text": "Cours de yoga doux le mardi à 18 h, salle des fêtes."}, {"id": "a2"}]}'
echo
