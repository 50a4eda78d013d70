#!/bin/sh
# Des textes dans le poste de travail, jusqu'à la fin de l'import ; demande une clé des droits « import » et « export ».
VIGIE="${VIGIE_ADRESSE:-http://127.0.0.1:8000}"
appeler() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $VIGIE_CLE" "$@"; }

appeler --header "Content-Type: text/csv" --data-binary @- "$VIGIE/v1/import?source=annuaire&name=annonces.csv" > import.json <<'FIN'
texte;identifiant;date
"Je soigne le zona et l'eczéma en deux passages, à distance. Séance 60 €.";a-1;22/11/2026
"Cours de yoga doux le mardi à 18 h, salle des fêtes.";a-2;demain
FIN
suivi="$VIGIE$(sed 's/.*"url": *"\([^"]*\)".*/\1/' import.json)"

until appeler "$suivi" | grep --quiet '"over": *true'; do sleep 1; done
appeler "$suivi"
echo
appeler "$suivi/errors"
appeler "$VIGIE/v1/export?format=jsonl&source=annuaire&pseudonymise=1" | wc -l
