// Asks the agent and shows what it says. The event stream gives the tasks and then everything that happens; the rest
// is asked now and then, and soon after something has happened.
"use strict";

const MOST_EVENTS = 200;
const PACE = 5000;
const $ = (id) => document.getElementById(id);
const tasks = new Map();
const events = [];
const open = new Set();
let usage = null;
let last = 0;
let soon = null;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", headers: { accept: "application/json" } });
  if (!answer.ok) throw Object.assign(new Error(path + ": " + answer.status), { status: answer.status });
  return answer.json();
}

const time = (text) => new Date(text).getTime();
const clock = (text) => new Date(text).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });

function stateOf(task) {
  if (task.status === "RUNNING" && task.converged) return "good";
  if (task.status === "STOPPED") return task.end && task.end.outcome === "FAILED" ? "bad" : "";
  return "warn";
}

function fill(id, nodes, none) {
  const place = $(id);
  if (nodes.length === 0 && none) nodes = [el("li", { class: "none", text: none })];
  place.replaceChildren(...nodes);
}

function row(task) {
  const now = usage && usage.tasks.find((one) => one.taskArn === task.taskArn);
  const id = "task-" + task.taskId;
  const shown = open.has(task.taskId);
  const button = el("button", {
    class: "task", type: "button", id, "aria-expanded": String(shown), "aria-controls": id + "-detail",
    onclick: () => toggle(task.taskId),
  },
    el("span", { class: "state " + stateOf(task), text: task.status.toLowerCase() }),
    el("span", { class: "name" }, task.family + (task.revision ? ":" + task.revision : "") + " ", el("span", { class: "sub id", text: task.taskId.slice(0, 12) })),
    el("span", { class: "why", text: task.why }),
    el("span", { class: "num", text: now && now.rates ? cpus(now.rates.cpus) : "" }),
    el("span", { class: "num", text: now && now.containers.length ? bytes(now.memoryBytes) : "" }));
  const detail = el("div", { class: "detail", id: id + "-detail" });
  detail.hidden = !shown;
  return el("li", {}, button, detail);
}

function showTasks() {
  const list = [...tasks.values()].sort((a, b) => (a.family + a.taskId < b.family + b.taskId ? -1 : 1));
  $("tasks-count").textContent = list.length;
  const place = $("task-list");
  // Details stay where they are: only rows are made anew, and the focus is kept.
  const focus = document.activeElement && document.activeElement.id;
  const details = new Map([...place.querySelectorAll(".detail")].map((node) => [node.id, node]));
  fill("task-list", list.map((task) => {
    const item = row(task);
    const old = details.get("task-" + task.taskId + "-detail");
    if (old) { old.hidden = !open.has(task.taskId); item.lastChild.replaceWith(old); }
    return item;
  }), "No tasks yet: put a task definition into the watched directory, or use berth run.");
  if (focus && $(focus) && document.activeElement !== $(focus)) $(focus).focus({ preventScroll: true });
}

function toggle(id) {
  if (open.has(id)) open.delete(id); else open.add(id);
  // The address shows what is open last, so that it can be passed on.
  history.replaceState(null, "", open.has(id) ? "#" + id : location.pathname);
  showTasks();
  if (open.has(id)) showDetail(id);
}

function listOf(title, items) {
  return items.length ? el("div", {}, el("h3", { text: title }), el("ul", {}, ...items)) : null;
}

function container(one, failed) {
  const end = one.exit ? "exit code " + (one.exit.code ?? "unknown") + (one.exit.oomKilled ? ", out of memory" : "") : "";
  const health = one.health !== "UNKNOWN" ? one.health.toLowerCase() : "";
  const ports = one.ports.map((port) => port.hostPort + "→" + port.containerPort + "/" + port.protocol);
  const more = [one.essential ? "" : "not essential", health, one.restartCount ? one.restartCount + " restarts" : "", ...ports].filter(Boolean);
  const state = one.status === "RUNNING" ? "good" : failed && (one.reason || (one.exit && one.exit.code !== 0)) ? "bad" : "";
  return el("li", {},
    el("span", { class: "state " + state, text: one.status.toLowerCase() }), " ",
    el("b", { text: one.name }), " ", el("span", { class: "sub", text: [one.image, end, ...more].filter(Boolean).join(" · ") }),
    one.reason ? el("div", { class: failed ? "reason" : "sub", text: one.reason }) : null);
}

function condition(one) {
  return el("li", {}, el("b", { text: one.cause }), " ", one.message, el("div", { class: "sub", text: "next: " + one.nextAction }));
}

