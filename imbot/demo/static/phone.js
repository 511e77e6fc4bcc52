// The phone: bubbles, inline keyboards, photos, the command menu, the paper clip, reply and edit.

import { byId, call, el, icon, linked, post, showList } from "./dom.js";
import { clock, size, words } from "./words.js";

const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

let chat = 0; // whose phone is shown
let tray = []; // files chosen and not yet sent
let context = null; // {kind: "reply" | "edit", message}
let commands = [];
let hooks = { fail: () => {}, deepLink: () => null };
let stick = true; // the log follows what comes, unless somebody has scrolled up
let answersSeen = new Map();

export function setUpPhone(given) {
  hooks = given;
  byId("open-commands").append(icon("slash"));
  byId("open-clip").append(icon("clip"));
  byId("send").append(icon("send"));
  const input = byId("words");
  input.addEventListener("input", fit);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId("composer").requestSubmit();
    }
    if (event.key === "Escape") setContext(null);
  });
  input.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) {
      event.preventDefault();
      addFiles([...event.clipboardData.files]);
    }
  });
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send().catch(hooks.fail);
  });
  byId("files").addEventListener("change", (event) => {
    addFiles([...event.target.files]);
    event.target.value = "";
  });
  const device = byId("device");
  device.addEventListener("dragover", (event) => event.preventDefault());
  device.addEventListener("drop", (event) => {
    event.preventDefault();
    addFiles([...event.dataTransfer.files]);
  });
  const log = byId("log");
  let last = 0;
  log.addEventListener("scroll", () => {
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 60) stick = true;
    else if (log.scrollTop < last - 2) stick = false;
    last = log.scrollTop;
  });
  new ResizeObserver(() => { if (stick) log.scrollTop = log.scrollHeight; }).observe(log);
  setUpMenu("open-commands", "commands", commandItems);
  setUpMenu("open-clip", "clip-menu", clipItems);
}

function fit() {
  const input = byId("words");
  input.rows = Math.min(5, Math.max(1, input.value.split("\n").length));
}

// Menus ---------------------------------------------------------------------------------------------------------------

function setUpMenu(buttonId, menuId, items) {
  const button = byId(buttonId);
  const menu = byId(menuId);
  const close = (focus) => {
    if (menu.hidden) return;
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
  };
  button.addEventListener("click", () => {
    if (!menu.hidden) return close(true);
    menu.replaceChildren(
      ...items().map(([label, act, hint]) =>
        el("button", { type: "button", role: "menuitem", onclick: () => { close(true); act(); } }, label, hint ? el("span", { class: "muted" }, hint) : ""),
      ),
    );
    menu.hidden = false;
    button.setAttribute("aria-expanded", "true");
    menu.firstElementChild?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const all = [...menu.children];
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") close(true);
    if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length].focus();
    if (["ArrowDown", "ArrowUp"].includes(event.key)) event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target) && !button.contains(event.target)) close(false);
  });
}

function commandItems() {
  const known = commands.length ? commands : [{ command: "start", description: "" }, { command: "help", description: "" }];
  return known.map((one) => [`/${one.command}`, () => sayNow(`/${one.command}`), one.description]);
}

function clipItems() {
  return [
    [words.attachFile, () => byId("files").click()],
    [words.attachSample, () => samplePhoto().then((file) => addFiles([file])).catch(hooks.fail)],
  ];
}

// A drawing of a printer with a red lamp, for those who have no photo at hand.
async function samplePhoto() {
  const canvas = el("canvas", { width: 960, height: 720 });
  const pen = canvas.getContext("2d");
  const box = (colour, x, y, w, h) => { pen.fillStyle = colour; pen.fillRect(x, y, w, h); };
  box("#cfd8e0", 0, 0, 960, 720);
  box("#b3a08a", 0, 560, 960, 160);
  box("#f4f1ea", 330, 130, 300, 150);
  box("#3b4652", 210, 260, 540, 250);
  box("#232b33", 250, 420, 460, 26);
  box("#fdfdfb", 300, 440, 360, 150);
  box("#8fb8d8", 290, 300, 190, 70);
  pen.fillStyle = "#e23b30";
  pen.beginPath();
  pen.arc(660, 335, 24, 0, 7);
  pen.fill();
  pen.fillStyle = "#17202b";
  pen.font = "bold 34px sans-serif";
  pen.fillText("ERR 49", 318, 347);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.88));
  return new File([blob], "printer.jpg", { type: "image/jpeg" });
}

