// Words, and plots of an hour. A plot is one SVG with an area and a line; gaps in time stay gaps.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null) continue;
    if (key === "text") node.textContent = value;
    else if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return (unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)) + " " + units[unit];
}

const perSecond = (value) => bytes(value) + "/s";
const cpus = (value) => value.toFixed(value < 10 ? 2 : 1) + " CPU";

function ago(from, to) {
  const seconds = Math.max(0, Math.round((to - from) / 1000));
  if (seconds < 90) return seconds + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  if (seconds < 129600) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86400) + " d";
}

const HOUR = 3600;
const WIDTH = 360;
const HEIGHT = 100;
// Longer than this between two points, in seconds, and nothing is known of the time between.
const GAP = 35;

function paths(points, value, begin, top) {
  let line = "", area = "", run = [];
  const close = () => {
    if (run.length === 0) return;
    if (run.length === 1) run.push([run[0][0] + 1, run[0][1]]);
    const text = run.map(([x, y]) => x.toFixed(1) + " " + y.toFixed(1)).join("L");
    line += "M" + text;
    area += "M" + run[0][0].toFixed(1) + " " + HEIGHT + "L" + text + "L" + run[run.length - 1][0].toFixed(1) + " " + HEIGHT + "Z";
    run = [];
  };
  let last = 0;
  for (const point of points) {
    if (point.at < begin) continue;
    if (last && point.at - last > GAP) close();
    last = point.at;
    run.push([(point.at - begin) / HOUR * WIDTH, HEIGHT - 4 - value(point) / top * (HEIGHT - 8)]);
  }
  close();
  return { line, area };
}

// `lines` are functions of a point; the first has an area. `top` is the least upper end of the scale.
function plot(title, points, lines, format, now, top) {
  const begin = now / 1000 - HOUR;
  const seen = points.filter((point) => point.at >= begin);
  let most = top;
  for (const point of seen) for (const line of lines) most = Math.max(most, line.value(point));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 " + WIDTH + " " + HEIGHT);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "plot");
  svg.setAttribute("role", "img");
  const last = seen[seen.length - 1];
  const words = lines.map((line) => (line.name ? line.name + " " : "") + (last ? format(line.value(last)) : "–")).join(" · ");
  svg.setAttribute("aria-label", title + ", last hour: now " + words + ", at most " + format(most));
  lines.forEach((line, index) => {
    const path = paths(seen, line.value, begin, most || 1);
    const draw = (kind, data) => {
      const node = document.createElementNS(SVG, "path");
      node.setAttribute("class", kind + (index ? " second" : ""));
      node.setAttribute("d", data);
      svg.append(node);
    };
    if (index === 0) draw("area", path.area);
    draw("line", path.line);
  });
  return el("figure", {},
    el("figcaption", {}, el("span", { text: title }), el("b", { text: words })),
    svg,
    el("div", { class: "scale" }, el("span", { text: "1 h ago" }), el("span", { text: "top " + format(most) }), el("span", { text: "now" })));
}

const CPU = { value: (point) => point.cpuMillis / 1000 };
const MEMORY = { value: (point) => point.memoryKib * 1024 };

function plotsOf(points, now, of) {
  const plots = [
    plot("CPU", points, [CPU], cpus, now, of.cpus || 0.1),
    plot("Memory", points, [MEMORY], bytes, now, of.memory || 1048576),
  ];
  if (of.traffic) {
    plots.push(
      plot("Network", points, [{ name: "in", value: (p) => p.rxBytes }, { name: "out", value: (p) => p.txBytes }], perSecond, now, 1024),
      plot("Disk", points, [{ name: "read", value: (p) => p.readBytes }, { name: "write", value: (p) => p.writtenBytes }], perSecond, now, 1024));
  }
  return plots;
}
