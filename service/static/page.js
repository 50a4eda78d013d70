"use strict";
// A help, never a need: count the characters while typing, and send with Ctrl + Enter.
const area = document.getElementById("text");
const count = document.getElementById("compte");
const form = document.getElementById("formulaire");
const show = () => { count.textContent = area.value ? `${[...area.value].length} caractères.` : ""; };
area.addEventListener("input", show);
area.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
show();
