"use strict";
// Compressed pieces of data in the page, and elements made of them. Text goes into the page as text only.

const pieces = new Map();
const MOST_PIECES = 60;

function piece(name) {
  if (!pieces.has(name)) {
    if (pieces.size >= MOST_PIECES) pieces.delete(pieces.keys().next().value);
    pieces.set(name, inflate(document.getElementById("data-" + name).textContent));
  }
  return pieces.get(name);
}

async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

// The value with this number in a series of pieces; starts holds the first number of each.
async function valueOf(prefix, starts, number) {
  let low = 0, high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= number) low = middle; else high = middle - 1;
  }
  return (await piece(prefix + low))[number - starts[low]];
}

function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === "class") element.className = value;
    else if (name === "click") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const MOST_SHOWN = 20000;

// A block of text that scrolls by itself; of a very long one the rest is shown when asked for.
function block(text, label) {
  const pre = make("pre", { tabindex: "0", role: "region", "aria-label": label }, text.slice(0, MOST_SHOWN));
  if (text.length <= MOST_SHOWN) return pre;
  const more = make("button", { type: "button" }, `Show all ${text.length.toLocaleString("en")} characters`);
  more.addEventListener("click", () => { pre.textContent = text; more.remove(); pre.focus(); });
  return make("div", {}, pre, more);
}

// Plain data as lists; what is no JSON is shown as it is.
function outline(value) {
  if (Array.isArray(value)) return make("ul", {}, ...value.map((item) => make("li", {}, outline(item))));
  if (value !== null && typeof value === "object") {
    return make("dl", {}, ...Object.entries(value).flatMap(([name, item]) =>
      [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, outline(item))]));
  }
  return document.createTextNode(String(value));
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return text; }
}

// Fills the region and moves the focus there; Escape leads back to where it came from.
function openIn(region, back, ...children) {
  region.replaceChildren(...children);
  region.hidden = false;
  region.onkeydown = (event) => { if (event.key === "Escape") back.focus(); };
  region.focus({ preventScroll: true });
  region.scrollIntoView({ block: "start" });
}

// Up, down, Home and End among the elements of a list.
function step(event, elements, current) {
  const moves = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: elements.length - 1 };
  const next = elements[moves[event.key]];
  if (next === undefined) return false;
  event.preventDefault();
  next.focus();
  return true;
}
