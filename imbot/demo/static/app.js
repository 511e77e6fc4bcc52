// The page: keeps what is shown in step with the world by one long poll, and switches persons, views and the language.

import { byId, call, el, icon, post } from "./dom.js";
import { progress, setUpGuide, showGuide } from "./guide.js";
import { showKnowledge } from "./knows.js";
import { showLetters } from "./letters.js";
import { hideToast, sayNow, setUpPhone, showChat, toast } from "./phone.js";
import { keepTime, lang, speak, words } from "./words.js";

const phoneOnly = matchMedia("(max-width: 860px)");
const VIEWS = ["phone", "itsm", "mail", "knows"];

let version = -1;
let person = null;
let view = "itsm";
let seen = { itsm: 0, mail: new Map(), chat: new Map() };
let world = { state: null, chats: new Map(), boxes: new Map() };

const fail = (error) => toast(error.message);

// A deep link to the bot is followed in the phone, as Telegram would.
function deepLink(url) {
  const found = /^https?:\/\/(?:www\.)?(?:t|telegram)\.me\/([A-Za-z0-9_]+)\?start=([A-Za-z0-9_-]{1,64})$/.exec(url);
  if (!found || !world.state || found[1].toLowerCase() !== world.state.bot_username.toLowerCase()) return null;
  return () => {
    sayNow(`/start ${found[2]}`, person.chat);
    if (phoneOnly.matches) go("phone");
  };
}

// Views ---------------------------------------------------------------------------------------------------------------

function go(next, focus = false) {
  view = next;
  hideToast();
  document.body.dataset.view = next;
  for (const name of VIEWS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === next));
    tab.tabIndex = name === next ? 0 : -1;
    if (name === next && focus) tab.focus();
  }
  if (world.state) show();
}

function setUpTabs() {
  const tabs = byId("tabs");
  for (const name of VIEWS) {
    const tab = byId(`tab-${name}`);
    tab.querySelector(".pic").append(icon(name));
    tab.addEventListener("click", () => go(name));
  }
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const offered = phoneOnly.matches ? VIEWS : VIEWS.slice(1);
    go(offered[(offered.indexOf(view) + step + offered.length) % offered.length], true);
    event.preventDefault();
  });
  phoneOnly.addEventListener("change", (event) => go(event.matches ? "phone" : view === "phone" ? "itsm" : view));
  go(phoneOnly.matches ? "phone" : "itsm");
}

function choose(next) {
  person = next;
  sessionStorage.setItem("imbot-person", String(next.chat));
  show(); // at once what is known, then what is new
  refresh().catch(fail);
}

// Language ------------------------------------------------------------------------------------------------------------

function setLanguage(chosen, tellPhones) {
  speak(chosen);
  localStorage.setItem("imbot-lang", lang);
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = words[node.dataset.word];
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", words[node.dataset.label]);
  for (const node of document.querySelectorAll("[data-hint]")) node.placeholder = words[node.dataset.hint];
  for (const button of byId("language").children) button.setAttribute("aria-pressed", String(button.value === lang));
  document.title = `imbot — ${words.demo}`;
  if (tellPhones) post("/api/language", { language: lang }).catch(fail);
  if (world.state) show();
}

// An hour passes ------------------------------------------------------------------------------------------------------

function setUpSilence() {
  const button = byId("silence");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await post("/api/itsm/silence", {});
      toast(words.silencePassed);
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
    }
  });
}

// What the world says -------------------------------------------------------------------------------------------------

async function refresh() {
  const state = await call("/api/state");
  keepTime(state.timezone);
  const saved = Number(sessionStorage.getItem("imbot-person"));
  person ??= state.persons.find((one) => one.chat === saved) ?? state.persons[0];
  const chats = await Promise.all(state.persons.map((one) => call(`/api/chats/${one.chat}`)));
  const addresses = [...new Set([state.itsm, state.persons[0].address, person.address])];
  const boxes = await Promise.all(addresses.map((address) => call(`/api/mailboxes/${address}`)));
  world = {
    state,
    chats: new Map(chats.map((chat) => [chat.chat, chat])),
    boxes: new Map(boxes.map((box) => [box.address, box.letters])),
  };
  show();
}

function show() {
  const { state, chats, boxes } = world;
  const itsm = boxes.get(state.itsm);
  const mail = boxes.get(person.address) ?? [];
  showWho(state.persons, chats);
  showChat(chats.get(person.chat), `${person.name}`, lang);
  byId("mail-title").textContent = words.mailTitle(person.address);
  showLetters(byId("itsm-letters"), itsm, { empty: words.noItsm, actions: true, fail, stamp: lang });
  showLetters(byId("mail-letters"), mail, { empty: words.noLetters, follow: deepLink, fail, stamp: `${lang}${person.chat}` });
  showKnowledge(state, lang, fail);
  showBadges(itsm, mail, chats.get(person.chat));
  const [first] = state.persons;
  showGuide(first.address, progress(first, state, boxes.get(first.address), chats), () => choose(first));
}

function showWho(persons, chats) {
  const place = byId("who");
  const buttons = persons.map((one) => {
    const count = chats.get(one.chat).messages.length;
    const fresh = one.chat !== person.chat && count > (seen.chat.get(one.chat) ?? 0);
    const button = el("button", { type: "button", "aria-pressed": String(one.chat === person.chat), onclick: () => choose(one) },
      el("strong", {}, words.person(one)), el("small", {}, words.role(one)), fresh ? el("b", { class: "dot" }) : "");
    button.dataset.chat = one.chat;
    return button;
  });
  const focused = document.activeElement?.dataset?.chat;
  place.replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.dataset.chat === focused)?.focus();
}

function showBadges(itsm, mail, chat) {
  const visible = (name) => view === name || (name === "phone" && !phoneOnly.matches);
  if (visible("itsm")) seen.itsm = itsm.length;
  if (visible("mail")) seen.mail.set(person.chat, mail.length);
  if (visible("phone")) seen.chat.set(person.chat, chat.messages.length);
  badge("itsm", itsm.length - seen.itsm);
  badge("mail", mail.length - (seen.mail.get(person.chat) ?? 0));
  badge("phone", chat.messages.length - (seen.chat.get(person.chat) ?? 0));
}

function badge(name, count) {
  const node = byId(`tab-${name}`).querySelector(".badge");
  node.hidden = count <= 0;
  node.textContent = count > 0 ? String(count) : "";
}

// One long poll keeps the page in step. A world that has gone is said so, and looked for again.
async function follow() {
  for (;;) {
    try {
      const told = await call(`/api/changes?since=${version}&timeout=25`);
      byId("trouble").textContent = "";
      if (told.version !== version) {
        version = told.version;
        await refresh();
      }
    } catch {
      byId("trouble").textContent = words.gone;
      version = -1;
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
}

setUpPhone({ fail, deepLink });
setUpGuide();
for (const button of byId("language").children) button.addEventListener("click", () => setLanguage(button.value, true));
setLanguage(localStorage.getItem("imbot-lang") ?? "ru", false);
setUpTabs();
setUpSilence();
follow();
