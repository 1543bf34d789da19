// Block Kit as elements. `world` gives names and what to do on a click: {names, act(element, block, chosen)}.

import { chart } from "./charts.js";
import { h } from "./dom.js";
import { mrkdwn, plain } from "./mrkdwn.js";

export function blocks(list, world) {
  return list.map((block) => (BLOCKS[block.type] || unknown)(block, world));
}

const BLOCKS = {
  header: (block) => h("h3", { class: "header" }, plain(block.text.text)),
  divider: () => h("hr"),
  section: (block, world) => h("div", { class: "section" },
    h("div", { class: "grow" },
      block.text && text(block.text, world),
      block.fields && h("div", { class: "fields" }, ...block.fields.map((field) => text(field, world)))),
    block.accessory && element(block.accessory, block, world)),
  context: (block, world) => h("div", { class: "context" }, ...block.elements.map((each) => (each.type === "image" ? image(each) : text(each, world)))),
  actions: (block, world) => h("div", { class: "actions" }, ...block.elements.map((each) => element(each, block, world))),
  image: (block) => h("figure", {}, block.title && plain(block.title.text), image(block)),
  markdown: (block, world) => mrkdwn(block.text.replace(/\*\*(.+?)\*\*/g, "*$1*"), world.names),
  rich_text: (block, world) => h("div", { class: "mrkdwn" }, ...block.elements.map((each) => rich(each, world))),
  table: (block, world) => table(block.rows, "", world),
  data_table: (block, world) => table(block.rows, block.caption, world),
  data_visualization: (block) => chart(block),
  alert: (block, world) => h("div", { class: `alert ${block.level || "info"}` }, text(block.text, world)),
  input: (block, world) => h("label", { class: "input", "data-block": block.block_id },
    h("span", {}, plain(block.label.text), block.optional && h("small", {}, " (optional)")),
    element(block.element, block, world),
    block.hint && h("small", {}, plain(block.hint.text)),
    h("em", { class: "mistake", role: "alert" })),
};

function unknown(block) {
  return h("pre", {}, JSON.stringify(block, null, 1));
}

function text(object, world) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, world.names) : h("div", { class: "mrkdwn" }, plain(object.text));
}

function image(object) {
  return h("img", { src: object.image_url, alt: object.alt_text });
}

function rich(part, world) {
  if (part.type === "text") return part.text;
  if (part.type === "link") return h("a", { href: part.url, target: "_blank", rel: "noreferrer" }, part.text || part.url);
  if (part.type === "user") return h("span", { class: "mention" }, "@" + (world.names.users[part.user_id] || part.user_id));
  const tags = { rich_text_list: "ul", rich_text_quote: "blockquote", rich_text_preformatted: "pre" };
  return h(tags[part.type] || "div", {}, ...(part.elements || []).map((each) => rich(each, world)));
}

function table(rows, caption, world) {
  const [head, ...body] = rows;
  const numeric = (cell) => (cell.type === "raw_number" || /^[−+-]?[\d\s .,]+[^a-z]*$/i.test(cell.text || "") ? "number" : "");
  const cell = (tag) => (each) => h(tag, { class: numeric(each) }, each.elements ? rich(each, world) : plain(String(each.text ?? each.value ?? "")));
  return h("div", { class: "scroll" }, h("table", {}, caption && h("caption", {}, plain(caption)),
    h("thead", {}, h("tr", {}, ...head.map(cell("th")))), h("tbody", {}, ...body.map((row) => h("tr", {}, ...row.map(cell("td")))))));
}

function element(object, block, world) {
  return (ELEMENTS[object.type] || unknown)(object, block, world);
}

const acting = (object, block, world, chosen) => world.act(object, block, chosen);

const ELEMENTS = {
  button: (object, block, world) => (object.url
    ? h("a", { class: `button ${object.style || ""}`, href: object.url, target: "_blank", rel: "noreferrer", onclick: () => acting(object, block, world) }, plain(object.text.text))
    : h("button", { type: "button", class: object.style || "", onclick: () => acting(object, block, world) }, plain(object.text.text))),
  image,
  plain_text_input: (object) => h(object.multiline ? "textarea" : "input", { name: object.action_id, "data-type": object.type, placeholder: object.placeholder && plain(object.placeholder.text), maxlength: object.max_length, rows: object.multiline ? 4 : undefined, value: object.multiline ? undefined : object.initial_value }, object.multiline && object.initial_value ? object.initial_value : null),
  number_input: (object) => h("input", { name: object.action_id, "data-type": object.type, inputmode: "decimal", value: object.initial_value, placeholder: object.placeholder && plain(object.placeholder.text) }),
  datepicker: (object) => h("input", { type: "date", name: object.action_id, "data-type": object.type, value: object.initial_date }),
  static_select: (object, block, world) => select(object, block, world, object.options || (object.option_groups || []).flatMap((group) => group.options)),
  users_select: (object, block, world) => select(object, block, world, Object.entries(world.names.users).map(([id, name]) => ({ value: id, text: { text: name } }))),
  conversations_select: (object, block, world) => select(object, block, world, channels(world)),
  channels_select: (object, block, world) => select(object, block, world, channels(world)),
  overflow: (object, block, world) => select({ ...object, placeholder: { text: "⋯" } }, block, world, object.options),
  radio_buttons: (object, block, world) => choices(object, block, world, "radio"),
  checkboxes: (object, block, world) => choices(object, block, world, "checkbox"),
};

function channels(world) {
  return Object.entries(world.names.channels).map(([id, name]) => ({ value: id, text: { text: "#" + name } }));
}

function select(object, block, world, options) {
  const first = object.initial_option?.value ?? object.initial_user ?? object.initial_conversation ?? object.initial_channel ?? "";
  return h("select", { name: object.action_id, "data-type": object.type, onchange: (event) => block.type !== "input" && event.target.value && acting(object, block, world, event.target.value) },
    h("option", { value: "" }, plain(object.placeholder?.text || "Choose…")),
    ...options.map((option) => h("option", { value: option.value, selected: option.value === first }, plain(option.text.text))));
}

function choices(object, block, world, type) {
  const chosen = new Set((object.initial_options || [object.initial_option]).filter(Boolean).map((option) => option.value));
  return h("span", { class: "choices", "data-type": object.type, "data-name": object.action_id },
    ...object.options.map((option) => h("label", {}, h("input", { type, name: object.action_id, value: option.value, checked: chosen.has(option.value), onchange: () => block.type !== "input" && acting(object, block, world, option.value) }), " ", plain(option.text.text))));
}