async function showDetail(id) {
  const place = $("task-" + id + "-detail");
  if (!place) return;
  try {
    const path = "/v1/tasks/" + encodeURIComponent(id);
    const [task, used] = await Promise.all([ask(path), ask(path + "/usage")]);
    const failed = !task.end || task.end.outcome === "FAILED";
    const why = task.known.stopReason || task.desired.stopReason;
    const now = time(task.now);
    place.replaceChildren(...[
      why ? el("p", { class: failed ? "reason" : "sub", text: why }) : null,
      listOf("Waits for", task.conditions.map(condition)),
      listOf("Containers", task.containers.map((one) => container(one, failed))),
      el("div", { class: "plots" }, ...plotsOf(used.history, now, { traffic: true })),
      listOf("Timeline", task.timeline.slice(-12).reverse().map((one) =>
        el("li", {}, el("time", { datetime: one.at, text: clock(one.at) }), " ", el("b", { text: one.kind }), " ", (one.container ? one.container + ": " : "") + one.message))),
    ].filter(Boolean));
  } catch (error) {
    if (error.status !== 404) place.replaceChildren(el("p", { class: "reason", text: String(error.message) }));
  }
}

function showEvents() {
  fill("timeline", events.map((one, index) =>
    el("li", { class: index === 0 && Date.now() - time(one.at) < 5000 ? "fresh" : "" },
      el("time", { datetime: one.at, text: clock(one.at) }),
      el("span", {}, el("b", { text: one.kind }), " ", one.taskId.slice(0, 12) + (one.container ? "/" + one.container : "") + " ",
        el("span", { class: "sub", text: one.message })))), "Nothing has happened yet.");
}

async function refreshTask(id) {
  try { tasks.set(id, await ask("/v1/tasks/" + encodeURIComponent(id))); }
  catch (error) { if (error.status === 404) tasks.delete(id); }
  showTasks();
  if (open.has(id)) showDetail(id);
}

function showWaiting(why) {
  const list = why.tasks.filter((task) => !task.converged || task.blocking);
  $("waiting-count").textContent = list.length + why.leftOff;
  fill("waiting", list.map((task) => el("li", {},
    el("b", { text: task.family + " " }), el("span", { class: "sub id", text: task.taskId.slice(0, 12) }), " ", task.headline,
    task.blocking ? el("div", { class: "sub", text: [task.blocking.cause, "for " + ago(time(task.blocking.since), time(why.now)), "next: " + task.blocking.nextAction].join(" · ") }) : null)),
    "Nothing: every task is where it should be.");
}

function showHealth(health) {
  $("about").textContent = "cluster " + health.cluster + " · version " + health.version + (health.engine.runtimeVersion ? " · Docker " + health.engine.runtimeVersion : "");
  fill("troubles", health.troubles.map((text) => el("li", { text })));
}

function bar(title, used, total, words) {
  return [el("dt", {}, el("span", { text: title }), el("span", { class: "sub", text: words })),
    el("dd", {}, el("progress", { max: Math.max(total, 1), value: used, "aria-label": title + ": " + words }))];
}

function showResources(all) {
  const bars = [];
  if (all.cpu.total !== undefined) bars.push(...bar("CPU reserved", all.cpu.reserved, all.cpu.total, all.cpu.reserved + " of " + all.cpu.total + " units"));
  if (all.memory.total !== undefined) bars.push(...bar("Memory reserved", all.memory.reserved, all.memory.total, all.memory.reserved + " of " + all.memory.total + " MiB"));
  if (all.disk) {
    const used = all.disk.totalBytes - all.disk.freeBytes;
    bars.push(...bar("Disk of Docker", used, all.disk.totalBytes, bytes(used) + " of " + bytes(all.disk.totalBytes) + ", images " + bytes(all.disk.imageBytes)));
  }
  $("resources").replaceChildren(...bars);
  showDisk(all.disk && all.disk.usage, time(all.now));
}

// Whose the disk is: looked at about each ten minutes, so its age is said.
function showDisk(use, now) {
  const place = $("disk");
  if (!use) { place.replaceChildren(el("p", { class: "none", text: "What takes the disk has not been looked at yet." })); return; }
  const shares = [
    ["images", use.imageBytes],
    ...use.tasks.map((task) => [(task.family || "gone") + " " + task.taskId.slice(0, 12), task.writableBytes + task.volumeBytes]),
    ["volumes of several tasks", use.sharedVolumeBytes],
    ["the agent" + (use.agentOnThisDisk ? "" : ", on another disk"), use.agentBytes],
    ["other containers", use.otherContainerBytes],
    ["other volumes", use.otherVolumeBytes],
    ["everything else", use.otherBytes],
  ];
  place.replaceChildren(
    el("ul", {}, ...shares.filter(([, size]) => size > 0).map(([owner, size]) =>
      el("li", {}, el("span", { text: owner }), el("span", { class: "num", text: bytes(size) })))),
    el("p", { class: "sub", text: "looked at " + ago(time(use.checkedAt), now) + " ago" }));
}

