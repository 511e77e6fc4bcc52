// What imbot knows: tickets with their history, the outbox, the quarantine, as its data base says.

import { byId, el, showList } from "./dom.js";
import { clock, lang, words } from "./words.js";

const HISTORY = {
  ru: {
    typed: "заявка составлена", opened: "заявка составлена", sent: "письмо отправлено", accepted: "принято почтовым сервером", registered: "зарегистрирована",
    change: "статус изменился", changed: "статус изменился", status: "статус изменился", comment: "поддержка пишет", notice: "сообщено в чат", noticed: "сообщено в чат",
    rated: "оценка", rating: "оценка", number: "номер", withdrawn: "отозвана", withdrawal: "просьба отозвать", added: "дополнение", addition: "дополнение",
    question: "вопрос поддержки", file_stored: "файл сохранён", file_refused: "файл не вошёл", letter_put: "письмо готово", failed: "отправка не удалась",
  },
  en: {
    typed: "request written", opened: "request written", sent: "letter sent", accepted: "accepted by the mail server", registered: "registered",
    change: "status changed", changed: "status changed", status: "status changed", comment: "support writes", notice: "told in the chat", noticed: "told in the chat",
    rated: "rating", rating: "rating", number: "number", withdrawn: "withdrawn", withdrawal: "asked to withdraw", added: "addition", addition: "addition",
    question: "support asks", file_stored: "file kept", file_refused: "file left out", letter_put: "letter ready", failed: "sending failed",
  },
};

export function showKnowledge(state, stamp) {
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
  return el("section", { class: "known" }, el("h3", {}, section.title, section.note ? el("small", { class: "muted" }, section.note) : ""), body);
}

function ticket(one) {
  return el("article", { class: "ticket" },
    el("header", {}, el("strong", {}, one.title || one.id), el("span", { class: `badge-call ${one.status}` }, words.status[one.status] ?? one.status)),
    el("p", { class: "muted" }, [one.number, one.category && `${one.category} / ${one.subcategory}`, one.location].filter(Boolean).join(" · ")),
    one.rows.length
      ? el("details", { class: "history", open: true }, el("summary", {}, words.history), el("ol", {}, one.rows.map(line)))
      : "",
  );
}

function line(row) {
  const told = Object.values(row.values ?? {}).flat().filter((value) => ["string", "number"].includes(typeof value) && value !== "").map(String);
  return el("li", {},
    el("time", { datetime: row.at }, clock(row.at)),
    el("span", {}, HISTORY[lang][row.what] ?? row.what.replaceAll("_", " ")),
    el("span", { class: "muted cut", title: told.join(" · ") }, told.join(" · ")),
  );
}

function parcel(one) {
  const state = one.settled_at ? one.outcome || words.settled : one.last_error || one.waits_for || "…";
  return el("li", { class: one.settled_at ? "settled" : "open" },
    el("code", {}, one.kind),
    el("span", { class: "cut" }, one.lane),
    el("span", { class: "muted cut", title: state }, state),
    one.attempts > 1 ? el("small", {}, `×${one.attempts}`) : "",
  );
}

function setAside(one) {
  return el("article", { class: "ticket" },
    el("header", {}, el("strong", {}, one.subject || "—"), el("time", { class: "muted", datetime: one.kept_at }, clock(one.kept_at))),
    el("p", { class: "muted" }, one.sender ?? ""),
    el("p", { class: "problem" }, one.reason ?? ""),
  );
}
