// Slack's data_visualization as SVG: bars, lines and areas drawn alike, pies as shares.

import { h, svg } from "./dom.js";

const COLORS = ["#1f6feb", "#d9822b", "#2b9a66", "#8e4ec6", "#c2314f", "#6b7280"];
const WIDTH = 560, PLOT = 156, LEFT = 48, TOP = 12, LETTER = 6.2;

export function chart(block) {
  const { type, series = [], segments, axis_config: axis = {} } = block.chart;
  const body = type === "pie" ? pie(segments || []) : plot(type, series, axis);
  const legend = series.length > 1 ? h("figcaption", {}, ...series.map((one, index) => h("span", {}, swatch(index), one.name))) : null;
  return h("figure", { class: "chart" }, h("strong", {}, block.title), body, legend);
}

function plot(type, series, axis) {
  const labels = axis.categories || (series[0]?.data || []).map((point) => point.label);
  const values = series.flatMap((one) => one.data.map((point) => point.value));
  const top = nice(Math.max(...values, 0)), low = Math.min(0, ...values);
  const y = (value) => TOP + PLOT * (1 - (value - low) / (top - low || 1));
  const step = (WIDTH - LEFT) / Math.max(labels.length, 1);
  const longest = Math.max(...labels.map((label) => label.length), 0) * LETTER;
  const tilt = longest > step;
  const height = TOP + PLOT + (tilt ? 14 + Math.min(longest, 130) * 0.6 : 24);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": say(labels, series) });
  for (let tick = 0; tick <= 4; tick += 1) {
    const value = low + ((top - low) * tick) / 4;
    picture.append(svg("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" }));
    picture.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  labels.forEach((label, index) => picture.append(named(label, LEFT + step * (index + 0.5), tilt)));
  series.forEach((one, index) => (type === "bar" ? bars : line)(picture, one, index, series.length, step, y, low));
  return picture;
}

function bars(picture, one, index, count, step, y, low) {
  const width = (step * 0.7) / count;
  one.data.forEach((point, place) => {
    const x = LEFT + step * place + step * 0.15 + width * index;
    const bar = svg("rect", { x, y: y(point.value), width: Math.max(width - 1, 1), height: Math.max(y(low) - y(point.value), 0.5), rx: 2, fill: COLORS[index] });
    bar.append(svg("title", {}, `${point.label}: ${short(point.value)}`));
    picture.append(bar);
  });
}

function line(picture, one, index, _count, step, y) {
  const points = one.data.map((point, place) => `${LEFT + step * (place + 0.5)},${y(point.value)}`).join(" ");
  picture.append(svg("polyline", { points, fill: "none", stroke: COLORS[index], "stroke-width": 2 }));
}

function pie(segments) {
  const total = segments.reduce((sum, each) => sum + each.value, 0) || 1;
  return h("ul", {}, ...segments.map((each, index) => h("li", {}, swatch(index), `${each.label}: ${Math.round((100 * each.value) / total)} %`)));
}

function named(label, x, tilt) {
  const y = TOP + PLOT + 14;
  return svg("text", tilt ? { x, y, "text-anchor": "end", transform: `rotate(-35 ${x} ${y})` } : { x, y, "text-anchor": "middle" }, label);
}

function swatch(index) {
  return h("i", { class: "swatch", style: `background:${COLORS[index % COLORS.length]}` });
}

function nice(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * unit).find((each) => each >= value);
}

function short(value) {
  return Number(value.toPrecision(3)).toString();
}

function say(labels, series) {
  return series.map((one) => `${one.name}: ${labels.map((label, place) => `${label} ${short(one.data[place]?.value ?? 0)}`).join(", ")}`).join("; ");
}
