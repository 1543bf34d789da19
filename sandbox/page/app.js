// The sandbox's page: a workspace to type in, and the world outside beside it. All state is the server's.

import { blocks } from "./blocks.js";
import { h } from "./dom.js";
import { ask, showModal } from "./modal.js";
import { mrkdwn } from "./mrkdwn.js";
import { showSide } from "./side.js";

const BOT = "U0MUSTER";
const HINTS = ["help", "feedback kws by=chipset", "poll list", "poll create", "model list", "status", "release list", "ticket list", "digest preview", "doctor"];
const at = (id) => document.getElementById(id);
const view = { person: null, channel: null, thread: null, tab: "messages", past: [], place: 0, drawn: {} };
let state = null;

async function post(path, body) {
  const reply = await fetch(`sandbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return reply.json();
}

const send = {
  say: (text, thread) => post("say", { user: view.person, channel: view.channel, text, ...(thread ? { thread_ts: thread } : {}) }),
  submit: (id, values) => post("submit", { user: view.person, view_id: id, values }),
  close: (id) => post("close", { user: view.person, view_id: id }),
  fault: (name, value) => post("faults", { [name]: value }),
};

async function refresh() {
  state = await (await fetch("sandbox/state")).json();
  view.person ||= state.users.find((user) => user.id !== BOT)?.id;
  view.channel ||= state.channels[0]?.id;
  draw();
}

function listen() {
  let busy = false, again = false;
  const changed = async () => {
    if (busy) { again = true; return; }
    busy = true;
    do { again = false; await refresh().catch(() => {}); await new Promise((done) => setTimeout(done, 80)); } while (again);
    busy = false;
  };
  new EventSource("sandbox/events").onmessage = changed;
  setInterval(tick, 1000);
}

function tick() {
  if (!state) return;
  const now = new Date(Date.parse(state.clock) + (performance.now() - view.read) * (state.rate ?? 1));
  at("clock").textContent = now.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" }) + " UTC";
}

function names() {
  const users = Object.fromEntries(state.users.map((user) => [user.id, user.name]));
  return { users: { [BOT]: "Muster", USLACKBOT: "Slackbot", ...users }, channels: Object.fromEntries(state.channels.map((channel) => [channel.id, channel.name])) };
}

function draw() {
  view.read = performance.now();
  tick();
  drawRail();
  drawTitle();
  drawMessages();
  drawThread();
  const mine = state.views.filter((each) => each.user === view.person);
  showModal(mine.at(-1), world((element, block, chosen) => click({ view_id: mine.at(-1).id }, element, block, chosen)), send);
  showSide(state, send, names());
}

function world(act) {
  return { names: names(), act };
}

async function click(where, element, block, chosen) {
  if (element.confirm && !(await ask(element.confirm))) return;
  const reply = await post("click", { user: view.person, block_id: block.block_id, action_id: element.action_id, ...(chosen ? { selected: chosen } : {}), ...where });
  acknowledged(reply);
}

function acknowledged(reply) {
  at("ack").textContent = reply.ok ? (reply.ack_ms ? `acknowledged in ${Math.round(reply.ack_ms)} ms` : "") : `not acknowledged: ${reply.error || JSON.stringify(reply.body) || reply.status}`;
  at("ack").className = reply.ok ? "" : "bad";
}

function drawRail() {
  const person = at("person");
  const people = state.users.filter((user) => user.id !== BOT);
  same("people", people, () => person.replaceChildren(...people.map((user) => h("option", { value: user.id }, user.title ? `${user.name}, ${user.title}` : user.name))));
  person.value = view.person;
  const open = (channel) => h("li", {}, h("button", { class: channel.id === view.channel ? "plain here" : "plain", onclick: () => go(channel.id) }, channel.label, unread(channel.id)));
  const own = state.channels.filter((channel) => channel.kind === "im" && belongs(channel));
  at("channels").replaceChildren(...state.channels.filter((channel) => channel.kind !== "im").map((channel) => open({ ...channel, label: `# ${channel.name}` })));
  at("ims").replaceChildren(...own.map((channel) => open({ ...channel, label: "● Muster" })));
}

function belongs(channel) {
  return channel.id === `D0${view.person.slice(2)}` || channel.user === view.person;
}

function unread(channel) {
  const seen = view.drawn[`seen ${channel} ${view.person}`] || 0;
  const fresh = visible(channel).filter((message) => Number(message.ts) > seen && message.user === BOT).length;
  return fresh && channel !== view.channel ? h("b", { class: "unread" }, String(fresh)) : null;
}

function go(channel) {
  Object.assign(view, { channel, thread: null, tab: "messages" });
  draw();
}

function drawTitle() {
  const channel = state.channels.find((each) => each.id === view.channel);
  const title = at("title");
  title.querySelector("h1").textContent = channel.kind === "im" ? "Muster" : `#${channel.name}`;
  title.querySelector("p").textContent = state.delivery === "socket" ? "delivered by Socket Mode" : "delivered by signed HTTP";
  const tab = (name, words) => h("button", { role: "tab", class: view.tab === name ? "plain here" : "plain", onclick: () => { view.tab = name; if (name === "home") post("home", { user: view.person }); draw(); } }, words);
  at("tabs").replaceChildren(...(channel.kind === "im" ? [tab("home", "Home"), tab("messages", "Messages")] : []));
}

function visible(channel) {
  return state.messages.filter((message) => message.channel === channel && (!message.ephemeral_to || message.ephemeral_to === view.person));
}

function drawMessages() {
  const place = at("messages");
  const all = visible(view.channel);
  view.drawn[`seen ${view.channel} ${view.person}`] = Math.max(0, ...all.map((message) => Number(message.ts)));
  const home = view.tab === "home" ? state.homes[view.person] : null;
  const shown = all.filter((message) => !message.thread_ts || message.thread_ts === message.ts || message.broadcast);
  same("messages", [view.channel, view.person, view.tab, home, all], () => {
    const low = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
    if (view.tab === "home") place.replaceChildren(home ? h("div", { class: "home" }, ...blocks(home.blocks, world((element, block, chosen) => click({ view_id: home.id }, element, block, chosen)))) : h("p", { class: "empty" }, "Opening…"));
    else place.replaceChildren(...(shown.length ? shown.map((message) => drawn(message, all)) : [h("p", { class: "empty" }, `Nothing here yet. Try ${state.command} help.`)]));
    if (low) place.scrollTop = place.scrollHeight;
  });
}

function drawn(message, all, inThread = false) {
  const replies = all.filter((each) => each.thread_ts === message.ts && each.ts !== message.ts);
  const bot = message.user === BOT;
  const name = names().users[message.user] || message.user;
  const act = (element, block, chosen) => click({ channel: message.channel, ts: message.ts }, element, block, chosen);
  return h("article", { class: message.ephemeral_to ? "message private" : "message", "data-ts": message.ts },
    h("span", { class: bot ? "face bot" : "face", "aria-hidden": true }, name[0]),
    h("div", { class: "grow" },
      h("header", {}, h("strong", {}, name), bot && h("small", { class: "app" }, "APP"), h("time", {}, time(message.ts)), message.edited && h("small", {}, "(edited)"),
        h("button", { class: "plain tool", title: "Reply in thread", onclick: () => openThread(message.thread_ts || message.ts) }, "↩ reply"),
        h("button", { class: "plain tool", title: "Message shortcut", onclick: () => post("shortcut", { user: view.person, callback_id: "make_regression", channel: message.channel, ts: message.ts }).then(acknowledged) }, "⚑ regression")),
      message.ephemeral_to && h("p", { class: "only" }, "Only visible to you"),
      message.blocks.length ? blocks(message.blocks, world(act)) : mrkdwn(message.text, names()),
      ...(message.files || []).map((file) => h("a", { href: file.url_private, target: "_blank" }, file.name || file.title)),
      !inThread && replies.length > 0 && h("button", { class: "plain replies", onclick: () => openThread(message.ts) }, `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`)));
}

function time(ts) {
  return new Date(Number(ts) * 1000).toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
}

function openThread(ts) {
  view.thread = ts;
  draw();
}

function drawThread() {
  at("thread").hidden = !view.thread;
  if (!view.thread) return;
  const all = visible(view.channel);
  const shown = all.filter((message) => message.ts === view.thread || message.thread_ts === view.thread);
  same("thread", [view.thread, view.person, shown], () => {
    at("replies").replaceChildren(...shown.map((message) => drawn(message, all, true)));
    at("replies").scrollTop = at("replies").scrollHeight;
  });
}

// Draw again only what changed, so that nobody's selection or half-typed answer is lost.
function same(name, value, make) {
  const text = JSON.stringify(value);
  if (view.drawn[name] === text) return;
  view.drawn[name] = text;
  make();
}

function typed(event) {
  const line = at("line");
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    view.place = Math.max(0, Math.min(view.past.length, view.place + (event.key === "ArrowUp" ? -1 : 1)));
    line.value = view.past[view.place] ?? "";
    event.preventDefault();
  }
}

at("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = at("line"), text = line.value.trim();
  if (!text) return;
  view.past.push(text);
  view.place = view.past.length;
  line.value = "";
  acknowledged(await send.say(text));
});
at("line").addEventListener("keydown", typed);
at("reply").addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = at("reply").querySelector("input"), text = line.value.trim();
  if (text) acknowledged(await send.say(text, view.thread));
  line.value = "";
});
at("close-thread").addEventListener("click", () => openThread(null));
at("person").addEventListener("change", (event) => {
  const wasIm = state.channels.find((channel) => channel.id === view.channel)?.kind === "im";
  view.person = event.target.value;
  view.thread = null;
  if (wasIm) view.channel = `D0${view.person.slice(2)}`;
  draw();
});

await refresh();
at("hints").replaceChildren(...HINTS.map((hint) => h("button", { type: "button", class: "plain hint", onclick: () => { at("line").value = `${state.command} ${hint}`; at("line").focus(); } }, hint)));
listen();
document.body.dataset.ready = "yes";
