// Where to start: six steps that tick themselves off as the world gets there.

import { byId, call, el, icon } from "./dom.js";
import { putIntoComposer, toast } from "./phone.js";
import { words } from "./words.js";

let shown = localStorage.getItem("imbot-guide") !== "closed";

export function setUpGuide() {
  byId("help").addEventListener("click", () => toggle(!shown));
}

export function toggle(next) {
  shown = next;
  localStorage.setItem("imbot-guide", shown ? "open" : "closed");
  byId("guide").hidden = !shown;
  byId("help").setAttribute("aria-expanded", String(shown));
}

// `done`: how far the world is, one boolean a step.
export function showGuide(address, done, choose) {
  const guide = byId("guide");
  const steps = words.steps(address);
  const now = done.indexOf(false);
  const sign = JSON.stringify([address, done, steps[0][0]]);
  toggle(shown);
  if (guide.dataset.sign === sign) return;
  guide.dataset.sign = sign;
  guide.replaceChildren(
    el("ol", {}, steps.map(([text, copy], index) =>
      el("li", { class: done[index] ? "done" : index === now ? "now" : "", "aria-current": index === now ? "step" : null }, text, copy ? [" ", address_(copy, choose)] : ""))),
    el("p", { class: "muted" }, words.stepsMore),
    el("button", { type: "button", class: "icon small close", "aria-label": words.close, onclick: () => toggle(false) }, icon("close")),
  );
}

function address_(text, choose) {
  return el("span", { class: "copy" },
    el("code", {}, text),
    el("button", { type: "button", class: "small", title: words.copy, "aria-label": `${words.copy} ${text}`, onclick: () => copy(text) }, icon("copy")),
    el("button", { type: "button", class: "small", onclick: () => { choose(); putIntoComposer(text); } }, words.paste),
  );
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(words.copied);
  } catch {
    putIntoComposer(text);
  }
}

// Letters and messages are counted for all; the steps are about the first employee.
export async function progress(person, state, mailLetters, chats) {
  const mine = chats.get(person.chat)?.messages ?? [];
  const said = (test) => mine.some((message) => message.from === "user" && test(message.text));
  const tickets = state.tickets;
  const ended = tickets.some((ticket) => ["resolved", "closed"].includes(ticket.status));
  const letters = mailLetters ?? (await call(`/api/mailboxes/${person.address}`)).letters;
  const linked = tickets.length > 0 || said((text) => /^\/start \S/.test(text)) || (letters.length > 0 && mine.length > 5);
  return [mine.length > 0, letters.length > 0, linked, tickets.length > 0, ended, ended && rated(state)];
}

const rated = (state) => state.ledger.some((row) => row.what.startsWith("rat")) || state.tickets.some((ticket) => ticket.stars);
