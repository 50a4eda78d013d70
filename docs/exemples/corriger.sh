#!/bin/sh
# Dire qu'un signe a été relevé à tort ; une personne le verra dans la file. Demande une clé du droit « review ».
VIGIE="${VIGIE_ADRESSE:-http://127.0.0.1:8000}"

curl --silent --show-error --fail-with-body "$VIGIE/v1/feedback" \
  --header "Authorization: Bearer $VIGIE_CLE" --header "Content-Type: application/json" \
  --data '{"text": "Je ne promets aucune guérison.", "indicator": "miracle_cure", "present": false, "comment": "La promesse est niée."}'
echo