// Sending -------------------------------------------------------------------------------------------------------------

function addFiles(files) {
  tray.push(...files);
  showTray();
  byId("words").focus();
}

function showTray() {
  const place = byId("tray");
  place.hidden = tray.length === 0;
  const chips = tray.map((file, index) =>
    el("span", { class: "chip" }, icon(file.type.startsWith("image/") ? "photo" : "file"), el("span", { class: "cut" }, file.name), el("small", {}, size(file.size)),
      el("button", { type: "button", class: "icon small", "aria-label": words.remove(file.name), onclick: () => { tray.splice(index, 1); showTray(); } }, icon("close"))),
  );
  const pictures = tray.some((file) => PICTURES.includes(file.type));
  const kept = byId("as-files")?.checked ?? false;
  const box = el("input", { type: "checkbox", id: "as-files" });
  box.checked = kept;
  place.replaceChildren(...chips, ...(pictures ? [el("label", { class: "as-files" }, box, words.asFiles)] : []));
}

function setContext(next) {
  context = next;
  const place = byId("context");
  place.hidden = !next;
  if (!next) return place.replaceChildren();
  place.replaceChildren(
    icon(next.kind),
    el("div", {}, el("strong", {}, next.kind === "edit" ? words.editing : words.replyTo), el("span", { class: "cut" }, next.message.text || "…")),
    el("button", { type: "button", class: "icon small", "aria-label": words.cancel, onclick: () => setContext(null) }, icon("close")),
  );
  const input = byId("words");
  if (next.kind === "edit") input.value = next.message.text;
  fit();
  input.focus();
}

async function send() {
  const input = byId("words");
  const text = input.value.trim();
  if (tray.length) {
    const form = new FormData();
    for (const file of tray) form.append("files", file, file.name);
    form.append("caption", text);
    if (tray.length > 1) form.append("album", "1");
    if (byId("as-files")?.checked) form.append("as_file", "1");
    await call(`/api/chats/${chat}/attach`, { method: "POST", body: form });
    tray = [];
    showTray();
  } else if (!text) {
    return;
  } else if (context?.kind === "edit") {
    await post(`/api/chats/${chat}/edit`, { message_id: context.message.id, text });
  } else {
    await post(`/api/chats/${chat}/say`, context ? { text, reply_to: context.message.id } : { text });
  }
  input.value = "";
  setContext(null);
  fit();
}

export function sayNow(text, to = chat) {
  return post(`/api/chats/${to}/say`, { text }).catch(hooks.fail);
}

export function putIntoComposer(text) {
  const input = byId("words");
  input.value = text;
  fit();
  input.focus();
}

// Showing -------------------------------------------------------------------------------------------------------------

export function showChat(data, owner, stamp) {
  const log = byId("log");
  const other = data.chat !== chat;
  if (other) {
    stick = true;
    chat = data.chat;
    tray = [];
    showTray();
    setContext(null);
    log.replaceChildren();
  }
  commands = data.commands;
  byId("owner").textContent = owner;
  if (!data.messages.length) {
    // Only where it is another one: a click that begins on a button and ends on its successor is none.
    const mark = `${stamp}${chat}`;
    if (log.firstElementChild?.dataset.mark === mark) return;
    log.replaceChildren(
      el("div", { class: "first", "data-key": "first", "data-mark": mark }, el("p", {}, words.emptyChat),
        el("button", { type: "button", class: "primary", id: "begin", onclick: () => sayNow("/start") }, words.start)),
    );
    return;
  }
  showList(log, grouped(data.messages), (group) => group[0].id, (group) => bubble(group), `${stamp}${chat}`);
  tellAnswers(data.messages, other);
  if (stick) log.scrollTop = log.scrollHeight;
}

