"use strict";
// The page of a text: select passages, give them a sign, see the level, keep what was typed and the claim.
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

const boxOf = (sign, start, end) => {
  const id = `p-${sign}-${start}-${end}`;
  const known = document.getElementById(id);
  if (known) return known;
  const place = form.querySelector(`[data-sign="${sign}"]`);
  const line = document.createElement("li");
  line.className = "check";
  const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "passage", value: `${sign}:${start}:${end}`, id });
  const label = Object.assign(document.createElement("label"), { htmlFor: id });
  label.append(Object.assign(document.createElement("span"), { className: "hidden-text", textContent: `${place.dataset.name} : ` }), `« ${quote(start, end)} »`);
  line.append(box, label);
  place.querySelector("[data-passages]").append(line);
  place.open = true;
  return box;
};
// Give the selected passage a sign, or take it back; without a selection, go to the passages of the sign.
const add = (sign) => {
  if (form.querySelector("fieldset:disabled")) return;
  const place = form.querySelector(`[data-sign="${sign}"]`);
  place.open = true;
  if (!selected) {
    const first = place.querySelector("[name=passage]");
    (first ?? place.querySelector("summary")).focus();
    say(first ? `« ${place.dataset.name} » : Espace coche ou décoche un passage.` : `Sélectionnez d'abord le passage qui montre « ${place.dataset.name} ».`);
    return;
  }
  const box = boxOf(sign, ...selected);
  box.checked = !box.checked;
  say(`« ${place.dataset.name} » : « ${quote(...selected)} » est ${box.checked ? "ajouté" : "ôté"}.`);
  save();
  showLevel();
};
for (const button of form.querySelectorAll("[data-take]")) button.addEventListener("click", () => add(button.dataset.take));

// Digits by the place of their key, not by what it prints: on a French keyboard the upper row gives them with Shift only.
// The other signs have letters, by what the key prints.
const signs = new Map([...form.querySelectorAll("[data-sign]")].map((one) => [one.dataset.signKey, one.dataset.sign]));
document.addEventListener("keydown", (event) => {
  if (!single.active() || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat || single.typing(event.target)) return;
  const digit = /^Digit(\d)$/.exec(event.code)?.[1] ?? (/^Numpad\d$/.test(event.code) && /^\d$/.test(event.key) ? event.key : "");
  if (signs.has(digit)) { event.preventDefault(); add(signs.get(digit)); }
});
for (const [key, sign] of signs) if (!/^\d$/.test(key)) single.on(key, () => add(sign));
const stance = (value) => () => {
  const radio = document.getElementById(`stance-${value}`);
  if (radio.matches(":disabled")) return;
  radio.checked = true;
  radio.focus();
  save();
  showLevel();
};
single.on("p", stance("promotes"));
single.on("w", stance("warns"));
single.on("t", stance("neutral"));
single.on("/", () => root.focus());
single.on("r", () => document.getElementById("reason").focus());
single.on("o", () => document.getElementById("note").focus());

// What is typed waits in this tab until it is kept: the page may come back masked, or the session may end under it.
const action = form.getAttribute("action");
const TYPED = /^(passage|stance|target|reason|note|golden|quote_\w+)$/;
const typed = () => [...new FormData(form)].filter(([name, value]) => TYPED.test(name) && value);
const save = () => { if (!form.querySelector("fieldset:disabled")) drafts.keep(action, { typed: typed() }); };
for (const event of ["input", "change"]) form.addEventListener(event, save);
form.addEventListener("submit", () => drafts.sent(action));
// To start from the proposal leaves the signs and the stance to it, and keeps the words.
document.querySelector("a[href*='partir']")?.addEventListener("click", () => {
  drafts.keep(action, { typed: typed().filter(([name]) => /^(reason|note|quote_\w+)$/.test(name)), above: true });
});
const restore = () => {
  const draft = drafts.of(action);
  if (!draft) return;
  const ticks = (field) => field.type === "radio" || field.type === "checkbox";
  if (!draft.above) for (const field of form.elements) if (TYPED.test(field.name) && ticks(field)) field.checked = false;
  for (const [name, value] of draft.typed) {
    if (name === "passage") {
      const [sign, start, end] = value.split(":");
      boxOf(sign, Number(start), Number(end)).checked = true;
    } else {
      for (const field of form.querySelectorAll(`[name="${name}"]`)) {
        if (ticks(field)) field.checked ||= field.value === value;
        else field.value = value;
      }
    }
  }
  for (const sign of form.querySelectorAll(".sign, .quote")) sign.open ||= sign.querySelector("textarea").value !== "";
  say("Ce que vous aviez saisi est rétabli.");
};

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
restore();
if (form.querySelector("[name=stance]:checked")) showLevel();
document.getElementById("faute")?.scrollIntoView({ block: "center" });
