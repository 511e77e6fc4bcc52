// Where to start: six steps that tick themselves off as the world gets there.

import { byId, el, icon } from "./dom.js";
import { putIntoComposer, toast } from "./phone.js";
import { words } from "./words.js";

let open = false; // all steps, or the present one alone
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
  const told = now < 0 ? [words.stepsDone, null] : steps[now];
  const all = el("ol", { id: "all-steps", hidden: !open }, steps.map(([text], index) =>
    el("li", { class: done[index] ? "done" : index === now ? "now" : "", "aria-current": index === now ? "step" : null }, text)));
  const more = el("button", { type: "button", class: "count", title: words.allSteps, "aria-expanded": String(open), "aria-controls": "all-steps" },
    now < 0 ? "✓" : `${now + 1}/${steps.length}`, el("span", { class: "sr" }, words.allSteps), icon("down"));
  more.addEventListener("click", () => {
    open = !open;
    all.hidden = !open;
    note.hidden = !open;
    more.setAttribute("aria-expanded", String(open));
  });
  const note = el("p", { class: "muted", hidden: !open }, words.stepsMore);
  guide.replaceChildren(
    el("div", { class: "step" },
      more,
      el("p", {}, told[0], told[1] ? [" ", addressChip(told[1], choose)] : ""),
      el("button", { type: "button", class: "icon small", "aria-label": words.close, onclick: () => toggle(false) }, icon("close"))),
    all,
    note,
  );
}

function addressChip(text, choose) {
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

// How far the first employee has come, one boolean a step.
export function progress(person, state, letters, chats) {
  const mine = chats.get(person.chat).messages;
  const followed = mine.some((message) => message.from === "user" && /^\/start \S/.test(message.text));
  const linked = followed || letters.length > 1 || state.tickets.length > 0; // the second letter says that a chat was linked
  const ended = state.tickets.some((ticket) => ["resolved", "closed"].includes(ticket.status)) || rated(state);
  return [mine.length > 0, letters.length > 0, linked, state.tickets.length > 0, ended, ended && rated(state)];
}

const rated = (state) => state.ledger.some((row) => row.what === "rated");
