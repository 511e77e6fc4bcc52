// What imbot knows: tickets with their history, the outbox, the quarantine, as its data base says.

import { byId, call, el, showList } from "./dom.js";
import { asideWords, kindWords, laneWords, outcomeWords, plainWords } from "./told.js";
import { clock, lang, words } from "./words.js";

// The ledger's words (`what`) in the reader's.
const HISTORY = {
  ru: {
    filed: "заявка составлена", accepted: "письмо принято почтой", handed_over: "письмо принято почтой", sent: "письмо принято почтой", bounced: "письмо вернулось",
    failed: "отправить не удалось", added: "дополнение", noted: "к сведению", inferred: "номер по догадке", bound_by_hand: "отнесено вручную", comment: "поддержка пишет", notice: "сообщено в чат",
    status: "статус", rated: "оценка", complained: "жалоба", reopen_asked: "просьба вернуть в работу", withdraw_asked: "просьба отозвать", resent: "отправлено ещё раз",
    reopen_silence: "поддержка молчит", unconfirmed: "не подтверждена в срок", left: "администратор оставил как есть", let_go: "дополнения отпущены",
    files_came: "файлы поддержки", file_not_sent: "файл поддержки не передан", delayed: "письмо задерживается", refused_file: "файл не вошёл",
  },
  en: {
    filed: "request written", accepted: "letter accepted by the mail server", handed_over: "letter accepted by the mail server", sent: "letter accepted by the mail server",
    bounced: "letter came back", failed: "sending failed", added: "addition", noted: "noted", inferred: "number by inference", bound_by_hand: "bound by hand", comment: "support writes", notice: "told in the chat",
    status: "status", rated: "rating", complained: "complaint", reopen_asked: "asked to reopen", withdraw_asked: "asked to withdraw", resent: "sent again",
    reopen_silence: "support is silent", unconfirmed: "not confirmed in time", left: "an admin left it as it is", let_go: "additions let go",
    files_came: "files of support", file_not_sent: "file of support not passed on", delayed: "letter delayed", refused_file: "file left out",
  },
};

let world = { tickets: [], persons: [] };
let itsm = "";
let bot = "";
let number = "IM-CL-1042";
let fail = () => {};

export function showKnowledge(state, stamp, onError) {
  [world, itsm, bot, fail] = [state, state.itsm, state.bot, onError];
  number = state.tickets.find((ticket) => ticket.number)?.number ?? number;
  const ledger = groupBy([...state.ledger].sort((a, b) => a.id - b.id));
  const open = state.outbox.filter((parcel) => !parcel.settled_at);
  const sections = [
    { name: "tickets", title: words.tickets, note: "", items: state.tickets.map((ticket) => ({ ...ticket, rows: ledger.get(ticket.id) ?? [] })), empty: words.noTickets },
    { name: "quarantine", title: words.quarantine, note: "", items: state.quarantine, empty: words.noQuarantine },
    { name: "outbox", title: words.outbox, note: words.outboxOpen(open.length), items: state.outbox.slice(0, 60), empty: words.noOutbox },
  ];
  showList(byId("knowledge"), sections, (section) => section.name, build, stamp);
}

function groupBy(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.ticket_id, [...(groups.get(row.ticket_id) ?? []), row]);
  return groups;
}

function build(section) {
  const make = { tickets: ticket, quarantine: setAside, outbox: parcel }[section.name];
  const body = section.items.length
    ? el(section.name === "outbox" ? "ol" : "div", { class: `items ${section.name}` }, section.items.map(make))
    : el("p", { class: "empty" }, section.empty);
  return el("section", { class: "known" }, el("h3", {}, section.title, 
    section.note ? el("small", { class: "muted" }, section.note) : "",
    section.name === "quarantine" ? el("button", { type: "button", class: "small", onclick: () => forge().catch(fail) }, words.forge) : ""), body);
}

// A letter in the helpdesk's name that the helpdesk did not send: no evidence of origin, so it moves nothing.
function forge() {
  const encoded = (text) => `=?utf-8?B?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`;
  const letter = [
    `From: ${itsm}`, `To: ${bot}`, `Subject: ${encoded(`Заявка № ${number} выполнена`)}`, `Message-ID: <${crypto.randomUUID()}@outside.example>`,
    `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", "Решение: ничего не делали.", "",
  ];
  return call(`/api/mailboxes/${bot}/deliver`, { method: "POST", body: letter.join("\r\n") });
}

function ticket(one) {
  return el("article", { class: "ticket" },
    el("header", {}, el("strong", {}, one.title || one.id), el("span", { class: `badge-call ${one.status}` }, words.status[one.status] ?? one.status)),
    el("p", { class: "muted" }, [one.number, [one.category, one.subcategory].filter(Boolean).join(" / "), one.location].filter(Boolean).join(" · ")),
    one.rows.length
      ? el("details", { class: "history", open: true }, el("summary", {}, words.history), el("ol", {}, one.rows.map(line)))
      : "",
  );
}

function line(row) {
  const told = details(row.what, row.values ?? {});
  return el("li", {},
    el("time", { datetime: row.at }, clock(row.at)),
    el("span", {}, HISTORY[lang][row.what] ?? row.what.replaceAll("_", " ")),
    el("span", { class: "muted cut", title: told }, told),
  );
}

function details(what, values) {
  if (what === "status") {
    const { old, new: now } = values;
    return [old === now ? "" : `${words.status[old] ?? old} → ${words.status[now] ?? now}`, ...plainWords(values)].filter(Boolean).join(" · ");
  }
  if (what === "notice") return words.status[values.name] ?? words.notice[values.name] ?? values.name;
  if (what === "accepted") return values.answer ?? "";
  if (what === "rated") return values.stars ? "★".repeat(values.stars) + "☆".repeat(5 - values.stars) : "—";
  return plainWords(values).join(" · ");
}

function parcel(one) {
  const state = one.settled_at ? outcomeWords(one.outcome) || words.settled : one.last_error || outcomeWords(one.waits_for ?? "") || "…";
  return el("li", { class: one.settled_at ? "settled" : "open" },
    el("span", { class: "kind" }, kindWords(one.kind)),
    el("span", { class: "cut", title: one.lane }, laneWords(one.lane, world)),
    el("span", { class: "muted cut", title: state }, state),
    one.attempts > 1 ? el("small", {}, `×${one.attempts}`) : "",
  );
}

function setAside(one) {
  return el("article", { class: "ticket" },
    el("header", {}, el("strong", {}, one.subject || "—"), el("time", { class: "muted", datetime: one.kept_at }, clock(one.kept_at))),
    el("p", { class: "muted" }, one.sender ?? ""),
    el("p", { class: "problem" }, asideWords(one.reason ?? "")),
    el("p", { class: "muted" }, words.asRecorded, el("span", { lang: "en" }, one.reason)),
  );
}
