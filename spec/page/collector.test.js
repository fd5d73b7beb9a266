// mixpanel-browser, from its loader snippet, posts to mixpanel.collector: what
// leaves the page arrives once, as it arrives without the collector but for what
// docs/collector.md says.
"use strict";
const assert = require("node:assert");
const { execFileSync } = require("node:child_process");
const { after, before, describe, test } = require("node:test");
const calls = require("./calls");
const collector = require("./collector");
const records = require("./records");
const support = require("./support");

// The script of collector.snippet, for an SDK that takes its time to come.
function makeOwn(host) {
  const program = `package.path = "src/?.lua;" .. package.path
    io.write(require("mixpanel.collector").snippet {
      token = "projecttoken", api_host = arg[1], source = "/sdk.js?late",
      config = { lib_base_path = "/libs/", batch_flush_interval_ms = 200 },
    })`;
  return execFileSync("lua5.4", ["-", host], { cwd: support.ROOT, input: program, encoding: "utf8" });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What pages call, and how many records that makes: of calls that are kept, those
// of people come first, and those that track last.
const SCENES = [
  { name: "most methods", calls: calls.mostMethods, late: 18, early: 18 },
  { name: "the others", calls: calls.otherMethods, late: 12, early: 11 },
  { name: "reset and set_config", calls: calls.settings, late: 3, early: 2 },
  { name: "consent", calls: calls.consent, late: 2, early: 2 },
  { name: "start_batch_senders", calls: calls.batchSenders, late: 4, early: 4, config: { batch_autostart: false } },
  { name: "session recording", calls: calls.recording, late: 1, early: 1 },
];

describe("the collector", () => {
  let stage;

  before(async () => {
    stage = await collector.start();
  });

  after(async () => {
    await stage.close();
  });

  // What arrives by way of the collector, and what without it.
  async function run(when, { calls: make, config }, n) {
    const visit = async (more) => {
      if (when === "early") return stage.callEarly(make, { ...config, ...more });
      await stage.open({ ...config, ...more });
      await stage.page.evaluate(make);
    };
    await visit({});
    await stage.compare(n);
    await pause(300); // nothing more comes
    const ours = await stage.compare(n);
    await visit({ api_host: stage.mixpanel.url });
    await stage.waitDirect(n);
    await pause(300); // nothing more comes
    return [ours, stage.direct()];
  }

  for (const scene of SCENES) {
    for (const when of ["early", "late"]) {
      const moment = when === "early" ? "before the SDK is there" : "afterwards";
      test(`takes the same as Mixpanel does: ${scene.name}, called ${moment}`, async () => {
        const [ours, direct] = await run(when, scene, scene[when]);
        let n = 0;
        for (const endpoint of collector.ENDPOINTS) {
          const seen = records.sorted(ours[endpoint].map(records.arrived).map(records.mask));
          assert.deepStrictEqual(seen, records.sorted(direct[endpoint].map(records.mask)), endpoint);
          n += seen.length;
        }
        assert.strictEqual(n, scene[when], JSON.stringify(ours));
      });
    }
  }

  for (const [event, method, selector] of [
    ["Followed", "track_links", "#link"],
    ["Sent", "track_forms", "#form"],
  ]) {
    const press = () => stage.page.click(selector === "#form" ? "#send" : selector);
    const check = async () => {
      const [record] = (await stage.compare(1))["/track"];
      assert.strictEqual(record.event, event);
      assert.strictEqual(record.properties.a, 1);
    };

    test(`takes what ${method} tracks, called before the SDK is there`, async () => {
      await stage.callEarly(calls.links);
      await press();
      await check();
    });

    test(`takes what ${method} tracks, called afterwards`, async () => {
      await stage.open({});
      await stage.page.evaluate(calls.links);
      await press();
      await check();
    });
  }

  test("was sent what each method of the snippet's list makes", () => {
    const { all, group } = collector.METHODS;
    const names = [...all, ...group.map((name) => "get_group." + name)].sort();
    assert.ok(names.length >= 41, names.join());
    for (const when of ["early", "late"]) assert.deepStrictEqual([...stage.called[when]].sort(), names, when);
  });

  for (const [name, config] of [
    ["one by one", { batch_requests: false }],
    ["as JSON", { api_payload_format: "json" }],
  ]) {
    test("takes what methods send, " + name, async () => {
      await stage.open(config);
      await stage.page.evaluate(calls.mostMethods);
      const all = await stage.compare(18);
      assert.ok(all["/track"].length >= 7 && all["/engage"].length >= 9 && all["/groups"].length === 1);
    });
  }

  test("has a loader of its own, which keeps what a page calls before the SDK is there", async () => {
    const own = makeOwn(stage.url + "/mp");
    for (const name of collector.METHODS.all) {
      assert.match(own, new RegExp(`\\b${name.replace("people.", "")}\\b`)); // the same list
    }
    for (const { calls: make, early } of SCENES.slice(0, 2)) {
      await stage.openEarly(`<script>${own}\n(${make})();</script>`);
      const all = await stage.compare(early);
      assert.strictEqual(all["/groups"].length, make === calls.mostMethods ? 1 : 5);
    }
  });

  test("takes the beacons of a page that is left", async () => {
    await stage.open({ batch_flush_interval_ms: 60000 });
    await stage.page.evaluate(() => {
      mixpanel.track("Last words", { text: "é漢😀\u2028", n: 1.5e-7, list: [1, null] });
      mixpanel.identify("user-5");
      mixpanel.track("The very last");
    });
    // The SDK takes a record into its queue some promises after the call.
    const queued = () => JSON.parse(localStorage.getItem("__mpq_projecttoken_ev"))?.length === 3;
    await stage.page.waitForFunction(queued);
    await pause(500); // nothing leaves
    assert.deepStrictEqual(stage.posted, []);
    const kinds = [];
    const note = (request) => /track/.test(request.url()) && kinds.push(request.resourceType());
    stage.page.on("request", note);
    await stage.page.goto("about:blank");
    const all = await stage.compare(3);
    stage.page.off("request", note);
    assert.deepStrictEqual(kinds, ["ping"]);
    const events = all["/track"].map(({ event }) => event).sort();
    assert.deepStrictEqual(events, ["$identify", "Last words", "The very last"]);
  });

  test("keeps nothing of who sends DNT or GPC, where it is told so", async () => {
    for (const header of ["DNT", "Sec-GPC"]) {
      await stage.open({ api_host: stage.url + "/shy", ignore_dnt: true, batch_requests: false });
      await stage.page.setExtraHTTPHeaders({ [header]: "1" });
      const [reply] = await Promise.all([
        stage.page.waitForResponse(/\/shy\/track\//),
        stage.page.evaluate(() => mixpanel.track("Never")),
      ]);
      await stage.page.setExtraHTTPHeaders({});
      assert.strictEqual(reply.status(), 200);
      assert.strictEqual(await reply.text(), "1");
      const again = stage.page.waitForResponse(/\/shy\/track\//);
      await stage.page.evaluate(() => mixpanel.track("Kept"));
      await again;
      const events = async () => (await stage.kept())["/track"].map(({ event }) => event);
      await support.until(async () => (await events()).length >= 1, "the event that may be kept");
      assert.deepStrictEqual(await events(), ["Kept"]);
    }
  });

  test("gets nothing of a browser with DNT: the SDK sends nothing", async () => {
    await stage.page.addInitScript(() => {
      if (location.hash === "#dnt") Object.defineProperty(navigator, "doNotTrack", { value: "1" });
    });
    await stage.open({});
    await stage.page.goto("about:blank");
    await stage.page.goto(stage.origin + "/home#dnt");
    await stage.page.evaluate((host) => {
      mixpanel.init("projecttoken", { api_host: host, batch_flush_interval_ms: 100 });
      mixpanel.track("Never");
    }, stage.url + "/mp");
    await stage.page.waitForFunction(() => mixpanel.__loaded);
    await pause(600);
    assert.deepStrictEqual(stage.posted, []);
  });

  test("gets nothing of who opted out", async () => {
    await stage.open({});
    const opted = await stage.page.evaluate(() => {
      mixpanel.opt_out_tracking();
      mixpanel.track("Never");
      return [mixpanel.has_opted_out_tracking(), mixpanel.has_opted_in_tracking()];
    });
    assert.deepStrictEqual(opted, [true, false]);
    await pause(600);
    assert.deepStrictEqual(stage.posted, []);
    await stage.page.evaluate(() => {
      mixpanel.opt_in_tracking();
      mixpanel.track("Again");
    });
    const all = await stage.compare(2);
    assert.deepStrictEqual(all["/track"].map((record) => record.event).sort(), ["$opt_in", "Again"]);
  });
});
