// Slack's mrkdwn as elements. `names` tells people and channels: {users: {id: name}, channels: {id: name}}.

import { h } from "./dom.js";

const INLINE = [
  [/```\n?([\s\S]+?)```/, (match) => h("pre", {}, plain(match[1]))],
  [/`([^`\n]+)`/, (match) => h("code", {}, plain(match[1]))],
  [/<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>/, link],
  [/(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])/, (match, names) => h("strong", {}, ...inline(match[1], names))],
  [/(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])/, (match, names) => h("em", {}, ...inline(match[1], names))],
  [/(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])/, (match, names) => h("s", {}, ...inline(match[1], names))],
];

export function mrkdwn(text, names) {
  const parts = text.split(/(```[\s\S]+?```)/);
  return h("div", { class: "mrkdwn" }, ...parts.flatMap((part) => (part.startsWith("```") ? inline(part, names) : lines(part, names))));
}

export function plain(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function lines(text, names) {
  return text.split("\n").flatMap((line, index) => {
    const shown = line.startsWith("&gt;") ? [h("blockquote", {}, ...inline(line.slice(4).trim(), names))] : inline(line, names);
    return index && !line.startsWith("&gt;") ? [h("br"), ...shown] : shown;
  });
}

function inline(text, names) {
  let first = null;
  for (const [pattern, make] of INLINE) {
    const match = pattern.exec(text);
    if (match && (!first || match.index < first.match.index)) first = { match, make };
  }
  if (!first) return text ? [plain(text)] : [];
  const { match, make } = first;
  const after = text.slice(match.index + match[0].length);
  return [...inline(text.slice(0, match.index), names), make(match, names), ...inline(after, names)];
}

function link(match, names) {
  const [, target, label] = match;
  if (target.startsWith("@")) return h("span", { class: "mention" }, "@" + (label || names.users[target.slice(1)] || target.slice(1)));
  if (target.startsWith("#")) return h("span", { class: "mention" }, "#" + (label || names.channels[target.slice(1)] || target.slice(1)));
  if (target.startsWith("!date")) return plain(label || target);
  if (target.startsWith("!")) return h("span", { class: "mention loud" }, "@" + target.slice(1));
  if (!/^(https?:|mailto:)/.test(target)) return plain(match[0]);
  return h("a", { href: plain(target), target: "_blank", rel: "noreferrer" }, plain(label || target));
}
