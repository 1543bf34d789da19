// Modals as Slack shows them: fill, submit, see each mistake beside its field.

import { blocks } from "./blocks.js";
import { h } from "./dom.js";
import { plain } from "./mrkdwn.js";

const dialog = document.getElementById("modal");
let shown = "";

export function showModal(open, world, send) {
  if (!open) {
    shown = "";
    if (dialog.open) dialog.close();
    return;
  }
  const key = JSON.stringify(open.view);
  if (key === shown && dialog.open) return;
  shown = key;
  const { view } = open;
  const mistakes = h("p", { class: "mistake", role: "alert" });
  const form = h("form", { method: "dialog" },
    h("header", {}, h("h2", {}, plain(view.title.text)), h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => send.close(open.id) }, "✕")),
    h("div", { class: "body" }, ...blocks(view.blocks, world)), mistakes,
    h("footer", {},
      h("button", { type: "button", onclick: () => send.close(open.id) }, plain(view.close?.text || "Close")),
      view.submit && h("button", { type: "submit", class: "primary" }, plain(view.submit.text))));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const each of form.querySelectorAll(".mistake")) each.textContent = "";
    const reply = await send.submit(open.id, values(form, view));
    const errors = reply.body?.errors || reply.errors || {};
    for (const [block, words] of Object.entries(errors)) {
      const place = form.querySelector(`[data-block="${CSS.escape(block)}"] .mistake`) || mistakes;
      place.textContent = words;
    }
    if (!reply.ok && !Object.keys(errors).length) mistakes.textContent = reply.error || "Slack could not reach the app.";
  });
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  form.querySelector(".input input, .input textarea, .input select")?.focus();
}

dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  dialog.querySelector("header button")?.click();
});

export function values(form, view) {
  const all = {};
  for (const block of view.blocks) {
    const each = block.element;
    if (block.type !== "input" || !each) continue;
    all[block.block_id] = { [each.action_id]: value(form, each, block.block_id) };
  }
  return all;
}

function value(form, each, block) {
  const scope = form.querySelector(`[data-block="${CSS.escape(block)}"]`);
  const chosen = (wanted) => [...(each.options || (each.option_groups || []).flatMap((group) => group.options))].filter((option) => wanted.includes(option.value));
  if (each.type === "checkboxes" || each.type === "radio_buttons") {
    const ticked = [...scope.querySelectorAll("input:checked")].map((input) => input.value);
    return each.type === "checkboxes" ? { type: each.type, selected_options: chosen(ticked) } : { type: each.type, selected_option: chosen(ticked)[0] || null };
  }
  const typed = scope.querySelector("input, textarea, select").value;
  if (each.type === "static_select") return { type: each.type, selected_option: chosen([typed])[0] || null };
  if (each.type === "users_select") return { type: each.type, selected_user: typed || null };
  if (each.type === "conversations_select") return { type: each.type, selected_conversation: typed || null };
  if (each.type === "channels_select") return { type: each.type, selected_channel: typed || null };
  if (each.type === "datepicker") return { type: each.type, selected_date: typed || null };
  return { type: each.type, value: typed || null };
}

export function ask(confirm) {
  const box = document.getElementById("confirm");
  return new Promise((resolve) => {
    const answer = (yes) => { box.close(); resolve(yes); };
    box.replaceChildren(h("form", { method: "dialog" }, h("header", {}, h("h2", {}, plain(confirm.title.text))),
      h("div", { class: "body" }, h("p", {}, plain(confirm.text.text))),
      h("footer", {}, h("button", { type: "button", onclick: () => answer(false) }, plain(confirm.deny.text)),
        h("button", { type: "button", class: confirm.style || "primary", onclick: () => answer(true) }, plain(confirm.confirm.text)))));
    box.oncancel = () => resolve(false);
    box.showModal();
  });
}
