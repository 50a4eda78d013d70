#!/bin/sh
# Un flux : une ligne par texte, une ligne par réponse, dans l'ordre ; une ligne fautive n'arrête rien.
VIGIE="${VIGIE_ADRESSE:-http://127.0.0.1:8000}"

printf '%s\n' \
  '{"id": "1", "text": "Je soigne le zona et les verrues en deux passages, à distance. Séance 60 €."}' \
  'ceci ne se lit pas' \
  '{"id": "3", "text": "Cours de yoga doux le mardi à 18 h, salle des fêtes."}' |
  curl --silent --show-error --fail-with-body --no-buffer --upload-file - --request POST \
    --header "Content-Type: application/x-ndjson" "$VIGIE/v1/predict/stream?operating_point=triage"
