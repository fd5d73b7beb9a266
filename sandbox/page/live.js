// The live view: what arrives in the sandbox, as it arrives. All that was sent
// by somebody becomes text, never markup.
"use strict";

const MOST = 100000; // rows kept; older ones leave the page, not the sandbox
const SLACK = 5000; // more than MOST before the oldest leave together
const MOST_SHOWN = 65536; // characters of a record, unless all are asked for
const SECONDS = 60; // of the curve
const MEAN = 5; // seconds that the rate is a mean of

const $ = (id) => document.getElementById(id);
const on = (id, event, act) => $(id).addEventListener(event, act);
const grid = $("grid");
const number = (value) => value.toLocaleString("en-US");

// Control characters, and those that turn the direction of what follows, would
// show something else than was sent: they are written as JSON escapes. What
// joins letters and emoji is no such thing.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\ud802\ud803\ud83a\ud83b]/;
const escapeChar = (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0");
const plain = (text) => text.replace(HIDDEN, escapeChar);
const plainLines = (text) => text.replace(HIDDEN, (char) => (char === "\n" ? char : escapeChar(char)));

// ---- what arrived ----

let rows = []; // { request, i, name, ids, place, verdict, reason }, as they came
let shown = rows; // those that fit the filters
let chosen = null;
let token = "";
let total = { records: 0, requests: 0 };
let clockAhead = 0; // ms that the sandbox's clock is ahead of ours
const perSecond = new Map(); // second -> events that came in it

function startAnew(hello) {
  token = hello.token;
  clockAhead = hello.now_ms - Date.now();
  rows = [];
  total = { records: 0, requests: 0 };
  perSecond.clear();
  choose(null);
  filter();
}

function countEvents({ path, time_ms, count }) {
  if (path !== "/track" && path !== "/import") return;
  const second = Math.floor(time_ms / 1000);
  perSecond.set(second, (perSecond.get(second) || 0) + count);
  while (perSecond.size > 2 * SECONDS) perSecond.delete(perSecond.keys().next().value);
}

function take(request) {
  const fresh = request.rows;
  delete request.rows;
  total.requests += 1;
  total.records += request.count;
  countEvents(request);
  fresh.forEach((sent, at) => {
    const row = { request, i: at + 1, name: "", ids: [], place: "", reason: "", ...sent };
    rows.push(row);
    if (shown !== rows && fits(row)) shown.push(row);
  });
  if (rows.length > MOST + SLACK) dropOldest();
  draw();
}

function dropOldest() {
  const gone = new Set(rows.splice(0, rows.length - MOST));
  const before = shown === rows ? rows.length + gone.size : shown.length;
  if (shown !== rows) shown = shown.filter((row) => !gone.has(row));
  if (!following()) grid.scrollTop -= (before - shown.length) * rowHeight;
}

// ---- filters ----

const filters = $("filters").elements;
const ENDPOINTS = ["/track", "/import", "/engage", "/groups"];
let wanted = { name: "", id: "", path: "", verdict: "" };

function fits(row) {
  const { name, id, path, verdict } = wanted;
  const place = ENDPOINTS.includes(row.request.path) ? row.request.path : "other";
  return (
    (!name || row.name.toLowerCase().includes(name)) &&
    (!id || row.ids.some((other) => other.toLowerCase().includes(id))) &&
    (!path || path === place) &&
    (!verdict || verdict === row.verdict)
  );
}

function filter() {
  wanted = {
    name: filters.name.value.toLowerCase(),
    id: filters.id.value.toLowerCase(),
    path: filters.path.value,
    verdict: filters.verdict.value,
  };
  const all = Object.values(wanted).every((value) => !value);
  shown = all ? rows : rows.filter(fits);
  $("unfilter").hidden = all;
  draw();
}

on("filters", "input", filter);
on("filters", "submit", (event) => event.preventDefault());
on("unfilter", "click", () => {
  $("filters").reset();
  filter();
});

// ---- the list: only the rows in sight are elements ----

const CELLS = ["time", "path", "name", "id", "auth", "place", "verdict", "reason"];
const idOf = (row) => `row-${row.request.n}-${row.i}`;
const pool = [];
let rowHeight = 36;
let drawing = false;
let lastTop = 0;

const following = () => $("follow").getAttribute("aria-pressed") === "true";
const press = (on) => $("follow").setAttribute("aria-pressed", on);

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawCounts();
    drawRows();
  });
}

function makeElement() {
  const element = document.createElement("div");
  element.className = "row";
  element.setAttribute("role", "row");
  for (const name of CELLS) {
    const cell = document.createElement("span");
    cell.className = name;
    cell.setAttribute("role", "gridcell");
    cell.append(document.createElement("bdi"));
    element.append(cell);
  }
  element.addEventListener("click", () => {
    choose(element.shows);
    openDetail();
  });
  $("rows").append(element);
  return element;
}

function clock(ms) {
  const time = new Date(ms);
  return time.toTimeString().slice(0, 8) + "." + String(time.getMilliseconds()).padStart(3, "0");
}

