// Un texte, par node (18 ou plus récent) ou dans une page servie sous la même adresse que Vigie.
const reglages = globalThis.process?.env ?? globalThis;
const vigie = reglages.VIGIE_ADRESSE ?? "http://127.0.0.1:8000";

const reponse = await fetch(`${vigie}/v1/predict`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ id: "annonce-17", text: "🌿 Je soigne le zona et l'eczéma en deux passages, à distance. Séance 60 €." }),
});
const lu = await reponse.json();
if (!reponse.ok) throw new Error(`${lu.status} ${lu.title} : ${lu.detail}`);

console.log(lu.id, "niveau", lu.risk.level, lu.risk.label);
// Les places comptent des points de code ; une chaîne de JavaScript compte autrement : on la déplie d'abord.
const lettres = [..."🌿 Je soigne le zona et l'eczéma en deux passages, à distance. Séance 60 €."];
for (const signe of lu.indicators.filter((un) => un.present)) {
  for (const passage of signe.evidence) {
    console.log(" ", signe.label, ":", lettres.slice(passage.start, passage.end).join(""));
  }
}
