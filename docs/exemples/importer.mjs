// Des textes dans le poste de travail, suivis jusqu'au bout ; demande une clé du droit « import ».
const reglages = globalThis.process?.env ?? globalThis;
const vigie = reglages.VIGIE_ADRESSE ?? "http://127.0.0.1:8000";
const droits = { Authorization: `Bearer ${reglages.VIGIE_CLE}` };

async function appeler(chemin, options = {}) {
  const reponse = await fetch(vigie + chemin, { ...options, headers: { ...droits, ...options.headers } });
  const recu = await reponse.json();
  if (!reponse.ok) throw new Error(`${recu.status} ${recu.title} : ${recu.detail}`);
  return recu;
}

const envoye = await appeler("/v1/import?source=forum&channel=comment", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify([{ texte: "Quelqu'un connaît un bon sophrologue vers Saint-Rivel ?", id: "f-1" }]),
});
let etat = envoye;
while (!etat.over) {
  await new Promise((suite) => setTimeout(suite, 500));
  etat = await appeler(envoye.url);
}
console.log("lus :", etat.read, "ajoutés :", etat.added, "erreurs :", etat.errors);