function fill(element, row) {
  const { request, name, ids, place, verdict, reason } = row;
  const { time_ms, path, auth } = request;
  const values = [clock(time_ms), path, name || "no record", ids[0] || "", auth, place || "nowhere", verdict, reason];
  values.forEach((value, at) => {
    element.children[at].firstChild.textContent = plain(value);
  });
  element.children[2].classList.toggle("none", name === "");
  element.children[6].dataset.verdict = verdict;
  element.id = idOf(row);
  element.shows = row;
}

function drawRow(element, index) {
  const row = shown[index];
  element.hidden = !row;
  if (!row) {
    element.shows = element.id = null; // whatever it showed may be elsewhere now
    element.setAttribute("aria-selected", false);
    return;
  }
  if (element.shows !== row) fill(element, row);
  element.style.transform = `translateY(${index * rowHeight}px)`;
  element.setAttribute("aria-rowindex", index + 2);
  element.setAttribute("aria-selected", row === chosen);
}

// Gives the list the height of all its rows. To be called before a scroll to
// one of them: the browser scrolls no further than the list is high.
function sizeRows() {
  rowHeight = parseFloat(getComputedStyle($("rows")).getPropertyValue("--row")) *
    parseFloat(getComputedStyle(document.documentElement).fontSize);
  $("rows").style.height = shown.length * rowHeight + "px";
}

function drawRows() {
  sizeRows();
  if (following()) grid.scrollTop = grid.scrollHeight;
  const first = Math.max(0, Math.floor(grid.scrollTop / rowHeight) - 2);
  const count = Math.ceil(grid.clientHeight / rowHeight) + 5;
  while (pool.length < count) pool.push(makeElement());
  for (let k = 0; k < pool.length; k += 1) drawRow(pool[(first + k) % pool.length], first + k);
  grid.setAttribute("aria-rowcount", shown.length + 1);
  if (chosen && $(idOf(chosen))) grid.setAttribute("aria-activedescendant", idOf(chosen));
  else grid.removeAttribute("aria-activedescendant");
}

function drawCounts() {
  $("record-count").textContent = number(total.records);
  $("request-count").textContent = number(total.requests);
  const kept = number(rows.length);
  $("shown").textContent = shown === rows ? `All ${kept} rows` : `${number(shown.length)} of ${kept} rows`;
  $("empty").hidden = rows.length > 0;
}

// Scrolling up ends following; down to the end begins it again.
on("grid", "scroll", () => {
  const { scrollTop, clientHeight, scrollHeight } = grid;
  const atEnd = scrollTop + clientHeight >= scrollHeight - 4;
  if (scrollTop < lastTop - 4 && !atEnd) press(false);
  else if (scrollTop > lastTop && atEnd) press(true);
  lastTop = scrollTop;
  draw();
});
new ResizeObserver(draw).observe(grid);
on("follow", "click", () => {
  press(!following());
  draw();
});

// ---- the rate ----

function drawRate() {
  const now = Math.floor((Date.now() + clockAhead) / 1000);
  const counts = Array.from({ length: SECONDS }, (_, at) => perSecond.get(now - SECONDS + 1 + at) || 0);
  const rate = counts.slice(-MEAN).reduce((sum, n) => sum + n, 0) / MEAN;
  $("rate").textContent = number(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));
  const top = Math.max(1, ...counts);
  const points = counts.map((n, at) => `${at},${(19 - (18 * n) / top).toFixed(1)}`);
  $("curve").firstElementChild.setAttribute("points", points.join(" "));
}

setInterval(drawRate, 500);

// ---- the record that was chosen ----

let asked = new AbortController();

function choose(row) {
  chosen = row;
  $("nothing").hidden = row !== null;
  $("chosen").hidden = row === null;
  asked.abort();
  draw();
  if (!row) return document.body.classList.remove("open");
  press(false);
  $("chosen-name").textContent = plain(row.name || "no record");
  $("chosen-verdict").textContent = $("chosen-verdict").dataset.verdict = row.verdict;
  $("chosen-reason").textContent = plain(row.reason);
  ask(row);
}

async function ask(row) {
  asked = new AbortController();
  const { signal } = asked;
  try {
    const response = await fetch(`/sandbox/record?n=${row.request.n}&i=${row.i}`, { signal });
    const record = await response.json();
    if (!response.ok) throw new Error(record.error);
    if (signal.aborted) return;
    showFacts([["Arrived", clock(row.request.time_ms)], ...record.facts]);
    $("json-part").hidden = !record.json;
    showJson(record.json || [""]);
    report("");
  } catch (error) {
    if (signal.aborted) return;
    showFacts([]);
    $("json-part").hidden = true;
    report("The record cannot be shown: " + error.message);
  }
}

