"use strict";
// Single keys, only where nothing is being typed, and only while they are switched on (WCAG 2.1.4).
const keys = (() => {
  const STORE = "vigie-touches";
  const dialog = document.getElementById("touches");
  const box = document.getElementById("touches-actives");
  if (!dialog) return { on: () => {}, active: () => false, typing: () => true };
  let active = true;
  try { active = localStorage.getItem(STORE) !== "non"; } catch { /* storage may be refused */ }
  box.checked = active;
  const tell = () => document.documentElement.classList.toggle("keyed", active);
  tell();
  box.addEventListener("change", () => {
    active = box.checked;
    tell();
    try { localStorage.setItem(STORE, active ? "oui" : "non"); } catch { /* it holds for this page */ }
  });
  const help = () => {
    // Only the keys that do something on this page.
    for (const row of dialog.querySelectorAll("[data-for]")) row.hidden = !handlers.has(row.dataset.for);
    if (!dialog.open) dialog.showModal();
  };
  // Shown once every script of the page has run: the button says that the keys work.
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-help]")) { button.hidden = false; button.addEventListener("click", help); }
  });
  const typing = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
  const handlers = new Map([["?", help]]);
  for (const button of document.querySelectorAll("button[data-key]")) {
    handlers.set(button.dataset.key, () => { if (!button.matches(":disabled")) button.click(); });
  }
  document.addEventListener("keydown", (event) => {
    if (!active || dialog.open || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const handler = handlers.get(event.key);
    if (handler) { event.preventDefault(); handler(event); }
  });
  return { on: (key, handler) => handlers.set(key, handler), active: () => active && !dialog.open, typing };
})();
