// What pages call of mixpanel-browser: together every method that its loader
// snippet keeps until the SDK is there. Each function runs in the page.
"use strict";

function mostMethods() {
  const text = "é漢😀\u2028\"\\";
  mixpanel.track("Plain", { text, n: 1.5e-7, big: 12345678901234567000, list: [1, null, text], o: { a: { b: true } } });
  mixpanel.track_pageview();
  mixpanel.register({ plan: "pro" });
  mixpanel.time_event("Timed");
  mixpanel.track("Timed");
  mixpanel.identify("user-1");
  mixpanel.people.set({ $email: "a@example.com", text });
  mixpanel.people.set_once("first", 1);
  mixpanel.people.increment("n", 2);
  mixpanel.people.append("list", text);
  mixpanel.people.union("set", ["a", "b"]);
  mixpanel.people.remove("set", "a");
  mixpanel.people.unset("gone");
  mixpanel.set_group("company", "acme");
  mixpanel.add_group("company", "other");
  mixpanel.get_group("company", "acme").set({ size: 7 });
  mixpanel.track_with_groups("Grouped", { a: 1 }, { company: "acme" });
  mixpanel.alias("alias-1");
}

function otherMethods() {
  mixpanel.register({ plan: "pro", gone: 1 });
  mixpanel.register_once({ first: 1 });
  mixpanel.unregister("gone");
  mixpanel.name_tag("tag");
  mixpanel.identify("user-2");
  mixpanel.people.track_charge(9.5, { $time: "2026-01-01T00:00:00" });
  mixpanel.people.clear_charges();
  mixpanel.set_group("company", ["acme", "other"]);
  mixpanel.remove_group("company", "acme");
  const group = mixpanel.get_group("company", "other");
  group.set_once({ first: 1 });
  group.union("tags", ["x", "y"]);
  group.remove("tags", "x");
  group.unset("first");
  group.delete();
  mixpanel.track("Before");
  mixpanel.people.delete_user();
  mixpanel.disable(["Off"]);
  mixpanel.track("Off");
}

function settings() {
  mixpanel.identify("user-3");
  mixpanel.reset();
  mixpanel.set_config({ ip: false });
  mixpanel.track("Nowhere");
}

function consent() {
  mixpanel.opt_out_tracking();
  mixpanel.has_opted_out_tracking();
  mixpanel.has_opted_in_tracking();
  mixpanel.clear_opt_in_out_tracking();
  mixpanel.opt_in_tracking({ track_properties: { a: 1 } });
  mixpanel.track("Again");
}

// With batch_autostart: false.
function batchSenders() {
  mixpanel.track("Held");
  mixpanel.people.set("held", 1); // until the user is known
  mixpanel.identify("user-4");
  mixpanel.start_batch_senders();
}

function recording() {
  mixpanel.start_session_recording();
  mixpanel.track("Seen");
  mixpanel.stop_session_recording();
}

function links() {
  mixpanel.track_links("#link", "Followed", { a: 1 });
  mixpanel.track_forms("#form", "Sent", { a: 1 });
}

module.exports = { mostMethods, otherMethods, settings, consent, batchSenders, recording, links };
