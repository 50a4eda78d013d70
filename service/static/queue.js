"use strict";
// Moving in the queue by keyboard; everything can be done without.
const rows = [...document.querySelectorAll("[data-row]")];
let here = -1;
const go = (to) => {
  if (!rows.length) return;
  if (here >= 0) rows[here].removeAttribute("aria-current");
  here = Math.max(0, Math.min(rows.length - 1, to));
  rows[here].setAttribute("aria-current", "true");
  rows[here].querySelector("[data-open]").focus();
};
rows.forEach((row, index) => row.querySelector("[data-open]").addEventListener("focus", () => {
  if (here !== index) { if (here >= 0) rows[here].removeAttribute("aria-current"); here = index; row.setAttribute("aria-current", "true"); }
}));
keys.on("j", () => go(here + 1));
keys.on("k", () => go(here < 0 ? 0 : here - 1));
keys.on("/", () => {
  const search = document.getElementById("q");
  search.closest("details").open = true;
  search.focus();
});
const takeTicked = document.querySelector("button[value=prendre]");
keys.on("c", () => {
  if (!takeTicked) return;
  const ticked = document.querySelector("[name=item]:checked");
  if (!ticked && here >= 0) rows[here].querySelector("[name=item]").checked = true;
  takeTicked.click();
});
