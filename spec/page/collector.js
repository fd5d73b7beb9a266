// What the tests of the collector share: pages with mixpanel-browser, nginx with
// a collector, the sandbox that it delivers to, and a stand-in for Mixpanel that
// answers what is passed on, or all that a page posts.
"use strict";
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { once } = require("node:events");
const records = require("./records");
const standIn = require("./stand_in");
const support = require("./support");

const ENDPOINTS = ["/track", "/engage", "/groups"];
const dist = path.join(path.dirname(require.resolve("mixpanel-browser/package.json")), "dist");
const read = (name) => fs.readFileSync(path.join(dist, name), "utf8");
const SNIPPET = read("mixpanel-jslib-snippet.min.js");

// The methods that the snippet keeps calls of: as pages call them, and those of
// a group.
function listMethods() {
  const all = SNIPPET.match(/="(disable [\w. ]+)"\.split/)[1].split(" ");
  const group = SNIPPET.match(/="(set set_once [\w ]+)"\.split/)[1].split(" ");
  return { all, group };
}

const METHODS = listMethods();

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

const load = (source) => `<script>MIXPANEL_CUSTOM_LIB_URL = "${source}"</script><script>${SNIPPET}</script>`;

// Runs in the page: tells `note` of each method that the page itself calls.
function watch({ all, group }) {
  let inside = false;
  function wrap(target, key, name) {
    const own = target[key];
    target[key] = function () {
      if (inside) return own.apply(this, arguments);
      window.note(name);
      inside = true;
      try {
        return own.apply(this, arguments);
      } finally {
        inside = false;
      }
    };
  }
  for (const name of all) {
    const [place, method] = name.split(".");
    wrap(method ? mixpanel[place] : mixpanel, method || place, name);
  }
  const get = mixpanel.get_group;
  mixpanel.get_group = function () {
    const found = Object.create(get.apply(this, arguments));
    for (const name of group) wrap(found, name, "get_group." + name);
    return found;
  };
}

// Servers and a browser, for a file of tests. `posted` are the records that left
// the page; `called`, when each method was called: before the SDK was there
// (`early`), or after.
async function start() {
  const own = { posted: [], called: { early: new Set(), late: new Set() }, script: "" };
  const sandbox = support.start();
  const mixpanel = await standIn.start();
  const pages = http.createServer((request, response) => {
    const file = find(request.url);
    response.setHeader("Content-Type", file ? "text/javascript" : "text/html");
    const script = request.url === "/early" ? own.script : load("/sdk.js");
    setTimeout(() => response.end(file ? read(file) : page(script)), /late$/.test(request.url) ? 300 : 0);
  });
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${pages.address().port}`;
  const command = ["spec/page/collector_site.lua", sandbox.url, origin, mixpanel.url];
  const site = spawn("lua5.4", command, { cwd: support.ROOT, stdio: ["pipe", "pipe", "inherit"] });
  const url = String(await once(site.stdout, "data")).trim();
  const browser = await support.browse();
  browser.page.on("request", (request) => {
    own.posted.push(...records.decode(request.method(), request.url(), request.postData()));
  });
  let when = "late";
  await browser.page.exposeFunction("note", (name) => own.called[when].add(name));

  Object.assign(own, { sandbox, mixpanel, origin, url, page: browser.page });

  own.close = async () => {
    await browser.close();
    site.stdin.end();
    await once(site, "exit");
    pages.close();
    mixpanel.close();
    support.stop(sandbox);
  };

  own.makeConfig = (more) => ({ api_host: url + "/mp", lib_base_path: "/libs/", batch_flush_interval_ms: 200, ...more });

  // A browser that was nowhere before.
  async function forget() {
    own.posted.length = 0;
    mixpanel.requests.length = 0;
    await support.request(sandbox, "POST", "/sandbox/reset");
    await own.page.goto("about:blank");
    await own.page.goto(origin + "/home?x=1");
    await own.page.context().clearCookies();
    await own.page.evaluate(async () => {
      for (const store of [localStorage, sessionStorage]) store.clear();
      for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
    });
  }

  // A page with the SDK; `config` beside that of the collector.
  own.open = async (config) => {
    await forget();
    when = "late";
    await own.page.evaluate((all) => mixpanel.init("projecttoken", all), own.makeConfig(config));
    await own.page.waitForFunction(() => mixpanel.__loaded);
    await own.page.evaluate(watch, METHODS);
  };

  // A page whose script runs before the SDK is there.
  own.openEarly = async (script) => {
    await forget();
    when = "early";
    own.script = script;
    await own.page.goto(origin + "/early");
    await own.page.waitForFunction(() => mixpanel.__loaded);
  };

  // The same, by Mixpanel's snippet, with these calls.
  own.callEarly = (calls, config) => {
    const init = `mixpanel.init("projecttoken", ${JSON.stringify(own.makeConfig(config))})`;
    const methods = JSON.stringify(METHODS);
    return own.openEarly(`${load("/sdk.js?late")}<script>${init}; (${watch})(${methods}); (${calls})();</script>`);
  };

  // The records that the sandbox has of each endpoint.
  own.kept = async () => {
    const all = {};
    for (const endpoint of ENDPOINTS) {
      const { text } = await support.request(sandbox, "GET", "/sandbox/records?endpoint=" + endpoint);
      all[endpoint] = JSON.parse(text).flatMap(({ body }) => body);
    }
    return all;
  };

  // What a page without the collector posted, as the sandbox has what came by way
  // of one.
  own.direct = () => {
    const all = Object.fromEntries(ENDPOINTS.map((endpoint) => [endpoint, []]));
    for (const { method, path: target, query, body } of mixpanel.requests) {
      for (const sent of records.decode(method, target + query, String(body))) {
        all[sent.endpoint].push(records.expected(sent));
      }
    }
    return all;
  };

  const count = (all) => Object.values(all).reduce((sum, list) => sum + list.length, 0);

  // Waits until the stand-in has all that were posted without a collector, of which
  // there are `n` at least: it has a record later than the browser says that it leaves.
  own.waitDirect = (n) => {
    const { posted } = own;
    const done = () => posted.length >= n && count(own.direct()) >= posted.length;
    return support.until(done, n + " records without the collector");
  };

  // Waits for `n` records and for all that were posted; each arrived once, and as
  // it left the page.
  own.compare = async (n) => {
    const { posted } = own;
    await support.until(async () => posted.length >= n && count(await own.kept()) >= posted.length, n + " records");
    const all = await own.kept();
    for (const endpoint of ENDPOINTS) {
      const sent = posted.filter((item) => item.endpoint === endpoint).map(records.expected);
      assert.deepStrictEqual(records.sorted(all[endpoint].map(records.arrived)), records.sorted(sent), endpoint);
    }
    const ids = all["/track"].map((record) => record.properties.$insert_id);
    assert.strictEqual(new Set(ids).size, ids.length);
    return all;
  };

  return own;
}

module.exports = { start, METHODS, ENDPOINTS };
