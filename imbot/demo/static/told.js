// What imbot's data base says in its own words, told in the reader's: kinds of parcels, lanes, outcomes, why a letter was set aside.

import { lang, moment, words } from "./words.js";

const KINDS = {
  ru: {
    lookup: "поиск в справочнике", code: "код для входа", recheck: "сверка со справочником", download: "файл сотрудника", pack: "сборка письма", letter: "письмо в поддержку",
    note: "письмо сотруднику", notice: "сообщение", file: "файл поддержки", receipt: "карточка заявки", alert: "новость админам", question: "вопрос админу", check: "проверка связи",
  },
  en: {
    lookup: "directory look-up", code: "sign-in code", recheck: "directory check", download: "employee's file", pack: "letter made up", letter: "letter to support",
    note: "letter to a person", notice: "message", file: "file of support", receipt: "receipt", alert: "news to admins", question: "question to an admin", check: "check of the ways",
  },
};
const LANES = {
  ru: { ticket: "заявка", chat: "чат", receipts: "чат", more: "администраторы", late: "заявка", flips: "заявка", check: "чат", signin: "вход", code: "вход", mail: "сотрудник", person: "сотрудник", admins: "администраторы" },
  en: { ticket: "ticket", chat: "chat", receipts: "chat", more: "administrators", late: "ticket", flips: "ticket", check: "chat", signin: "sign-in", code: "sign-in", mail: "person", person: "person", admins: "administrators" },
};
const OUTCOMES = {
  ru: {
    shown: "показано", told: "сообщено", accepted: "принято почтой", packed: "собрано", stored: "сохранено", failed: "не удалось", refused: "не принято", nobody: "такого адреса нет",
    found: "найден", "still there": "всё ещё работает", gone: "больше не работает", blocked: "чат закрыт", dropped: "отменено", absent: "в справочнике нет", sent: "отправлено", received: "получено",
    grace: "справочник не ответил", unverified: "справочник не ответил", "not theirs any more": "чат уже не его", "not wanted": "уже не нужно", number: "ждёт номера",
  },
  en: { number: "waits for the number" },
};
const ASIDE = {
  ru: {
    returned: "Отчёт о недоставке, и он не называет ни одной заявки.",
    unreadable: "Письмо не удалось прочитать.",
    unbound: "Непонятно, к какой заявке относится письмо. Ни один статус не изменён.",
    unproven: "Не доказано, что письмо от поддержки. Ни один статус не изменён.",
  },
  en: {
    returned: "It reports that a letter was not delivered, and names none of a request.",
    unreadable: "The letter could not be read.",
    unbound: "It does not say which request it is about. No status was changed.",
    unproven: "Nothing proves that it is from the helpdesk. No status was changed.",
  },
};
const WHY = [
  ["returned", /was not delivered/],
  ["unreadable", /could not be read|internal error|without an answer/],
  ["unbound", /\b(requests?|token|numbers?|answers a letter)\b/],
];
const OURS = new Set(["message_id", "mail", "asked", "how", "letter", "what", "old", "new"]); // of use to imbot alone

export const kindWords = (kind) => KINDS[lang][kind] ?? kind;

export function laneWords(lane, state) {
  const [kind, ...rest] = lane.replace(/^receipts\/[^:]*/, "receipts").split(":"); // of one ticket, and told as the chat's
  const who = rest.at(-1) ?? "";
  const name = state.tickets.find((one) => one.id === who)?.title ?? nameOf(who, state) ?? (who.includes("@") ? who : kind === "mail" || kind === "person" ? `№ ${who}` : "");
  return LANES[lang][kind] ? [LANES[lang][kind], name].filter(Boolean).join(": ") : lane;
}

function nameOf(who, state) {
  const person = state.persons.find((one) => String(one.chat) === who || one.address === who);
  return person && words.person(person);
}

// "accepted: 250 OK" -> "принято почтой: 250 OK"
export function outcomeWords(text) {
  const [head, ...rest] = text.split(":");
  const known = OUTCOMES[lang][head];
  return known ? [known, head === "number" ? "" : rest.join(":").trim()].filter(Boolean).join(": ") : text;
}

// Why a letter was set aside, in a sentence.
export const asideWords = (reason) => ASIDE[lang][WHY.find(([, sign]) => sign.test(reason))?.[0] ?? "unproven"];

// What an entry of the history says, each thing once: nothing that only imbot can read.
export function plainWords(values) {
  const told = Object.entries(values)
    .flatMap(([name, value]) => (OURS.has(name) ? [] : Array.isArray(value) ? value : [value]))
    .filter((value) => ["string", "number"].includes(typeof value) && value !== "" && !/^person:\d+$/.test(value))
    .map((value) => (/^\d{4}-\d\d-\d\dT/.test(value) ? moment(value) : String(value).replace(/^cli:/, "")));
  return [...new Set(told)];
}
