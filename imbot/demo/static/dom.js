// Small tools: elements without innerHTML, icons, lists that keep what did not change, links in plain text.

const ICONS = {
  phone: "M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zM11 18.5h2",
  itsm: "M3 12h5l1.5 3h5L16 12h5M5 5h14l2 7v6a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-6z",
  mail: "M3 6h18v12H3zM3 7l9 6 9-6",
  knows: "M4 5h16M4 12h10M4 19h13",
  send: "M4 12 20 4l-5 16-3.5-6.5z",
  clip: "m8 12.5 6-6a3 3 0 0 1 4.3 4.3l-8 8a5 5 0 0 1-7-7l7.5-7.5",
  slash: "M9 20 15 4",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  photo: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  close: "M6 6l12 12M18 6 6 18",
  reply: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  silent: "M6 16V11a6 6 0 0 1 9-5.2M18 11v5l2 2H7M4 4l16 16M10 21h4",
  down: "m6 9 6 6 6-6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};

export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "ico");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export const byId = (id) => document.getElementById(id);

// Shows `items` in `parent`: an element is built anew only where its item has changed, so that focus, open details and
// half-typed answers stay. `key(item)` is unique; `build(item)` gives the element.
export function showList(parent, items, key, build, stamp = "") {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const sign = stamp + JSON.stringify(item);
    const old = known.get(name);
    if (old && old.sign === sign) return old;
    const fresh = build(item, old);
    fresh.dataset.key = name;
    fresh.sign = sign;
    return fresh;
  });
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

// Text with its links made links. `follow(url)` gives a handler for a link that acts inside this page, else null.
export function linked(text, follow = () => null) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"«»]+[^\s<>"«».,;:!?)\]]/g)) {
    parts.push(text.slice(last, found.index));
    const act = follow(found[0]);
    parts.push(
      act
        ? el("button", { type: "button", class: "link", onclick: act }, found[0])
        : el("a", { href: found[0], rel: "noreferrer noopener", target: "_blank" }, found[0]),
    );
    last = found.index + found[0].length;
  }
  parts.push(text.slice(last));
  return parts.filter((part) => part !== "");
}

export async function call(path, options = {}) {
  const answer = await fetch(path, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error ?? `HTTP ${answer.status}`);
  return data;
}

export const post = (path, body = {}) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
