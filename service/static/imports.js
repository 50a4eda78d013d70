// Keeps the counts of an import or an export up to date; the page works without it, by reloading.
"use strict";
(() => {
  const place = document.getElementById("etat");
  if (!place) return;
  const french = new Intl.NumberFormat("fr-FR");
  const counts = ["read", "added", "duplicates", "errors", "texts"];
  const put = (id, text) => {
    const element = document.getElementById(id);
    if (element && element.textContent !== text) element.textContent = text;
  };
  const look = async () => {
    try {
      const answer = await fetch(place.dataset.etat, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const state = await answer.json();
        for (const name of counts) if (name in state) put(`compte-${name}`, french.format(state[name]));
        put("etat-nom", state.state_name);
        if (state.over) {
          window.location.reload();
          return;
        }
      }
    } catch {
      // The server may be restarting: the next look tells.
    }
    window.setTimeout(look, 1000);
  };
  window.setTimeout(look, 1000);
})();
