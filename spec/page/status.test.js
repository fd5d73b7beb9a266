// The status page of mixpanel.resty, in a browser.
"use strict";
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { after, before, describe, test } = require("node:test");
const support = require("./support");

describe("the status page", () => {
  let sandbox, browser, site, url;

  before(async () => {
    sandbox = support.start();
    site = spawn("lua5.4", ["spec/page/status_site.lua", sandbox.url], { cwd: support.ROOT, stdio: ["pipe", "pipe", "inherit"] });
    url = String(await once(site.stdout, "data")).trim();
    // Only the page itself: a browser asks every site for an icon.
    browser = await support.browse((text) => text.includes("404"));
  });

  after(async () => {
    site.stdin.end();
    await once(site, "exit");
    await browser.close();
    support.stop(sandbox);
  });

  test("shows the counters, and what failed as text", async () => {
    const markup = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>";
    await support.post(sandbox, "/sandbox/script", [{ status: 503, times: 0, body: markup }]);
    await support.request({ port: new URL(url).port }, "GET", "/track");
    const { page } = browser;
    await support.until(async () => {
      await page.goto(url + "/status");
      return /last failure/.test(await page.textContent("p"));
    }, "a failure");
    assert.strictEqual(await page.textContent("h1"), "1\u202f234 records wait");
    const row = page.locator("tr", { hasText: "Records that a call took" });
    assert.strictEqual(await row.locator("td").textContent(), "1\u202f234");
    assert.strictEqual(await page.evaluate(() => window.hacked), undefined);
    assert.strictEqual(await page.$$eval("img, script", (all) => all.length), 0);
  });

  test("is without a breach or sideways scrolling, light and dark, wide and narrow", async () => {
    const { page } = browser;
    await page.goto(url + "/status");
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 1280, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        assert.strictEqual(await support.sideways(page), 0, width + " px");
        assert.deepStrictEqual(await support.breaches(page), [], width + " px");
      }
    }
  });
});
