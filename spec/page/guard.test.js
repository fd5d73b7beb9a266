// Who may read the sandbox and change it: programs, and its own page.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { after, before, describe, test } = require("node:test");
const support = require("./support");

const { request, event, post } = support;
const JSON_TYPE = { "Content-Type": "application/json" };

describe("the sandbox", () => {
  let sandbox, own;

  before(() => {
    sandbox = support.start();
    own = { Origin: sandbox.url, "Sec-Fetch-Site": "same-origin" };
  });

  after(() => support.stop(sandbox));

  const ask = (method, target, headers, body) => request(sandbox, method, target, { headers, body });
  const waiting = async () => JSON.parse((await ask("GET", "/sandbox/script")).text).length;

  // The page's token, as the page learns of it.
  function readToken() {
    return new Promise((resolve, reject) => {
      const feed = http.get(sandbox.url + "/sandbox/live", { headers: own }, (response) => {
        let text = "";
        response.on("data", (part) => {
          text += part;
          const token = text.match(/"token":"(\w+)"/);
          if (token) resolve(token[1]), feed.destroy();
        });
      });
      feed.on("error", reject);
    });
  }

  test("refuses an unknown Host, whatever is asked", async () => {
    for (const Host of ["evil.test", `evil.test:${sandbox.port}`, "127.0.0.1.evil.test", "localhost.", "0.0.0.0", "x127.0.0.1", "[::2]"]) {
      for (const target of ["/", "/sandbox/live", "/sandbox/live.js", "/sandbox/requests", "/sandbox/record?n=1&i=1"]) {
        const { status, text } = await ask("GET", target, { Host });
        assert.strictEqual(status, 403, Host + target);
        assert.match(text, /unknown Host/);
      }
      assert.strictEqual((await ask("POST", "/sandbox/script", { Host, ...JSON_TYPE }, "{}")).status, 403);
    }
    for (const Host of [`127.0.0.1:${sandbox.port}`, "localhost", "LOCALHOST:1234", "[::1]:8080"]) {
      assert.strictEqual((await ask("GET", "/", { Host })).status, 200, Host);
      assert.strictEqual((await ask("GET", "/sandbox/requests", { Host })).status, 200, Host);
    }
    assert.strictEqual(await waiting(), 0);
  });

  test("refuses a foreign Origin and requests from other sites", async () => {
    const origins = ["http://evil.test", "null", "http://127.0.0.1:1", `https://127.0.0.1:${sandbox.port}`, sandbox.url + ".evil.test"];
    const foreign = origins.map((Origin) => ({ Origin }));
    for (const site of ["cross-site", "same-site"]) foreign.push({ "Sec-Fetch-Site": site });
    for (const headers of foreign) {
      for (const target of ["/sandbox/live", "/sandbox/requests", "/sandbox/script"]) {
        assert.strictEqual((await ask("GET", target, headers)).status, 403, JSON.stringify(headers) + target);
      }
      const all = { ...headers, ...JSON_TYPE, "X-Sandbox-Token": await readToken() };
      assert.strictEqual((await ask("POST", "/sandbox/script", all, "{}")).status, 403);
      assert.strictEqual((await ask("POST", "/sandbox/reset", all)).status, 403);
      assert.strictEqual((await ask("DELETE", "/sandbox/requests", all)).status, 403);
    }
    assert.strictEqual(await waiting(), 0);
  });

  test("takes changes from a page as JSON with the page's token, and from programs", async () => {
    const token = { "X-Sandbox-Token": await readToken() };
    const change = async (headers) => (await ask("POST", "/sandbox/script", headers, '{"status":503}')).status;
    assert.strictEqual(await change({ ...own, ...JSON_TYPE }), 403);
    assert.strictEqual(await change({ ...own, ...JSON_TYPE, "X-Sandbox-Token": "0".repeat(32) }), 403);
    assert.strictEqual(await change({ ...own, ...token }), 415);
    assert.strictEqual(await change({ ...own, ...token, "Content-Type": "text/plain" }), 415);
    assert.strictEqual(await change({ ...own, ...token, "Content-Type": "application/jsonp" }), 415);
    assert.strictEqual(await waiting(), 0);
    assert.strictEqual(await change({ ...own, ...token, "Content-Type": "application/json; charset=utf-8" }), 200);
    assert.strictEqual(await change({}), 200);
    assert.strictEqual(await waiting(), 2);
    for (const [method, target] of [["DELETE", "/sandbox/script"], ["DELETE", "/sandbox/requests"], ["POST", "/sandbox/reset"], ["POST", "/sandbox/config"]]) {
      assert.strictEqual((await ask(method, target, { ...own, ...JSON_TYPE }, "{}")).status, 403, target);
      assert.strictEqual((await ask(method, target, { ...own, ...JSON_TYPE, ...token }, "{}")).status, 200, target);
    }
    assert.strictEqual(await waiting(), 0);
  });

  test("is neither read nor changed by another page in the same browser", async () => {
    await post(sandbox, "/track", [event("Secret plan")]);
    const server = http.createServer((_, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end("<!doctype html><title>Another page</title>");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const browser = await support.browse(() => true); // the refusals are errors in its console
    try {
      const { page } = browser;
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      const got = await page.evaluate(async (url) => {
        const tries = [];
        const attempt = (target, options) =>
          tries.push(fetch(url + target, options).then((r) => r.text(), (error) => error.name));
        attempt("/sandbox/requests");
        attempt("/sandbox/requests", { mode: "no-cors" });
        attempt("/sandbox/script", { method: "POST", mode: "no-cors", body: '{"status":503}' });
        attempt("/sandbox/script", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
        attempt("/sandbox/reset", { method: "POST", mode: "no-cors" });
        tries.push(new Promise((resolve) => {
          const feed = new EventSource(url + "/sandbox/live");
          feed.onopen = () => resolve("open");
          feed.onerror = () => resolve("closed");
        }));
        const form = Object.assign(document.createElement("form"), { method: "post", action: url + "/sandbox/reset" });
        form.target = "frame";
        document.body.append(Object.assign(document.createElement("iframe"), { name: "frame" }), form);
        form.submit();
        const texts = await Promise.all(tries);
        await new Promise((resolve) => setTimeout(resolve, 500));
        return texts;
      }, sandbox.url);
      assert(!got.some((text) => text.includes("Secret plan") || text === "open"), got.join());
      assert.strictEqual(await waiting(), 0);
      assert.match((await ask("GET", "/sandbox/requests")).text, /Secret plan/);
    } finally {
      await browser.close();
      server.close();
    }
  });

  test("sends a page that can load and run nothing else, and be in no frame", async () => {
    for (const target of ["/", "/sandbox/live.js", "/sandbox/live.css", "/sandbox/icon.svg"]) {
      const { status, headers } = await ask("GET", target);
      assert.strictEqual(status, 200, target);
      const policy = headers["content-security-policy"].split("; ");
      for (const part of ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]) {
        assert(policy.includes(part), part);
      }
      assert(!/unsafe|\*|https?:/.test(policy.join()), policy.join());
      assert.strictEqual(headers["x-content-type-options"], "nosniff");
      assert.strictEqual(headers["cross-origin-resource-policy"], "same-origin");
      assert.strictEqual(headers["cache-control"], "no-store");
    }
    const folder = path.join(support.ROOT, "sandbox/page");
    const script = fs.readFileSync(path.join(folder, "live.js"), "utf8");
    assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc/.test(script));
    for (const name of fs.readdirSync(folder)) {
      const text = fs.readFileSync(path.join(folder, name), "utf8").replace("http://www.w3.org/2000/svg", "");
      assert(!/\bhttps?:|\/\/\w+\.\w/.test(text), name + " names a host");
    }
  });

  test("keeps secrets of credentials from the page, and knows no other files", async () => {
    const Authorization = "Basic " + Buffer.from("bot:top-secret").toString("base64");
    await post(sandbox, "/import?project_id=7", [event("Imported")], { Authorization });
    const [last] = JSON.parse((await ask("GET", "/sandbox/requests")).text).slice(-1);
    const record = await ask("GET", `/sandbox/record?n=${last.n}&i=1`, own);
    assert.match(record.text, /Basic, service account bot/);
    assert(!record.text.includes("top-secret"));
    for (const target of ["/sandbox/index.html", "/sandbox/../api.lua", "/sandbox/page/live.js", "/sandbox/record?n=99&i=1", "/sandbox/record?n=x", "/sandbox/record"]) {
      assert.strictEqual((await ask("GET", target)).status, 404, target);
    }
    assert.strictEqual((await ask("HEAD", "/")).status, 200);
    const { length } = JSON.parse((await ask("GET", "/sandbox/requests")).text);
    await ask("GET", "/");
    await ask("GET", "/favicon.ico");
    assert.strictEqual(JSON.parse((await ask("GET", "/sandbox/requests")).text).length, length);
    assert.strictEqual((await post(sandbox, "/", "{}")).status, 404);
  });
});
