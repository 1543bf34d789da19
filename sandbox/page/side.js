// The world beside Slack: the story, the tickets, the switches that break things, what Slack has counted.

import { h } from "./dom.js";

const FAULTS = {
  jira_down: ["switch", "Jira is down"],
  jira_lag_s: ["number", "Jira finds new tickets after (s)", 30],
  jira_timeout_after_create: ["count", "Jira creates, then times out", 1],
  jira_429: ["count", "Jira says “slow down”", 3],
  confluence_down: ["switch", "Confluence is down"],
  confluence_conflict: ["count", "Confluence: somebody edits at the same time", 1],
  confluence_lost: ["count", "Confluence makes a page, its answer gets lost", 1],
  mail_down: ["switch", "Mail is down"],
  mail_lost: ["count", "Mail is taken, the answer gets lost", 1],
  slack_retry: ["switch", "Slack delivers everything three times"],
  slack_429: ["count", "Slack says “slow down”", 3],
  slack_down: ["switch", "Slack is down for us"],
  slack_lost: ["count", "Slack's answers get lost", 1],
  phones_offline: ["switch", "Phones are offline"],
};
const at = (id) => document.getElementById(id);
let last = "";

export function showSide(state, send) {
  const text = JSON.stringify([state.story, state.jira, state.pages, state.mails, state.faults, state.counts]);
  if (text === last) return;
  last = text;
  story(state.story);
  tickets(state.jira);
  pages(state.pages);
  mails(state.mails);
  at("faults").replaceChildren(...Object.entries(FAULTS).filter(([name]) => name in state.faults).map(([name, fault]) => control(name, fault, state.faults[name], send)));
  at("counts").replaceChildren(...Object.entries(state.counts).flatMap(([name, count]) => [h("dt", {}, name), h("dd", {}, String(count))]));
}

function story(steps) {
  const place = at("story");
  place.replaceChildren(...(steps.length ? steps.map((step, index) => h("li", { class: index === steps.length - 1 ? "here" : "" }, h("strong", {}, step.title), h("p", {}, step.text))) : [h("li", { class: "quiet" }, "No tour is playing. Type a command, break something, see what happens.")]));
  place.lastElementChild?.scrollIntoView({ block: "nearest" });
}

function tickets(issues) {
  at("jira-count").textContent = issues.length ? `${issues.length} ${issues.length === 1 ? "ticket" : "tickets"}` : "";
  at("jira").replaceChildren(...(issues.length ? issues.map((issue) => h("li", {},
    h("a", { href: issue.url, target: "_blank", rel: "noreferrer" }, issue.key), " ", h("span", { class: "status" }, issue.status),
    h("p", {}, issue.summary), issue.comments ? h("small", {}, `${issue.comments} ${issue.comments === 1 ? "comment" : "comments"}`) : null)) : [h("li", { class: "quiet" }, "No tickets yet.")]));
}

function pages(found) {
  at("pages").replaceChildren(...(found.length ? found.map((page) => h("li", {},
    h("a", { href: page.url, target: "_blank", rel: "noreferrer" }, page.title), " ", h("small", {}, `version ${page.version}`))) : [h("li", { class: "quiet" }, "No pages yet.")]));
}

function mails(found) {
  at("mails").replaceChildren(...(found.length ? found.map((mail) => h("li", {},
    h("a", { href: mail.url, target: "_blank", rel: "noreferrer" }, mail.subject), " ", h("small", {}, mail.to))) : [h("li", { class: "quiet" }, "No mail yet.")]));
}

function control(name, [kind, words, amount], value, send) {
  if (kind === "switch") return h("label", { class: "fault" }, h("input", { type: "checkbox", checked: Boolean(value), onchange: (event) => send.fault(name, event.target.checked) }), words);
  const on = Number(value) > 0;
  return h("div", { class: "fault" },
    h("button", { type: "button", class: on ? "danger small" : "small", onclick: () => send.fault(name, on ? 0 : amount) }, on ? "stop" : kind === "number" ? `${amount} s` : `next ${amount}`),
    h("span", {}, on ? `${words}: ${value}` : words));
}
