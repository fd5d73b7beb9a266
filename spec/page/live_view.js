// Called in a describe: a sandbox and its live view in a browser, both as new
// before each test. What it returns has `sandbox`, `page`, and what follows.
"use strict";
const { after, before, beforeEach } = require("node:test");
const support = require("./support");

// What the browser says of a sandbox that is away is no trouble. One that goes resets or
// closes a connection that the browser has just made, as it tries again. The tests of
// change.test.js alone take it away while the browser is there.
const AWAY =
  /ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|INTERNET_DISCONNECTED)/;

module.exports = () => {
  const view = {};
  let browser;

  before(async () => {
    view.sandbox = support.start();
    browser = await support.browse((text) => AWAY.test(text));
    view.page = browser.page;
  });

  // The browser goes first: at the port of a sandbox that is away others may answer it.
  after(async () => {
    try {
      await browser.close();
    } finally {
      support.stop(view.sandbox);
    }
  });

  beforeEach(async () => {
    await support.request(view.sandbox, "POST", "/sandbox/reset");
    await view.page.goto(view.sandbox.url + "/");
    await view.page.waitForSelector("#connection[data-state=live]");
  });

  // The rows in sight, from above, as lists of their cells' texts.
  view.rows = () =>
    view.page.evaluate(() =>
      [...document.querySelectorAll("#rows .row:not([hidden])")]
        .sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex"))
        .map((element) => [...element.children].map((cell) => cell.textContent)),
    );
  view.column = async (at) => (await view.rows()).map((cells) => cells[at]);
  view.names = () => view.column(2);
  view.wait = (n) => support.until(async () => (await view.rows()).length === n, n + " rows");

  // What is said of the chosen record, by name.
  view.facts = () =>
    view.page.evaluate(() => {
      const all = [...document.querySelectorAll("#facts dt")];
      return Object.fromEntries(all.map((dt) => [dt.textContent, dt.nextSibling.textContent]));
    });

  return view;
};
