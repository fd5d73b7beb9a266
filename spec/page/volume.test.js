// The live view of very many records.
"use strict";
const assert = require("node:assert");
const { describe, test } = require("node:test");
const support = require("./support");
const liveView = require("./live_view");

const { post, event, until } = support;
const BATCH = 2000;

describe("the live view, of many records,", () => {
  const view = liveView();
  let sent = 0;

  async function send(batches) {
    for (let i = 0; i < batches; i += 1) {
      const list = [];
      for (let k = 0; k < BATCH; k += 1) {
        sent += 1;
        list.push(event(sent % 10 === 0 ? "Rare" : "Often", { distinct_id: `user-${sent}`, plan: "pro" }));
      }
      assert.strictEqual((await post(view.sandbox, "/track", list)).status, 200);
    }
    const total = sent.toLocaleString("en-US");
    await until(async () => (await view.page.textContent("#record-count")) === total, total + " records");
  }

  test("stays usable after 100 000 events, and its memory bounded after more", async () => {
    const { page } = view;
    const meter = await support.meter(page);
    await send(50);
    assert.strictEqual(await page.textContent("#shown"), "All 100,000 rows");
    await until(async () => (await view.column(3)).at(-1) === "user-100000", "the newest");
    const full = await meter();
    assert(full.nodes < 5000, full.nodes + " nodes");
    assert(full.heap < 100e6, full.heap + " bytes");

    // All of it is there, and near.
    await page.focus("#grid");
    await page.keyboard.press("Home");
    await until(async () => (await view.column(3))[0] === "user-1", "the first");
    await page.fill("[name=name]", "rare");
    await until(async () => (await page.textContent("#shown")) === "10,000 of 100,000 rows", "the rare ones");
    await page.fill("[name=id]", "user-77770");
    await until(async () => (await view.column(3)).join() === "user-77770", "one of them");
    await page.click("text=user-77770");
    await until(async () => (await page.textContent("#json")).includes('"distinct_id": "user-77770"'), "its text");
    await page.click("#unfilter");
    await page.focus("#grid");
    await page.keyboard.press("End");
    await until(async () => (await view.column(3)).at(-1) === "user-100000", "the last");
    const used = (await meter()).cpu - full.cpu;
    console.log(`# measured: 100 000 rows: ${(full.heap / 1e6).toFixed(0)} MB, ${full.nodes} nodes, ` +
      `${full.cpu.toFixed(1)} s of CPU to take them in, ${used.toFixed(1)} s to look around`);
    assert(used < 3, used + " seconds");

    await send(15);
    await until(async () => (await view.column(3)).at(-1) === "user-130000", "the newest of more");
    const kept = Number((await page.textContent("#shown")).match(/[\d,]+/)[0].replace(",", ""));
    assert(kept >= 100000 && kept <= 105000, kept + " rows");
    const more = await meter();
    assert(more.heap < full.heap * 1.2, `${full.heap} bytes, then ${more.heap}`);

    // A page that comes later gets the last ones.
    await page.reload();
    await until(async () => (await view.column(3)).at(-1) === "user-130000", "the newest again");
    assert.strictEqual(await page.textContent("#shown"), "All 100,000 rows");
  });

  test("stays where it is while the oldest leave", async () => {
    sent = 0;
    const { page } = view;
    await send(52);
    await page.focus("#grid");
    await page.evaluate(() => (document.getElementById("grid").scrollTop = 60000 * 33.75));
    await page.waitForSelector("#follow[aria-pressed=false]");
    const before = await until(async () => (await view.column(3)).length > 10 && (await view.column(3))[5], "a row");
    await send(4);
    await until(async () => (await view.column(3)).includes(before), "the same rows");
  });
});
