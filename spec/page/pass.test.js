// What the collector passes on: session replay, flags and settings of
// mixpanel-browser arrive at Mixpanel byte for byte, with nothing added but what
// is listed here, and what Mixpanel answers arrives in the page.
"use strict";
const assert = require("node:assert");
const zlib = require("node:zlib");
const { after, before, describe, test } = require("node:test");
const collector = require("./collector");
const support = require("./support");
const { FLAGS } = require("./stand_in");

const CONFIG = {
  flags: true,
  remote_settings_mode: "fallback",
  record_sessions_percent: 100,
  record_min_ms: 0,
};

// Of a connection and not of the request, or the proxy's own.
const OF_A_HOP = ["host", "connection", "x-forwarded-for"];

// Runs in the page: notes each request by fetch, and its answer.
function watchFetch() {
  const fetch = window.fetch;
  const encode = (buffer) => btoa(Array.from(new Uint8Array(buffer), (c) => String.fromCharCode(c)).join(""));
  window.fetched = [];
  window.fetch = async (url, options = {}) => {
    const body = options.body ? encode(await new Response(options.body).arrayBuffer()) : "";
    const response = await fetch(url, options);
    const { status } = response;
    const answer = await response.clone().text();
    window.fetched.push({ url, method: options.method, headers: options.headers, body, status, answer });
    return response;
  };
}

describe("what is passed on", () => {
  let stage;

  before(async () => {
    stage = await collector.start();
    await stage.page.addInitScript(watchFetch);
  });

  after(async () => {
    await stage.close();
  });

  const ofKind = (list, kind) => list.filter(({ path }) => path.startsWith(`/${kind}/`));

  // What the page asked for by fetch, as Mixpanel should see it.
  const asked = async () =>
    (await stage.page.evaluate(() => window.fetched)).map((item) => {
      const url = new URL(item.url);
      return { ...item, path: url.pathname.replace(/^\/mp/, ""), query: url.search, body: Buffer.from(item.body, "base64") };
    });

  // A visit with some clicks, until a replay was sent.
  async function visit(config) {
    await stage.open({ ...CONFIG, ...config });
    await stage.page.evaluate(() => mixpanel.track("First"));
    const chosen = await stage.page.evaluate(async () => {
      const { flags } = mixpanel;
      const values = [await flags.get_variant_value("button", "none"), await flags.is_enabled("plain", false)];
      return [...values, await flags.get_variant_value("missing", "none")];
    });
    await stage.page.click("button");
    const properties = await stage.page.evaluate(() => mixpanel.get_session_recording_properties());
    // The recorder sends every ten seconds.
    await support.until(
      async () => ofKind(await asked(), "record").length && (await asked()).some(({ path }) => /first-time-events$/.test(path)),
      "a replay",
      60000
    );
    return { chosen, properties, asked: await asked(), seen: [...stage.mixpanel.requests] };
  }

  // The events of a replay, without what differs from run to run.
  function readReplay(visited) {
    const [first] = ofKind(visited.seen, "record");
    assert.match(first.query, /format=gzip/);
    const events = JSON.parse(zlib.gunzipSync(first.body));
    const [snapshot] = events.filter(({ type }) => type === 2);
    return { ...snapshot, timestamp: 0 };
  }

  const keysOf = (query) => [...new URLSearchParams(query).keys()].sort();
  const shape = ({ method, path, query, headers }) => ({
    method,
    path,
    query: keysOf(query),
    headers: Object.keys(headers).filter((name) => !OF_A_HOP.includes(name)).sort(),
    authorization: headers.authorization,
  });

  test("arrives as it left the page, and as without the collector", async () => {
    await stage.page.context().addCookies([{ name: "session", value: "secret", url: stage.url }]);
    const ours = await visit({});
    const direct = await visit({ api_host: stage.mixpanel.url });

    assert.deepStrictEqual(ours.chosen, [FLAGS.button.variant_value, true, "none"]);
    assert.deepStrictEqual(direct.chosen, ours.chosen);
    assert.deepStrictEqual(Object.keys(direct.properties), Object.keys(ours.properties));

    for (const kind of ["flags", "settings", "record"]) {
      const sent = ofKind(ours.asked, kind).filter(({ path }) => path !== "/libs/");
      const seen = ofKind(ours.seen, kind);
      assert.ok(sent.length > 0 && seen.length === sent.length, kind);
      sent.forEach(({ method, path, query, headers, body, status, answer }, i) => {
        const got = seen[i];
        assert.deepStrictEqual([got.method, got.path, got.query], [method, path, query]);
        assert.ok(body.equals(got.body), kind);
        for (const [name, value] of Object.entries(headers)) assert.strictEqual(got.headers[name.toLowerCase()], value);
        assert.strictEqual(got.headers.cookie, undefined);
        assert.strictEqual(status, 200);
        JSON.parse(answer);
      });
      // Several batches of a replay may have been sent by now.
      const first = ({ seen: list }) => shape(ofKind(list, kind)[0]);
      assert.deepStrictEqual(first(ours), first(direct), kind);
    }
    const answers = ({ asked: list }, kind) => ofKind(list, kind).map(({ answer }) => answer);
    assert.deepStrictEqual(answers(ours, "flags"), answers(direct, "flags"));
    assert.deepStrictEqual(answers(ours, "settings"), answers(direct, "settings"));
    assert.deepStrictEqual(readReplay(ours), readReplay(direct));
  });

  test("is a replay that the page starts, pauses and stops itself", async () => {
    await stage.open({ record_min_ms: 0 });
    const before = await stage.page.evaluate(() => mixpanel.get_session_recording_properties());
    assert.deepStrictEqual(before, {});
    await stage.page.evaluate(() => mixpanel.start_session_recording());
    const properties = () => stage.page.evaluate(() => mixpanel.get_session_recording_properties());
    await support.until(async () => (await properties()).$mp_replay_id, "a recording");
    const { $mp_replay_id: id } = await properties();
    const url = await stage.page.evaluate(() => mixpanel.get_session_replay_url());
    assert.ok(url.includes(id), url);
    await stage.page.evaluate(() => mixpanel.pause_session_recording());
    await stage.page.evaluate(() => mixpanel.resume_session_recording());
    await stage.page.click("button");
    await support.until(() => ofKind(stage.mixpanel.requests, "record").length, "the replay", 60000);
    await stage.page.evaluate(() => mixpanel.stop_session_recording());
    const [{ query, body }] = ofKind(stage.mixpanel.requests, "record");
    assert.strictEqual(new URLSearchParams(query).get("replay_id"), id);
    const types = JSON.parse(zlib.gunzipSync(body)).map(({ type }) => type);
    assert.ok(types.includes(2) && types.includes(3), types.join());
    assert.deepStrictEqual(await properties(), {});
  });
});
