// The live view for everybody: keyboard, readers, screens of any size.
"use strict";
const assert = require("node:assert");
const path = require("node:path");
const { describe, test } = require("node:test");
const support = require("./support");
const liveView = require("./live_view");

const { post, event, lua, until } = support;

describe("the live view", () => {
  const view = liveView();

  test("is reached by the keyboard alone", async () => {
    await post(view.sandbox, "/track", Array.from({ length: 100 }, (_, i) => event("Event " + i)));
    await until(async () => (await view.names()).at(-1) === "Event 99", "the last event");
    await view.page.evaluate(() => document.activeElement.blur());
    const reached = [];
    for (let i = 0; i < 15; i += 1) {
      await view.page.keyboard.press("Tab");
      const id = await view.page.evaluate(() => {
        const { activeElement: at } = document;
        const { outlineStyle } = getComputedStyle(at.matches("#grid") ? at.closest(".list") : at);
        return outlineStyle === "none" ? "no outline: " + at.outerHTML : at.id || at.name;
      });
      reached.push(id);
      if (id === "grid") break;
    }
    assert.deepStrictEqual(reached, ["follow", "open-faults", "clear", "name", "id", "path", "verdict", "grid"]);

    const active = () => view.page.$eval("#grid", (grid) => document.getElementById(grid.getAttribute("aria-activedescendant"))?.children[2].textContent);
    const press = async (key, name) => {
      await view.page.keyboard.press(key);
      await until(async () => (await active()) === name, `${key}: ${name}`);
      await until(async () => (await view.page.textContent("#chosen-name")) === name, name);
      const box = await view.page.locator("[aria-selected=true]").boundingBox();
      const around = await view.page.locator("#grid").boundingBox();
      assert(box.y >= around.y + 20 && box.y + box.height <= around.y + around.height + 1, name + " is in sight");
    };
    await press("Home", "Event 0");
    await press("ArrowDown", "Event 1");
    await press("ArrowDown", "Event 2");
    await press("ArrowUp", "Event 1");
    await press("End", "Event 99");
    await press("ArrowDown", "Event 99");
    await press("Home", "Event 0");
    await view.page.keyboard.press("PageDown");
    await until(async () => Number((await active())?.slice(6)) > 5, "a page down");
    await press("Home", "Event 0");
    await view.page.keyboard.press("Enter");
    assert.strictEqual(await view.page.evaluate(() => document.activeElement.id), "detail");
    await view.page.keyboard.press("Tab");
    assert.strictEqual(await view.page.evaluate(() => document.activeElement.id), "copy");
    await view.page.keyboard.press("Tab");
    assert.strictEqual(await view.page.evaluate(() => document.activeElement.id), "json");
    await view.page.keyboard.press("Escape");
    assert.strictEqual(await view.page.evaluate(() => document.activeElement.id), "grid");

    await view.page.focus("#open-faults");
    await view.page.keyboard.press("Enter");
    assert(await view.page.isVisible("#faults"));
    const fields = new Set();
    for (let i = 0; i < 14; i += 1) {
      fields.add(await view.page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.type));
      await view.page.keyboard.press("Tab");
    }
    for (const name of ["close-faults", "endpoint", "kind", "status", "retry_after", "delay_ms", "times", "match", "submit"]) {
      assert(fields.has(name), name);
    }
    await view.page.keyboard.press("Escape");
    assert(await view.page.isHidden("#faults"));
    assert.strictEqual(await view.page.evaluate(() => document.activeElement.id), "open-faults");
  });

  test("is wide and narrow, light and dark, without a breach or sideways scrolling", async () => {
    await post(view.sandbox, "/track", [event("Very long name ".repeat(20), { distinct_id: "long-id-".repeat(20) }), event("Short")]);
    await post(view.sandbox, "/track", [{ event: "Refused " + "x".repeat(190), properties: {} }]);
    await post(view.sandbox, "/sandbox/script", { match: "x".repeat(300), status: 503, times: 0 });
    await view.wait(3);
    for (const colorScheme of ["light", "dark"]) {
      await view.page.emulateMedia({ colorScheme });
      for (const width of [360, 480, 768, 1024, 1280, 1920, 2560]) {
        const where = `${width} px, ${colorScheme}: `;
        await view.page.setViewportSize({ width, height: 800 });
        await view.page.click("#rows .row:not([hidden])");
        assert.strictEqual(await support.sideways(view.page), 0, where);
        assert(await view.page.isVisible("#chosen-name"), where + "the record");
        if ([360, 768, 1280].includes(width)) {
          assert.deepStrictEqual(await support.breaches(view.page), [], where);
        }
        if (width < 1024) {
          await view.page.click("#close");
          assert(await view.page.isHidden("#chosen-name"));
        }
        const box = await view.page.locator("#rows .row:not([hidden])").first().boundingBox();
        assert(box && box.width > width * 0.5, where + "the list");
        await view.page.click("#open-faults");
        assert.strictEqual(await support.sideways(view.page), 0, where + "faults");
        if (width === 360) assert.deepStrictEqual(await support.breaches(view.page), [], where + "faults");
        await view.page.keyboard.press("Escape");
      }
    }
    await view.page.emulateMedia({ colorScheme: null });
    await view.page.setViewportSize({ width: 1280, height: 800 });
    await view.page.click("#clear");
    await view.wait(0);
    assert.deepStrictEqual(await support.breaches(view.page), [], "empty");
  });

  test("looks as in its pictures", async () => {
    await lua(
      view.sandbox,
      `
      local names = { "Session started", "Level started", "Item bought", "Level finished" }
      for i = 1, 8 do
        local player = "player-" .. 71 + i % 2
        mp:track(names[(i - 1) % 4 + 1], { distinct_id = player, level = i, items = { "sword", "map" } })
        if i % 2 == 0 then
          assert(mp:flush(5))
          os.execute "sleep 0.6"
        end
      end
      mp.people:set("player-72", { plan = "pro", name = "Ada" })
      mp.people:increment("player-72", "purchases")
      mp.groups:set("guild", "dragons", { members = 12 })
      mp:import("Game bought", os.time() - 9e6, { distinct_id = "player-71", amount = 12.5 })
      assert(mp:flush(5))`,
    );
    const old = Math.floor(Date.now() / 1000) - 10 * 24 * 3600;
    await post(view.sandbox, "/track", [{ event: "Written by hand", properties: { distinct_id: "player-71" } }]);
    await post(view.sandbox, "/track", [event("Found in a drawer", { time: old, distinct_id: "player-72" })]);
    await post(view.sandbox, "/sandbox/script", [{ status: 503 }, { endpoint: "/engage", status: 500, times: 0 }]);
    await post(view.sandbox, "/track", [event("In an outage", { distinct_id: "player-71" })]);
    await view.wait(15);
    await view.page.setViewportSize({ width: 1440, height: 720 });
    await view.page.click("text=Item bought");
    await view.page.waitForSelector("#json mark");
    const folder = process.env.PAGE_PICTURES && path.resolve(support.ROOT, process.env.PAGE_PICTURES);
    for (const [colorScheme, name] of [
      ["light", "live-view.png"],
      ["dark", "live-view-dark.png"],
    ]) {
      await view.page.emulateMedia({ colorScheme });
      await view.page.waitForTimeout(600);
      const picture = await view.page.screenshot(folder ? { path: path.join(folder, name) } : {});
      assert(picture.length > 20000, "an empty picture");
    }
  });
});
