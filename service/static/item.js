"use strict";
// The page of a text: select passages, give them a sign, see the level, mask personal data, keep the claim alive.
// Offsets count code points of the text as received; what is masked keeps its length.
// Without keys.js on the page everything is done by mouse, by touch and in the form.
const single = typeof keys === "undefined" ? { on: () => {}, active: () => false, typing: () => true } : keys;
const root = document.getElementById("texte");
const form = document.getElementById("decision");
const told = document.getElementById("selection");
const say = (words) => { if (told) told.textContent = words; };

const plain = (node) => !node.parentElement.closest("[data-skip]");
let nodes = [];
let chars = [];
let words = [];
const readText = () => {
  nodes = [];
  let at = 0;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) => plain(node) ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT);
  while (walker.nextNode()) {
    const length = [...walker.currentNode.data].length;
    nodes.push({ node: walker.currentNode, start: at, end: at + length });
    at += length;
  }
  chars = nodes.flatMap(({ node }) => [...node.data]);
  words = [];
  let start = -1;
  for (let index = 0; index <= chars.length; index += 1) {
    const inside = index < chars.length && /[\p{L}\p{N}\p{M}■@%€'’-]/u.test(chars[index]);
    if (inside && start < 0) start = index;
    if (!inside && start >= 0) { words.push([start, index]); start = -1; }
  }
};

const offsetOf = (node, offset) => {
  if (node.nodeType === Node.TEXT_NODE) {
    const found = nodes.find((one) => one.node === node);
    if (found) return found.start + [...node.data.slice(0, offset)].length;
  }
  const range = document.createRange();
  range.setStart(root, 0);
  range.setEnd(node, offset);
  const before = nodes.filter((one) => range.comparePoint(one.node, one.node.length) <= 0);
  return before.length ? before[before.length - 1].end : 0;
};
const placeOf = (offset) => {
  const found = nodes.find((one) => offset <= one.end) ?? nodes[nodes.length - 1];
  return [found.node, [...found.node.data].slice(0, offset - found.start).join("").length];
};

let selected = null;
let anchor = 0;
let focus = -1;
const quote = (start, end) => chars.slice(start, end).join("").replace(/\s+/g, " ");
const trimmed = (start, end) => {
  let [first, last] = [start, end];
  while (first < last && /\s/.test(chars[first])) first += 1;
  while (last > first && /\s/.test(chars[last - 1])) last -= 1;
  return first < last ? [first, last] : null;
};
const fromMouse = () => {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed || !root.contains(selection.anchorNode) || !root.contains(selection.focusNode)) return;
  const ends = [offsetOf(selection.anchorNode, selection.anchorOffset), offsetOf(selection.focusNode, selection.focusOffset)];
  selected = trimmed(Math.min(...ends), Math.max(...ends));
  if (!selected) return;
  anchor = Math.max(0, words.findIndex(([, end]) => end > selected[0]));
  focus = words.findLastIndex(([start]) => start < selected[1]);
  showSelection();
};
const showSelection = () => {
  say(selected ? `Sélection : « ${quote(...selected)} ». Tapez la touche d'un signe.` : "");
  for (const button of form.querySelectorAll("[data-take]")) button.hidden = !selected;
};
const walk = (to, extend) => {
  if (!words.length) return;
  focus = Math.max(0, Math.min(words.length - 1, to));
  if (!extend) anchor = focus;
  const [first, last] = [Math.min(anchor, focus), Math.max(anchor, focus)];
  selected = [words[first][0], words[last][1]];
  const [start, end] = focus < anchor ? [placeOf(selected[1]), placeOf(selected[0])] : [placeOf(selected[0]), placeOf(selected[1])];
  getSelection().setBaseAndExtent(...start, ...end);
  end[0].parentElement.scrollIntoView({ block: "nearest" });
  showSelection();
};
const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 };
root.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in steps) walk(focus < 0 ? 0 : focus + steps[event.key], event.shiftKey);
  else if (event.key === "Home") walk(0, event.shiftKey);
  else if (event.key === "End") walk(words.length - 1, event.shiftKey);
  else return;
  event.preventDefault();
});
document.addEventListener("mouseup", () => setTimeout(fromMouse));
document.addEventListener("touchend", () => setTimeout(fromMouse));

