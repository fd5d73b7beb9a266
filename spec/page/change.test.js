// The live view changes the sandbox, and finds it again.
"use strict";
const assert = require("node:assert");
const net = require("node:net");
const { describe, test } = require("node:test");
const support = require("./support");
const liveView = require("./live_view");

const { post, event, until } = support;

describe("the live view", () => {
  const view = liveView();

  test("scripts faults and clears, with the page's token", async () => {
    await view.page.click("#open-faults");
    await view.page.selectOption("#fault-form [name=endpoint]", "/track");
    await view.page.fill("#fault-form [name=status]", "429");
    await view.page.fill("#fault-form [name=retry_after]", "7");
    await view.page.fill("#fault-form [name=match]", "only this");
    await view.page.fill("#fault-form [name=times]", "2");
    await view.page.click("text=Add fault");
    const list = () => view.page.$$eval("#fault-list li", (items) => items.map((item) => item.textContent));
    await until(async () => (await list()).length === 1, "the fault");
    assert.deepStrictEqual(await list(), ["/track: answers 429, if the body contains only this, 2 times"]);
    assert.strictEqual((await post(view.sandbox, "/track", [event("Other")])).status, 200);
    const answer = await post(view.sandbox, "/track", [event("only this")]);
    assert.strictEqual(answer.status, 429);
    assert.strictEqual(answer.headers["retry-after"], "7");
    await until(async () => (await list())[0].endsWith("once"), "one less");

    await view.page.selectOption("#fault-form [name=kind]", "before");
    assert(await view.page.isDisabled("#fault-form [name=status]"));
    await view.page.click("text=Add fault");
    await until(async () => (await list()).length === 2, "another fault");
    assert.strictEqual(await view.page.textContent("#fault-count"), "2");
    await view.page.click("#remove-faults");
    await until(async () => (await list()).length === 0, "no faults");
    await view.page.keyboard.press("Escape");
    assert.strictEqual((await post(view.sandbox, "/track", [event("only this")])).status, 200);

    await view.wait(3);
    await view.page.click("#clear");
    await view.wait(0);
    assert.match((await support.request(view.sandbox, "GET", "/sandbox/requests")).text, /^\[\]$/);
    assert(await view.page.isVisible("text=Nothing has arrived yet"));
  });

  test("finds its sandbox again after a restart, with a new token", async () => {
    await post(view.sandbox, "/track", [event("Before")]);
    await view.wait(1);
    const { port } = view.sandbox;
    support.stop(view.sandbox);
    await view.page.waitForSelector("#connection[data-state=lost]");
    view.sandbox = support.start("--port", port);
    await view.page.waitForSelector("#connection[data-state=live]");
    await view.wait(0);
    await post(view.sandbox, "/track", [event("After")]);
    await until(async () => (await view.names()).join() === "After", "what came after");
    await view.page.click("#clear");
    await view.wait(0);
    assert(await view.page.isHidden("#message"));
  });

  test("goes on where it was when the connection alone is lost, by a forwarded port too", async () => {
    const sockets = new Set();
    const forward = net.createServer((near) => {
      const far = net.connect(view.sandbox.port, "127.0.0.1");
      for (const socket of [near, far]) socket.on("error", () => {}).on("close", () => near.destroy() && far.destroy());
      near.pipe(far).pipe(near);
      sockets.add(near);
    });
    await new Promise((resolve) => forward.listen(0, "127.0.0.1", resolve));
    const { port } = forward.address();
    await view.page.goto(`http://127.0.0.1:${port}/`);
    await post(view.sandbox, "/track", [event("One")]);
    await view.wait(1);
    await view.page.click("text=One");
    await view.page.waitForSelector("#json mark");

    forward.close();
    for (const socket of sockets) socket.destroy();
    await view.page.waitForSelector("#connection[data-state=lost]");
    await post(view.sandbox, "/track", [event("Two")]);
    await new Promise((resolve) => forward.listen(port, "127.0.0.1", resolve));
    await view.page.waitForSelector("#connection[data-state=live]");
    await view.wait(2);
    assert.deepStrictEqual(await view.names(), ["One", "Two"]);
    assert.strictEqual(await view.page.textContent("#chosen-name"), "One");
    await view.page.click("#clear");
    await view.wait(0);
    forward.close();
    for (const socket of sockets) socket.destroy();
  });
});
