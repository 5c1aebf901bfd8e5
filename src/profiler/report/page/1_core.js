// What all parts of the page share: the data, elements, numbers with units, colours and the tip at the pointer.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, from = document) => from.querySelector(selector);

// element("td", {class: "left", text: "linear"}, ...children)
function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "path", "circle", "text", "clipPath"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// 1234.5 -> "1,235", 0.01234 -> "0.0123": three digits that matter.
function digits(value, places = 3) {
  if (value === null || value === undefined || !isFinite(value)) return "-";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  return value.toLocaleString("en-US", {
    minimumFractionDigits: Math.max(0, Math.min(6, places - 1 - size)),
    maximumFractionDigits: Math.max(0, Math.min(6, places - 1 - size)),
  });
}
const count = (value) => Math.round(value).toLocaleString("en-US");
const percent = (share) => (share === null || share === undefined ? "-" : (100 * share).toFixed(1));

function bytes(value) {
  if (!value) return "0 B";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.abs(value)) / 10)));
  const scaled = value / 1024 ** power;
  return `${power === 0 ? scaled : scaled.toFixed(scaled < 10 ? 2 : 1)} ${units[power]}`;
}

// A duration in the unit that fits.
function duration(ms) {
  if (ms >= 1000) return `${digits(ms / 1000)} s`;
  if (ms >= 1) return `${digits(ms)} ms`;
  if (ms >= 0.001) return `${digits(ms * 1000)} µs`;
  return `${(ms * 1e6).toFixed(0)} ns`;
}

// Okabe and Ito's colours, safe for the colour-blind; an operation keeps its colour in all plots. Those with the
// most time come first; from the ninth on the colours repeat, paler.
const palette = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8c8c8c"];
const plain = { wait: "#c9c9c9", idle: "#e4e4e4", pass: "#b8c4cf", zone: "#d7dde3" };
const colours = new Map();
for (const zone of data.zones.concat(data.cold_zones)) {
  if (zone.kind !== "op" && !(zone.flops > 0 || zone.bytes > 0)) continue;
  if (colours.has(zone.name)) continue;
  const base = palette[colours.size % palette.length];
  colours.set(zone.name, colours.size < palette.length ? base : mix(base, "#ffffff", 0.45));
}

function mix(a, b, share) {
  const part = (text, i) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16);
  const channel = (i) => Math.round(part(a, i) * (1 - share) + part(b, i) * share);
  return `#${[0, 1, 2].map((i) => channel(i).toString(16).padStart(2, "0")).join("")}`;
}

function colour_of(name, kind) {
  if (kind === "wait" || kind === "idle" || kind === "pass") return plain[kind];
  return colours.get(name) ?? plain.zone;
}

const tip = $("#tip");
function show_tip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
}
const hide_tip = () => (tip.hidden = true);
const with_tip = (text) => ({ onmousemove: (event) => show_tip(event, text()), onmouseleave: hide_tip });

// Buttons of which one is pressed; few names stand side by side, many go into a list.
function choice(place, names, chosen) {
  if (names.length < 2) return;
  if (names.length > 4) {
    const select = element("select", { "aria-label": "view", onchange: () => chosen(select.selectedIndex) });
    for (const name of names) select.append(element("option", { text: name }));
    place.append(select);
    return;
  }
  names.forEach((name, i) => {
    const button = element("button", { type: "button", text: name, "aria-pressed": i === 0 });
    button.addEventListener("click", () => {
      for (const other of place.children) other.setAttribute("aria-pressed", other === button);
      chosen(i);
    });
    place.append(button, " ");
  });
}

// Round numbers from low to high, about so many.
function ticks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const list = [];
  for (let value = Math.ceil(low / step) * step; value <= high * (1 + 1e-9); value += step) list.push(value);
  return { list, step };
}