const counts = () => {
  for (const sign of form.querySelectorAll("[data-sign]")) {
    const chosen = sign.querySelectorAll("[name=passage]:checked").length;
    sign.querySelector("[data-count]").textContent = chosen ? `(${chosen} passage${chosen > 1 ? "s" : ""})` : "";
  }
};
let asked = null;
const showLevel = async () => {
  counts();
  const stance = form.querySelector("[name=stance]:checked")?.value ?? "";
  const query = new URLSearchParams({ stance });
  for (const sign of form.querySelectorAll("[data-sign]")) {
    if (sign.querySelector("[name=passage]:checked") || sign.querySelector("textarea").value.trim()) query.append("signe", sign.dataset.sign);
  }
  for (const target of form.querySelectorAll("[name=target]:checked")) query.append("vise", target.value);
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(`${form.dataset.levelUrl}?${query}`, { signal: asked.signal, headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { text } = await answer.json();
    const extra = stance && stance !== "promotes" && query.has("signe") ? " Retirez les signes, ou changez la position." : "";
    document.getElementById("niveau").textContent = text + extra;
  } catch { /* the level is computed when the form is sent */ }
};
form.addEventListener("change", showLevel);

const add = (sign) => {
  if (form.querySelector("fieldset:disabled")) return;
  const place = form.querySelector(`[data-sign="${sign}"]`);
  place.open = true;
  if (!selected) { say(`Sélectionnez d'abord le passage qui montre « ${place.dataset.name} ».`); return; }
  const [start, end] = selected;
  const id = `p-${sign}-${start}-${end}`;
  let box = document.getElementById(id);
  if (!box) {
    const line = document.createElement("li");
    line.className = "check";
    box = Object.assign(document.createElement("input"), { type: "checkbox", name: "passage", value: `${sign}:${start}:${end}`, id });
    const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: `« ${quote(start, end)} »` });
    label.dataset.start = start;
    label.dataset.end = end;
    line.append(box, label);
    place.querySelector("[data-passages]").append(line);
  }
  box.checked = true;
  say(`« ${place.dataset.name} » : « ${quote(start, end)} » est ajouté.`);
  showLevel();
};
for (const button of form.querySelectorAll("[data-take]")) button.addEventListener("click", () => add(button.dataset.take));

const codes = ["Digit1", "Digit2", "Digit3", "Digit4", "Digit5", "Digit6", "Digit7", "Digit8", "Digit9", "Digit0", "Minus", "Equal"];
const signs = [...form.querySelectorAll("[data-sign]")].map((one) => one.dataset.sign);
document.addEventListener("keydown", (event) => {
  if (!single.active() || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat || single.typing(event.target)) return;
  // The place of the key, not what it prints: on a French keyboard the upper row gives digits with Shift only.
  const index = codes.indexOf(event.code);
  if (index >= 0) { event.preventDefault(); add(signs[index]); }
});
const stance = (value) => () => {
  const radio = document.getElementById(`stance-${value}`);
  if (radio.matches(":disabled")) return;
  radio.checked = true;
  radio.focus();
  showLevel();
};
single.on("p", stance("promotes"));
single.on("w", stance("warns"));
single.on("t", stance("neutral"));
single.on("/", () => root.focus());

const masker = document.getElementById("masquer");
const hiddenTexts = new Map();
if (masker?.href.includes("masque")) {
  masker.setAttribute("role", "button");
  masker.setAttribute("aria-pressed", "false");
  const toggle = () => {
    const mask = hiddenTexts.size === 0;
    if (mask) {
      for (const place of document.querySelectorAll(".private")) {
        hiddenTexts.set(place, [place.textContent, place.getAttribute("href")]);
        place.textContent = "■".repeat([...place.textContent].length);
        place.removeAttribute("href");
      }
    } else {
      for (const [place, [text, href]] of hiddenTexts) { place.textContent = text; if (href) place.setAttribute("href", href); }
      hiddenTexts.clear();
    }
    masker.setAttribute("aria-pressed", String(mask));
    masker.firstChild.data = mask ? "Montrer les données personnelles" : "Masquer les données personnelles";
    readText();
    for (const label of form.querySelectorAll("label[data-start]")) label.textContent = `« ${quote(label.dataset.start, label.dataset.end)} »`;
    showSelection();
  };
  masker.addEventListener("click", (event) => { event.preventDefault(); toggle(); });
  masker.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); toggle(); } });
  single.on("m", toggle);
} else if (masker) single.on("m", () => masker.click());

const held = document.getElementById("tenu");
if (held) {
  const EVERY = 5 * 60 * 1000;
  let active = true;
  for (const name of ["keydown", "pointerdown", "scroll"]) document.addEventListener(name, () => { active = true; }, { passive: true });
  setInterval(async () => {
    if (!active) return;
    active = false;
    try {
      const headers = { Accept: "application/json", "X-CSRF-Token": held.dataset.csrf };
      const answer = await fetch(held.dataset.renew, { method: "POST", headers });
      held.textContent = (await answer.json()).text ?? held.textContent;
    } catch { /* tried again in a while */ }
  }, EVERY);
}
readText();
if (form.querySelector("[name=stance]:checked")) showLevel();
document.getElementById("faute")?.scrollIntoView({ block: "center" });