function make(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function showFacts(facts) {
  $("facts").replaceChildren();
  for (const [name, value] of facts) {
    if (!value) continue;
    const dd = make("dd", "");
    dd.dir = "auto";
    const marked = name === "Token" && value !== "none";
    dd.append(marked ? make("mark", plain(value)) : plainLines(value));
    $("facts").append(make("dt", name), dd);
  }
}

// Of two strings that run from right to left, each in a frame of its own: side
// by side they would change places.
function frame(text) {
  if (!RIGHT_TO_LEFT.test(text)) return [text];
  const parts = text.split(/("[^"\\]*(?:\\.[^"\\]*)*")/);
  return parts.map((part) => (RIGHT_TO_LEFT.test(part) ? make("bdi", part) : part));
}

// `parts`: what stands before the project's token, the token, and the rest.
function showJson(parts, most = MOST_SHOWN) {
  const size = parts.join("").length;
  let left = most;
  const cut = parts.map((part) => {
    const piece = plainLines(part.slice(0, left));
    left = Math.max(0, left - part.length);
    return piece;
  });
  const token = cut[1] ? [make("mark", cut[1])] : [];
  $("json").replaceChildren(...frame(cut[0]), ...token, ...frame(cut[2] || ""));
  $("whole").hidden = size <= most;
  $("whole").textContent = `Show all ${number(size)} characters`;
  $("whole").onclick = () => {
    showJson(parts, Infinity);
    $("json").focus();
  };
  $("copy").onclick = () =>
    navigator.clipboard.writeText(parts.join("")).catch((error) => report("Not copied: " + error.message));
}

const openDetail = () => document.body.classList.add("open");

function closeDetail() {
  document.body.classList.remove("open");
  grid.focus();
}

on("close", "click", closeDetail);

// ---- keys ----

const MOVES = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  PageDown: (at, page) => at + page,
  PageUp: (at, page) => at - page,
  Home: () => 0,
  End: () => Infinity,
};

function moveTo(index) {
  const at = Math.max(0, Math.min(index, shown.length - 1));
  choose(shown[at]);
  sizeRows();
  const top = at * rowHeight;
  const height = grid.clientHeight - $("rows").offsetTop - rowHeight;
  grid.scrollTop = Math.min(top, Math.max(grid.scrollTop, top - height));
}

on("grid", "keydown", (event) => {
  const move = MOVES[event.key];
  if (move && shown.length > 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const page = Math.max(1, Math.floor(grid.clientHeight / rowHeight) - 2);
    const at = chosen ? shown.indexOf(chosen) : -1;
    const start = at < 0 && event.key.endsWith("Up") ? shown.length : at;
    moveTo(move(start, page));
    event.preventDefault();
  } else if (event.key === "Enter" && chosen) {
    openDetail();
    $("detail").focus();
  }
});

on("main", "keydown", (event) => {
  if (event.key === "Escape") closeDetail();
});

// ---- changes, which need the page's token ----

function report(problem) {
  const place = $("faults").open ? $("fault-message") : $("message");
  place.textContent = plain(problem);
  place.hidden = problem === "";
}

async function change(method, path, value = {}) {
  try {
    const response = await fetch("/sandbox" + path, {
      method,
      headers: { "Content-Type": "application/json", "X-Sandbox-Token": token },
      body: JSON.stringify(value),
    });
    const reply = await response.json();
    report(response.ok ? "" : "The sandbox refused: " + reply.error);
  } catch (error) {
    report("The sandbox did not answer: " + error.message);
  }
}

on("clear", "click", () => change("DELETE", "/requests"));

// ---- faults ----

function showFaults({ lines = [] }) {
  $("fault-count").textContent = lines.length || "";
  $("no-faults").hidden = lines.length > 0;
  $("remove-faults").hidden = lines.length === 0;
  $("fault-list").replaceChildren(...lines.map((line) => make("li", plain(line))));
}

function readFault() {
  const given = Object.fromEntries(new FormData($("fault-form"))); // without what is disabled
  const fault = { times: Number(given.times) };
  for (const name of ["endpoint", "match"]) if (given[name]) fault[name] = given[name];
  for (const name of ["status", "delay_ms"]) if (given[name]) fault[name] = Number(given[name]);
  if (given.retry_after) fault.headers = { "Retry-After": given.retry_after };
  if (!["status", "delay"].includes(given.kind)) fault.close = given.kind;
  return fault;
}

function offerFields() {
  const { kind, status, retry_after, delay_ms } = $("fault-form").elements;
  status.disabled = retry_after.disabled = !["status", "mid"].includes(kind.value);
  delay_ms.disabled = kind.value === "before";
  delay_ms.required = kind.value === "delay";
}

on("fault-form", "change", offerFields);
on("fault-form", "submit", (event) => {
  event.preventDefault();
  change("POST", "/script", readFault());
});
on("open-faults", "click", () => $("faults").showModal());
on("close-faults", "click", () => $("faults").close());
on("remove-faults", "click", () => change("DELETE", "/script"));

// ---- the feed ----

function say(state, words) {
  $("connection").dataset.state = state;
  $("connection").textContent = words;
}

function connect() {
  const feed = new EventSource("/sandbox/live");
  for (const [name, act] of Object.entries({ hello: startAnew, request: take, script: showFaults })) {
    feed.addEventListener(name, (event) => act(JSON.parse(event.data)));
  }
  feed.onopen = () => say("live", "Live");
  feed.onerror = () => {
    say("lost", "Lost, trying again");
    if (feed.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
}

$("example").textContent = `mixpanel.new("projecttoken", { api_host = "${location.origin}" })`;
connect();
