// Letters of a mailbox, newest first: who, what, files, headers; for the helpdesk also the buttons that answer.

import { call, el, linked, post, showList } from "./dom.js";
import { chip, toast } from "./phone.js";
import { clock, words } from "./words.js";

const PICTURES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

export function showLetters(parent, letters, { empty, actions = false, follow = () => null, fail, stamp }) {
  if (!letters.length) {
    parent.replaceChildren(el("p", { class: "empty", "data-key": "empty" }, empty));
    return;
  }
  const newest = letters.at(-1).id;
  const build = (letter, old) => card(letter, old, { open: letter.id === newest, actions, follow, fail });
  showList(parent, [...letters].reverse(), (letter) => letter.id, build, stamp);
}

function card(letter, old, { open, actions, follow, fail }) {
  const sender = letter.from_name ? `${letter.from_name} <${letter.from}>` : letter.from;
  const head = el("summary", {},
    el("span", { class: "subject" }, letter.subject || "—"),
    letter.call?.number ? el("span", { class: `badge-call ${letter.call.status}` }, letter.call.number, " · ", words.call[letter.call.status]) : "",
    el("span", { class: "meta muted" }, el("span", { class: "cut" }, sender || "—"), el("time", { datetime: letter.at }, clock(letter.at))),
  );
  const node = el("details", { class: "letter" }, head,
    el("div", { class: "letter-body" },
      letter.problem ? el("p", { class: "problem" }, letter.problem) : "",
      el("div", { class: "letter-text" }, linked(letter.text, follow)),
      letter.attachments.length ? attachments(letter.attachments) : "",
      actions ? answers(letter, fail) : "",
      headers(letter),
    ),
  );
  node.open = old ? old.open : open;
  return node;
}

function attachments(files) {
  const picture = (file) => PICTURES.includes(file.content_type);
  return el("div", { class: "attached" }, files.map((file) =>
    picture(file)
      ? el("a", { class: "thumb", href: file.url, download: file.name, "aria-label": words.download(file.name) }, el("img", { src: file.url, alt: "" }), el("span", { class: "cut" }, file.name))
      : chip(file),
  ));
}

function headers(letter) {
  const rows = Object.entries(letter.headers).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("details", { class: "headers" },
    el("summary", {}, words.headers),
    el("dl", {}, rows),
    el("a", { href: letter.raw_url, download: true }, words.raw),
  );
}

function withFiles(text, files) {
  const form = new FormData();
  form.append("text", text);
  for (const file of files) form.append("files", file, file.name);
  return form;
}

function answers(letter, fail) {
  const place = el("div", { class: "answer" });
  const line = el("div", { class: "actions" });
  const say = async (action, text, files = []) => {
    for (const button of line.children) button.disabled = true;
    try {
      const path = `/api/itsm/letters/${letter.id}/${action}`;
      const told = files.length ? await call(path, { method: "POST", body: withFiles(text, files) }) : await post(path, text ? { text } : {});
      toast(words.answered(told.number));
      place.replaceChildren();
    } catch (error) {
      fail(error);
    } finally {
      for (const button of line.children) button.disabled = false;
    }
  };
  const ask = (action, label, usual) => {
    const text = el("textarea", { rows: 2, id: `answer-${letter.id}` });
    text.value = usual;
    const files = el("input", { type: "file", multiple: true, id: `files-${letter.id}`, "data-files": "answer" });
    place.replaceChildren(
      el("form", { onsubmit: (event) => { event.preventDefault(); say(action, text.value, [...files.files]); } },
        el("label", { for: text.id }, `${label}: ${words.answerText.toLowerCase()}`), text,
        el("label", { for: files.id }, words.answerFiles), files,
        el("div", { class: "actions" },
          el("button", { type: "submit", class: "primary" }, words.sendAnswer),
          el("button", { type: "button", onclick: () => place.replaceChildren() }, words.cancel))),
    );
    text.focus();
    text.select();
  };
  const fresh = letter.call?.status === "new";
  line.append(
    el("button", { type: "button", class: fresh ? "primary" : "", "data-action": "register", onclick: () => say("register", "") }, words.register),
    el("button", { type: "button", "data-action": "start", onclick: () => say("start", "") }, words.startWork),
    el("button", { type: "button", "data-action": "comment", onclick: () => ask("comment", words.comment, words.commentDefault) }, words.comment, "…"),
    el("button", { type: "button", "data-action": "ask", onclick: () => ask("ask", words.ask, words.askDefault) }, words.ask, "…"),
    el("button", { type: "button", class: fresh ? "" : "primary", "data-action": "done", onclick: () => ask("done", words.done, words.doneDefault) }, words.done, "…"),
    el("button", { type: "button", class: "danger", "data-action": "reject", onclick: () => ask("reject", words.reject, words.rejectDefault) }, words.reject, "…"),
  );
  return el("div", { class: "helpdesk" }, line, place);
}

