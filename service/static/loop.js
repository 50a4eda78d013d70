// Follows the training under way; without this script the link « Actualiser » does the same.
"use strict";
const card = document.querySelector("[data-training]");
if (card) {
  const step = card.querySelector("[data-step]");
  const said = card.querySelector("[data-said]");
  const nameOf = (text) => text.replace(/ \(\d+ %\)$/, "");
  const look = async () => {
    try {
      const answer = await fetch(`/modeles/etat?essai=${encodeURIComponent(card.dataset.training)}`, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const told = await answer.json();
        if (!told.active) {
          location.reload();
          return;
        }
        if (told.step) {
          // A screen reader hears of a new step, not of each percent.
          if (nameOf(told.step) !== nameOf(step.textContent)) said.textContent = nameOf(told.step);
          step.textContent = told.step;
        }
      }
    } catch {
      // The server restarts, perhaps: the next look tells.
    }
    setTimeout(look, 3000);
  };
  setTimeout(look, 3000);
}