function showUsage(all) {
  usage = all;
  if (all.host) $("host").replaceChildren(...plotsOf(all.history, time(all.now), { cpus: all.host.cpus, memory: all.host.memoryBytes }));
  else $("host").replaceChildren(el("p", { class: "none", text: "Usage is not read." }));
  showTasks();
}

function showImages(all) {
  $("images-count").textContent = all.images.length + (all.totalBytes ? ", " + bytes(all.totalBytes) : "");
  fill("images", all.images.map((image) => el("li", {},
    el("span", { class: "id", text: image.reference }), el("span", { class: "num", text: image.sizeBytes ? bytes(image.sizeBytes) : "" }),
    el("span", { class: "sub", text: image.pull ? "being pulled: " + image.pull.state : image.kept || "may be removed by the next clean-up" }))), "None that the agent knows.");
}

const QUESTIONS = [
  ["/v1/why", showWaiting], ["/v1/health", showHealth], ["/v1/usage", showUsage],
  ["/v1/resources", showResources], ["/v1/images", showImages],
];

async function refresh() {
  soon = null;
  last = Date.now();
  await Promise.all(QUESTIONS.map(async ([path, show]) => {
    try { show(await ask(path)); } catch { /* The stream says that the agent is away. */ }
  }));
  open.forEach((id) => showDetail(id));
}

// At most twice a second, whatever happens.
function refreshSoon() {
  if (soon === null) soon = setTimeout(refresh, Math.max(50, 500 - (Date.now() - last)));
}

function live(state, text) { $("live").className = state; $("live").textContent = text; }

function listen() {
  const source = new EventSource("/v1/events?snapshot=true&follow=true");
  const told = new Map();
  const changed = new Map();
  source.addEventListener("task", (message) => { const task = JSON.parse(message.data); told.set(task.taskId, task); });
  source.addEventListener("sync", (message) => {
    showPast(JSON.parse(message.data).sequence);
    tasks.clear();
    told.forEach((task, id) => tasks.set(id, task));
    told.clear();
    live("on", "live");
    showTasks();
    refreshSoon();
  });
  source.addEventListener("event", (message) => {
    const event = JSON.parse(message.data);
    if (events.length && events[0].sequence >= event.sequence) return;
    events.unshift(event);
    events.length = Math.min(events.length, MOST_EVENTS);
    showEvents();
    if (event.kind === "Removed") {
      // It is not asked for any more: that would be answered with an error.
      clearTimeout(changed.get(event.taskId));
      changed.delete(event.taskId);
      tasks.delete(event.taskId);
      open.delete(event.taskId);
      showTasks();
    } else if (!changed.has(event.taskId)) {
      // Events of one task come in groups: one question for each group.
      changed.set(event.taskId, setTimeout(() => { changed.delete(event.taskId); refreshTask(event.taskId); }, 150));
    }
    refreshSoon();
  });
  source.addEventListener("end", () => { source.close(); live("", "catching up …"); setTimeout(listen, 1000); });
  source.onerror = () => {
    live("off", "the agent does not answer");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

// What happened before the stream began, or between two of them.
async function showPast(sequence) {
  // A log that has begun anew has nothing of what is shown.
  if (events.length && events[0].sequence > sequence) events.length = 0;
  const after = Math.max(0, sequence - MOST_EVENTS, events.length ? events[0].sequence : 0);
  try {
    if (after < sequence) take(await past(after));
  } catch {
    // The timeline begins with what comes, rather than have a hole.
    events.splice(0, Infinity, ...events.filter((event) => event.sequence > sequence));
  }
  showEvents();
}

async function past(after) {
  const answer = await fetch("/v1/events?after=" + after + "&limit=" + MOST_EVENTS, { cache: "no-store" });
  if (!answer.ok) throw new Error("events: " + answer.status);
  const lines = (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return lines.filter((line) => line.type === "event");
}

// Events that came by the stream meanwhile may be among them.
function take(more) {
  const known = new Set(events.map((event) => event.sequence));
  events.push(...more.filter((event) => !known.has(event.sequence)));
  events.sort((a, b) => b.sequence - a.sequence);
  events.length = Math.min(events.length, MOST_EVENTS);
}

// What is to be open at first; an address that somebody has typed may be no such text.
function wantedTask() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

function begin() {
  const wanted = wantedTask();
  if (wanted && !$(wanted)) open.add(wanted);
  listen();
  setInterval(() => { if (!document.hidden) refresh(); }, PACE);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });
  refresh();
}

begin();
