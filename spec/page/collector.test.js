// mixpanel-browser, from its loader snippet, posts to mixpanel.collector: what
// leaves the page arrives once, as it was but for what docs/collector.md says.
"use strict";
const assert = require("node:assert");
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { once } = require("node:events");
const { after, before, describe, test } = require("node:test");
const support = require("./support");

const dist = path.join(path.dirname(require.resolve("mixpanel-browser/package.json")), "dist");
const read = (name) => fs.readFileSync(path.join(dist, name), "utf8");

// The SDK, and what it loads by itself.
function find(url) {
  if (/^\/sdk\.js/.test(url)) return "mixpanel.min.js";
  const name = url.match(/^\/libs\/([\w.-]+\.js)$/);
  return name && "async-modules/" + name[1];
}

const page = (script) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Home</title>
<link rel="icon" href="data:,">
${script}
<h1>Home</h1><button>Press</button><a id="link" href="/home?gone">Follow</a>
<form id="form" action="/home"><label>Text <input name="text"></label> <input type="submit" id="send"></form></html>`;

const MIXPANELS = `<script>MIXPANEL_CUSTOM_LIB_URL = "/sdk.js"</script>
<script>${read("mixpanel-jslib-snippet.min.js")}</script>`;

// The script of collector.snippet, for an SDK that takes its time to come.
function makeOwn(host) {
  const program = `package.path = "src/?.lua;" .. package.path
    io.write(require("mixpanel.collector").snippet {
      token = "projecttoken", api_host = arg[1], source = "/sdk.js?late",
      config = { lib_base_path = "/libs/", batch_flush_interval_ms = 200 },
    })`;
  return execFileSync("lua5.4", ["-", host], { cwd: support.ROOT, input: program, encoding: "utf8" });
}

// The SDK's base64 writes each half of a surrogate pair as three bytes.
function decodeBase64(data) {
  const bytes = Buffer.from(data, "base64").toString("latin1");
  const mended = bytes.replace(/\xed([\xa0-\xaf])(.)\xed([\xb0-\xbf])(.)/gs, (_, a, b, c, d) => {
    const half = (high, low) => ((high.charCodeAt(0) & 15) << 6) | (low.charCodeAt(0) & 63);
    return Buffer.from(String.fromCodePoint(0x10000 + (half(a, b) << 10) + half(c, d))).toString("latin1");
  });
  return Buffer.from(mended, "latin1").toString("utf8");
}

// The endpoint and the records of a request, or nothing for another.
function decode(request) {
  const endpoint = new URL(request.url()).pathname.match(/^\/mp\/(track|engage|groups)\/$/);
  if (!endpoint || request.method() !== "POST") return [];
  const data = new URLSearchParams(request.postData()).get("data");
  const records = JSON.parse(/^[[{]/.test(data) ? data : decodeBase64(data));
  return [].concat(records).map((record) => ({ endpoint: "/" + endpoint[1], record }));
}

// As it arrives: the visitor's address in its place.
function expected({ endpoint, record }) {
  const copy = structuredClone(record);
  if (endpoint === "/track") copy.properties.ip = "127.0.0.1";
  if (endpoint === "/engage") copy.$ip = "127.0.0.1";
  return copy;
}

// What the collector adds to updates of people is no part of the comparison.
function arrived(record) {
  const copy = structuredClone(record);
  if (copy.$distinct_id) assert.ok(Number.isInteger(copy.$time));
  delete copy.$time;
  return copy;
}

const sorted = (records) => records.map((record) => JSON.stringify(sortKeys(record))).sort();

function sortKeys(value) {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sortKeys(value[key])]));
}

describe("the collector", () => {
  let sandbox, pages, origin, site, url, browser, posted, makeEarly;

  before(async () => {
    sandbox = support.start();
    pages = http.createServer((request, response) => {
      const file = find(request.url);
      response.setHeader("Content-Type", file ? "text/javascript" : "text/html");
      const early = `<script>${makeEarly}</script>`;
      const text = file ? read(file) : request.url === "/early" ? page(early) : page(MIXPANELS);
      setTimeout(() => response.end(text), /late$/.test(request.url) ? 300 : 0);
    });
    await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${pages.address().port}`;
    const command = ["spec/page/collector_site.lua", sandbox.url, origin];
    site = spawn("lua5.4", command, { cwd: support.ROOT, stdio: ["pipe", "pipe", "inherit"] });
    url = String(await once(site.stdout, "data")).trim();
    browser = await support.browse();
    browser.page.on("request", (request) => posted.push(...decode(request)));
  });

  after(async () => {
    await browser.close();
    site.stdin.end();
    await once(site, "exit");
    pages.close();
    support.stop(sandbox);
  });

  // The records that the sandbox has of each endpoint.
  async function kept() {
    const all = {};
    for (const endpoint of ["/track", "/engage", "/groups"]) {
      const { text } = await support.request(sandbox, "GET", "/sandbox/records?endpoint=" + endpoint);
      all[endpoint] = JSON.parse(text).flatMap(({ body }) => body);
    }
    return all;
  }

  const count = (all) => Object.values(all).reduce((n, list) => n + list.length, 0);

  async function open(config) {
    posted = [];
    await support.request(sandbox, "POST", "/sandbox/reset");
    await browser.page.goto(origin + "/home?x=1");
    await browser.page.context().clearCookies();
    await browser.page.evaluate(
      ([host, more]) => {
        for (const store of [localStorage, sessionStorage]) store.clear();
        const own = { api_host: host, lib_base_path: "/libs/", batch_flush_interval_ms: 200 };
        mixpanel.init("projecttoken", { ...own, ...more });
      },
      [url + "/mp", config]
    );
    await browser.page.waitForFunction(() => mixpanel.__loaded);
  }

  async function compare(n) {
    await support.until(async () => posted.length >= n && count(await kept()) >= posted.length, n + " records");
    const all = await kept();
    for (const endpoint of Object.keys(all)) {
      const own = posted.filter((sent) => sent.endpoint === endpoint).map(expected);
      assert.deepStrictEqual(sorted(all[endpoint].map(arrived)), sorted(own), endpoint);
    }
    const ids = all["/track"].map((record) => record.properties.$insert_id);
    assert.strictEqual(new Set(ids).size, ids.length);
    return all;
  }

  function makeCalls() {
    const text = "é漢😀\u2028\"\\";
    mixpanel.track("Plain", { text, n: 1.5e-7, big: 12345678901234567000, list: [1, null, text], o: { a: { b: true } } });
    mixpanel.track_pageview();
    mixpanel.register({ plan: "pro" });
    mixpanel.time_event("Timed");
    mixpanel.track("Timed");
    mixpanel.identify("user-1");
    mixpanel.people.set({ $email: "a@example.com", text });
    mixpanel.people.set_once("first", 1);
    mixpanel.people.increment("n", 2);
    mixpanel.people.append("list", text);
    mixpanel.people.union("set", ["a", "b"]);
    mixpanel.people.remove("set", "a");
    mixpanel.people.unset("gone");
    mixpanel.set_group("company", "acme");
    mixpanel.add_group("company", "other");
    mixpanel.get_group("company", "acme").set({ size: 7 });
    mixpanel.track_with_groups("Grouped", { a: 1 }, { company: "acme" });
    mixpanel.alias("alias-1");
  }

  // What is left of the snippet's methods.
  function makeOtherCalls() {
    mixpanel.register({ plan: "pro", gone: 1 });
    mixpanel.register_once({ first: 1 });
    mixpanel.unregister("gone");
    mixpanel.name_tag("tag");
    mixpanel.identify("user-2");
    mixpanel.people.track_charge(9.5, { $time: "2026-01-01T00:00:00" });
    mixpanel.people.clear_charges();
    mixpanel.set_group("company", ["acme", "other"]);
    mixpanel.remove_group("company", "acme");
    const group = mixpanel.get_group("company", "other");
    group.set_once({ first: 1 });
    group.union("tags", ["x", "y"]);
    group.remove("tags", "x");
    group.unset("first");
    group.delete();
    mixpanel.track("Before");
    mixpanel.people.delete_user();
    mixpanel.disable(["Off"]);
    mixpanel.track("Off");
  }

  for (const [name, config] of [
    ["in batches", {}],
    ["one by one", { batch_requests: false }],
    ["as JSON", { api_payload_format: "json" }],
  ]) {
    test("takes what every method sends, " + name, async () => {
      await open(config);
      await browser.page.evaluate(makeCalls);
      const all = await compare(18);
      assert.ok(all["/track"].length >= 7 && all["/engage"].length >= 9 && all["/groups"].length === 1);
    });
  }

  test("takes what the other methods send, and links and forms", async () => {
    await open({});
    await browser.page.evaluate(makeOtherCalls);
    const all = await compare(12);
    assert.deepStrictEqual(all["/track"].map((record) => record.event).sort(), ["$identify", "Before"]);
    assert.ok(!all["/track"].some(({ properties }) => "gone" in properties));
    assert.strictEqual(all["/groups"].length, 5);
    for (const [event, act, selector] of [
      ["Followed", "track_links", "#link"],
      ["Sent", "track_forms", "#form"],
    ]) {
      await open({});
      await browser.page.evaluate(([method, query, name]) => mixpanel[method](query, name, { a: 1 }), [act, selector, event]);
      await browser.page.click(selector === "#form" ? "#send" : selector);
      const [record] = (await compare(1))["/track"];
      assert.strictEqual(record.event, event);
      assert.strictEqual(record.properties.a, 1);
    }
  });

  test("forgets who somebody was, after reset", async () => {
    await open({});
    await browser.page.evaluate(() => {
      mixpanel.identify("user-3");
      mixpanel.reset();
      mixpanel.track("After");
    });
    const record = (await compare(3))["/track"].find(({ event }) => event === "After");
    assert.match(record.properties.distinct_id, /^\$device:/);
  });

  test("has a loader of its own, which keeps what a page calls before the SDK is there", async () => {
    for (const calls of [makeCalls, makeOtherCalls]) {
      posted = [];
      await support.request(sandbox, "POST", "/sandbox/reset");
      await browser.page.goto(origin + "/home");
      await browser.page.context().clearCookies();
      await browser.page.evaluate(() => localStorage.clear());
      makeEarly = `${makeOwn(url + "/mp")}\n(${calls})();`;
      await browser.page.goto(origin + "/early");
      await browser.page.waitForFunction(() => mixpanel.__loaded);
      // Kept calls of people come first: one that deletes the user, before it is
      // known, is refused.
      const all = await compare(calls === makeCalls ? 18 : 11);
      assert.strictEqual(all["/groups"].length, calls === makeCalls ? 1 : 5);
    }
  });

  test("takes the beacons of a page that is left", async () => {
    await open({ batch_flush_interval_ms: 60000 });
    await browser.page.evaluate(() => mixpanel.track("Last words"));
    await browser.page.goto("about:blank");
    await support.until(async () => count(await kept()) >= 1, "the beacon");
    assert.strictEqual((await kept())["/track"][0].event, "Last words");
  });

  test("passes replay and flags on, whose requests browsers ask for leave to send", async () => {
    const answers = {};
    const note = (response) => {
      const { pathname } = new URL(response.url());
      const kind = pathname.match(/^\/mp\/(record|flags)/);
      if (kind && response.request().method() !== "OPTIONS") answers[kind[1]] = response.status();
    };
    browser.page.on("response", note);
    await open({ flags: true, record_sessions_percent: 100, record_min_ms: 0 });
    // The recorder sends every ten seconds.
    const deadline = Date.now() + 60000;
    while (!(answers.flags && answers.record) && Date.now() < deadline) {
      await browser.page.click("button");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    browser.page.off("response", note);
    assert.deepStrictEqual(answers, { flags: 200, record: 200 });
  });

  test("keeps nothing of who sends DNT or GPC, where it is told so", async () => {
    for (const header of ["DNT", "Sec-GPC"]) {
      await open({ api_host: url + "/shy", ignore_dnt: true, batch_requests: false });
      await browser.page.setExtraHTTPHeaders({ [header]: "1" });
      const [reply] = await Promise.all([
        browser.page.waitForResponse(/\/shy\/track\//),
        browser.page.evaluate(() => mixpanel.track("Never")),
      ]);
      await browser.page.setExtraHTTPHeaders({});
      assert.strictEqual(reply.status(), 200);
      assert.strictEqual(await reply.text(), "1");
      const again = browser.page.waitForResponse(/\/shy\/track\//);
      await browser.page.evaluate(() => mixpanel.track("Kept"));
      await again;
      await support.until(async () => count(await kept()) >= 1, "the event that may be kept");
      assert.deepStrictEqual((await kept())["/track"].map(({ event }) => event), ["Kept"]);
    }
  });

  test("gets nothing of a browser with DNT: the SDK sends nothing", async () => {
    await browser.page.addInitScript(() => {
      if (location.hash === "#dnt") Object.defineProperty(navigator, "doNotTrack", { value: "1" });
    });
    await open({});
    await browser.page.goto("about:blank");
    await browser.page.goto(origin + "/home#dnt");
    await browser.page.evaluate((host) => {
      mixpanel.init("projecttoken", { api_host: host, batch_flush_interval_ms: 100 });
      mixpanel.track("Never");
    }, url + "/mp");
    await browser.page.waitForFunction(() => mixpanel.__loaded);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepStrictEqual(posted, []);
  });

  test("gets nothing of who opted out", async () => {
    await open({});
    await browser.page.evaluate(() => {
      mixpanel.opt_out_tracking();
      mixpanel.track("Never");
    });
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepStrictEqual(posted, []);
    await browser.page.evaluate(() => {
      mixpanel.opt_in_tracking();
      mixpanel.track("Again");
    });
    const all = await compare(2);
    assert.deepStrictEqual(all["/track"].map((record) => record.event).sort(), ["$opt_in", "Again"]);
  });
});
