// The live view shows whatever arrives, and runs nothing of it.
"use strict";
const assert = require("node:assert");
const { describe, test } = require("node:test");
const support = require("./support");
const liveView = require("./live_view");

const { post, event, until } = support;

describe("the live view, of hostile records,", () => {
  const view = liveView();

  const HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "</pre></mark>\"'`${window.hacked=1}&lt;&#60;",
    "مرحبا بالعالم \u202eevil\u202c \u2067abc",
    "עברית 123 abc",
    "👩‍👩‍👧‍👦 🎉 é ﷽ Z̸̰͝a̷̛͇l̵̻̿g̷͔̈o̴̙͗",
    "line\nline\ttab\u0000\u0007\u001b[31m",
    "javascript:window.hacked=1",
    "__proto__",
    "\u2028\u2029\ufeff",
  ];

  const NO_RECORDS = [
    "[null]",
    "[1,[],{}]",
    '{"event":{}}',
    '{"event":[],"properties":[1]}',
    "\xff\xfe",
    "[".repeat(5000),
    '{"event":"A"',
    '[{"event":"A","properties":{"token":{"a":1},"distinct_id":[1]}}]',
  ];

  test("shows hostile records, and runs none", async () => {
    for (const [i, text] of HOSTILE.entries()) {
      const record = { ...event(text, { distinct_id: text, [text]: text, $insert_id: `h-${i}` }), [text]: text };
      const query = "?" + encodeURIComponent(text);
      await post(view.sandbox, "/track" + query, [record]);
      await post(view.sandbox, "/track" + query, [record], { "Content-Encoding": "identity" });
      await post(view.sandbox, "/engage", [{ $token: text, $distinct_id: text, $set: { [text]: { [text]: [text] } } }]);
      await post(view.sandbox, "/groups", [{ $token: text, $group_key: text, $group_id: text, $add: text }]);
    }
    await post(view.sandbox, "/sandbox/script", HOSTILE.map((text) => ({ endpoint: text, match: text, body: text, close: text })));
    await post(view.sandbox, "/sandbox/script", [{ endpoint: "/import", status: 500, body: HOSTILE.join("\n") }]);
    await post(view.sandbox, "/import", [event(HOSTILE[0])]);
    for (const body of NO_RECORDS) await post(view.sandbox, "/track", body, { Authorization: "Basic ///=" });
    const lines = { "Content-Type": "application/x-ndjson" };
    await post(view.sandbox, "/import", 'no JSON\n{"event":"A"}\n3', lines);
    const expected = (await support.request(view.sandbox, "GET", "/sandbox/health")).text.match(/"requests":(\d+)/)[1];
    await until(async () => (await view.page.textContent("#request-count")) === expected, "all requests");

    // By each row's own record, from the first to the last.
    await view.page.focus("#grid");
    await view.page.keyboard.press("Home");
    const count = Number(await view.page.getAttribute("#grid", "aria-rowcount")) - 1;
    for (let i = 0; i < count; i += 1) {
      const active = view.page.locator(`#rows [aria-selected=true][aria-rowindex="${i + 2}"]`);
      const id = await active.getAttribute("id");
      const [, n, number] = id.split("-");
      await until(async () => {
        const { Request = "" } = await view.facts();
        return Request === n || Request.startsWith(`${n}, record ${number} of `);
      }, id);
      await view.page.keyboard.press("ArrowDown");
    }
    await view.page.fill("[name=name]", HOSTILE[0]);
    await view.page.click("#rows .row:not([hidden])");
    const shown = await view.page.waitForFunction((text) => {
      const json = document.getElementById("json").textContent;
      return json.includes(JSON.stringify(text).slice(1, -1)) && json;
    }, HOSTILE[0]);
    assert.strictEqual(JSON.parse(await shown.jsonValue()).event, HOSTILE[0]);

    // What turns the direction or hides is written as an escape, and still the same JSON.
    await view.page.fill("[name=name]", "evil");
    await view.page.click("#rows .row:not([hidden])");
    await view.page.waitForFunction(() => document.getElementById("json").textContent.includes("\\u202eevil"));
    assert.strictEqual(JSON.parse(await view.page.textContent("#json")).event, HOSTILE[3]);
    const framed = await view.page.$$eval("#json bdi", (all) => all.map((bdi) => bdi.textContent));
    assert(framed.includes(JSON.stringify(HOSTILE[3]).replace("\u202e", "\\u202e").replace("\u202c", "\\u202c").replace("\u2067", "\\u2067")));
    assert.strictEqual(await view.page.evaluate(() => window.hacked), undefined);
    assert.strictEqual(await view.page.$$eval("script", (all) => all.length), 1);
    assert.strictEqual(await view.page.$$eval("#rows img, #json img, #facts img, #fault-list img", (all) => all.length), 0);
    assert.strictEqual(await support.sideways(view.page), 0);
    assert.deepStrictEqual(await support.breaches(view.page), []);
  });

  test("shows a megabyte of JSON, and integers to the last digit", async () => {
    const big = "9223372036854775807";
    await post(view.sandbox, "/track", `[{"event":"Big id","properties":{"token":"t","distinct_id":${big}}}]`);
    const long = event("Long text", { text: "x<b>".repeat(250000) });
    const wide = event("Wide", Object.fromEntries(Array.from({ length: 200 }, (_, i) => ["key" + i, "v".repeat(5000)])));
    await post(view.sandbox, "/track", [long]);
    await post(view.sandbox, "/track", [wide]);
    await view.wait(3);
    assert.strictEqual((await view.rows())[0][3], big);
    await view.page.fill("[name=id]", big);
    await until(async () => (await view.names()).join() === "Big id", "the big id");
    await view.page.click("text=Big id");
    await view.page.waitForFunction((id) => document.getElementById("json").textContent.includes(`"distinct_id": ${id}`), big);
    await view.page.click("#unfilter");
    for (const record of [long, wide]) {
      const used = await support.meter(view.page);
      await view.page.click(`text=${record.event}`);
      await view.page.waitForFunction((name) => document.getElementById("json").textContent.includes(name), record.event);
      assert.match(await view.page.textContent("#whole"), /^Show all 1,00\d,\d{3} characters$/);
      await view.page.click("#whole");
      assert.deepStrictEqual(JSON.parse(await view.page.textContent("#json")), record);
      assert((await used()).cpu < 2, "too slow");
      assert.strictEqual(await support.sideways(view.page), 0);
    }
  });
});
