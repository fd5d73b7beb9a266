// What the tests of the pages share: sandboxes, Lua programs, Chromium.
"use strict";
const assert = require("node:assert");
const { execFile, execFileSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { promisify } = require("node:util");
const { chromium } = require("playwright-core");

const ROOT = path.join(__dirname, "../..");
const run = promisify(execFile);

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// ---- the sandbox ----

function start(...more) {
  const lines = execFileSync("sandbox/sandbox", ["start", ...more], { cwd: ROOT, encoding: "utf8" });
  const sandbox = Object.fromEntries(lines.trim().split("\n").map((line) => line.split(/=(.*)/)));
  sandbox.port = new URL(sandbox.url).port;
  return sandbox;
}

function stop(sandbox) {
  execFileSync("sandbox/sandbox", ["stop", sandbox.dir], { cwd: ROOT });
}

// A request as a program makes it; `headers` may have a Host. Returns
// { status, headers, text }.
function request(sandbox, method, target, { body = "", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const options = { port: sandbox.port, host: "127.0.0.1", method, path: target };
    options.headers = { "Content-Length": Buffer.byteLength(body), ...headers };
    const sent = http.request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const post = (sandbox, target, value, headers) =>
  request(sandbox, "POST", target, { body: typeof value === "string" ? value : JSON.stringify(value), headers });

let serial = 0;

// An event as a client would send it.
function event(name, properties = {}) {
  serial += 1;
  const time = Math.floor(Date.now() / 1000);
  const $insert_id = `insert-${serial}`;
  return { event: name, properties: { token: "projecttoken", time, $insert_id, distinct_id: "u1", ...properties } };
}

// ---- Lua ----

// A program with the module, whose `mp` is a client of the sandbox.
function lua(sandbox, program) {
  const text = `
    package.cpath = "build/5.4/?.so;" .. package.cpath
    local mixpanel = require "mixpanel"
    local mp = mixpanel.new("projecttoken", { api_host = "${sandbox.url}", flush_interval = 0.1 })
    ${program}`;
  return run("lua5.4", ["-e", text], { cwd: ROOT });
}

// ---- Chromium ----

// Everything that a page asks for, says and throws is noted: `close` fails if
// anything was to another host, or was an error that no test expects.
async function browse(allowed = () => false) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "mixpanel-page-"));
  const context = await chromium.launchPersistentContext(dir, {
    executablePath: "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
    timeout: 120000, // ms; the machine may be busy
  });
  context.setDefaultTimeout(60000);
  const troubles = [];
  context.on("request", (asked) => {
    if (new URL(asked.url()).hostname !== "127.0.0.1") troubles.push("asked for " + asked.url());
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !allowed(message.text())) troubles.push(message.text());
  });
  context.on("weberror", (error) => troubles.push(error.error().stack));
  context.on("dialog", (dialog) => {
    troubles.push("a dialog: " + dialog.message());
    dialog.dismiss();
  });
  return {
    page: context.pages()[0],
    async close() {
      await context.close();
      // A process of Chromium's that outlives its browser a little may still write there.
      fs.rmSync(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
      assert.deepStrictEqual(troubles, []);
    },
  };
}

// Breaches of WCAG 2.2 A and AA and of axe's good practices; each as one text.
async function breaches(page) {
  await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`));
}

// How far the page could be scrolled sideways.
const sideways = (page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    window.scrollTo(1000, 0);
    const scrolled = window.scrollX;
    window.scrollTo(0, 0);
    return Math.max(scrolled, document.body.scrollWidth - document.body.clientWidth, scrollWidth - clientWidth);
  });

// Returns what says how much the page's main thread has used since: { cpu
// (seconds), heap (bytes, after a collection), nodes }. Other programs on the
// machine do not count in it.
async function meter(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const value = (name) => metrics.find((metric) => metric.name === name).value;
    return { cpu: value("TaskDuration"), heap: value("JSHeapUsedSize"), nodes: value("Nodes") };
  };
}

// Waits until `condition` returns something true, and returns that.
async function until(condition, what, ms = 60000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert(Date.now() < deadline, "waited in vain: " + what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = { ROOT, start, stop, request, post, event, lua, browse, breaches, sideways, meter, until };