// Albums are one bubble.
function grouped(messages) {
  const groups = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (message.album && last && last[0].album === message.album) last.push(message);
    else groups.push([message]);
  }
  return groups;
}

function bubble(group) {
  const [message] = group;
  const bot = message.from === "bot";
  const files = group.flatMap((one) => one.files);
  const caption = group.map((one) => one.text).find(Boolean) ?? "";
  const photos = files.filter((file) => PICTURES.includes(file.content_type) && file.kind === "photo");
  const others = files.filter((file) => !photos.includes(file));
  const tool = (name, kind) =>
    el("button", { type: "button", class: "icon small", "aria-label": words[name], title: words[name], onclick: () => setContext({ kind, message }) }, icon(kind));
  const node = el("article", { class: `bubble ${bot ? "bot" : "me"}` },
    photos.length ? el("div", { class: photos.length > 1 ? "photos many" : "photos" }, photos.map(photo)) : "",
    others.map(chip),
    caption ? el("div", { class: "text" }, formatted({ ...message, text: caption })) : "",
    el("div", { class: "foot" },
      message.silent ? el("span", { title: words.silent }, icon("silent")) : "",
      message.edited ? `${words.edited} ` : "",
      el("time", { datetime: new Date(message.date * 1000).toISOString() }, clock(message.date * 1000)),
    ),
    el("div", { class: "tools" }, bot ? tool("reply", "reply") : files.length ? "" : tool("edit", "edit")),
  );
  node.addEventListener("click", (event) => {
    if (!event.target.closest("a, button")) node.classList.toggle("picked"); // touch has no hover
  });
  return el("div", { class: `row ${bot ? "bot" : "me"}` }, node, keyboard(message));
}

function photo(file) {
  return el("a", { href: file.url, target: "_blank", rel: "noopener", "aria-label": words.openPhoto(file.name || "photo") }, el("img", { src: file.url, alt: "" }));
}

export function chip(file) {
  const name = file.name || file.kind || "file";
  return el("a", { class: "chip", href: file.url, download: name, "aria-label": words.download(name) }, icon("file"), el("span", { class: "cut" }, name), el("small", {}, size(file.size)));
}

function keyboard(message) {
  if (!message.buttons.length) return "";
  const rows = new Map();
  for (const button of message.buttons) rows.set(button.row, [...(rows.get(button.row) ?? []), button]);
  return el("div", { class: "keys" }, [...rows.values()].map((row) => el("div", { class: "key-row" }, row.map((button) => key(message, button)))));
}

function key(message, button) {
  if (button.url) return el("a", { class: "key", href: button.url, target: "_blank", rel: "noreferrer noopener" }, button.label);
  const node = el("button", { type: "button", class: "key" }, button.label);
  node.addEventListener("click", () => {
    node.classList.add("waiting");
    post(`/api/chats/${chat}/press`, { message_id: message.id, value: button.value })
      .catch(hooks.fail)
      .finally(() => setTimeout(() => node.classList.remove("waiting"), 600));
  });
  return node;
}

// Entities count UTF-16 units, as JavaScript does.
function formatted(message) {
  const parts = [];
  let last = 0;
  for (const mark of [...message.entities].sort((a, b) => a.offset - b.offset)) {
    if (mark.type !== "bold" || mark.offset < last) continue;
    parts.push(...linked(message.text.slice(last, mark.offset), hooks.deepLink));
    parts.push(el("strong", {}, message.text.slice(mark.offset, mark.offset + mark.length)));
    last = mark.offset + mark.length;
  }
  parts.push(...linked(message.text.slice(last), hooks.deepLink));
  return parts;
}

// What the bot said to a press comes as a toast, once.
function tellAnswers(messages, quiet) {
  for (const message of messages) {
    const seen = answersSeen.get(message.id) ?? 0;
    const fresh = message.answers.slice(seen).map((answer) => answer.text).filter(Boolean);
    answersSeen.set(message.id, message.answers.length);
    if (fresh.length && !quiet) toast(fresh.at(-1));
  }
}

let toastTimer = 0;
export function toast(text) {
  const place = byId("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(hideToast, 2800);
}

export function hideToast() {
  byId("toast").classList.remove("shown");
}
