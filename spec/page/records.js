// Records as mixpanel-browser sends them, and what tells two runs of a page apart.
"use strict";

// The SDK's base64 writes each half of a surrogate pair as three bytes.
function decodeBase64(data) {
  const bytes = Buffer.from(data, "base64").toString("latin1");
  const mended = bytes.replace(/\xed([\xa0-\xaf])(.)\xed([\xb0-\xbf])(.)/gs, (_, a, b, c, d) => {
    const half = (high, low) => ((high.charCodeAt(0) & 15) << 6) | (low.charCodeAt(0) & 63);
    return Buffer.from(String.fromCodePoint(0x10000 + (half(a, b) << 10) + half(c, d))).toString("latin1");
  });
  return Buffer.from(mended, "latin1").toString("utf8");
}

// The records of a request, each { endpoint, placed, record }; none for another
// request than one of the three endpoints. `placed`: the SDK asked for a place.
function decode(method, url, body) {
  const { pathname, searchParams } = new URL(url, "http://host");
  const endpoint = pathname.match(/\/(track|engage|groups)\/$/);
  if (!endpoint || method !== "POST") return [];
  const data = new URLSearchParams(body).get("data");
  const records = JSON.parse(/^[[{]/.test(data) ? data : decodeBase64(data));
  const placed = searchParams.get("ip") === "1";
  return [].concat(records).map((record) => ({ endpoint: "/" + endpoint[1], placed, record }));
}

// As it arrives by way of the collector, by the list in docs/collector.md: the
// visitor's address in its place. The $time of updates is left out by `arrived`.
function expected({ endpoint, placed, record }) {
  const copy = structuredClone(record);
  if (endpoint === "/track") copy.properties.ip = placed ? "127.0.0.1" : 0;
  if (endpoint === "/engage") copy.$ip = placed ? "127.0.0.1" : "0";
  return copy;
}

// Without what the collector adds to updates of people.
function arrived(record) {
  const copy = structuredClone(record);
  if (copy.$distinct_id && !Number.isInteger(copy.$time)) throw new Error("an update without $time");
  delete copy.$time;
  return copy;
}

function map(value, change, key) {
  if (Array.isArray(value)) return value.map((item) => map(item, change));
  if (value === null || typeof value !== "object") return change(value, key);
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((name) => [name, map(value[name], change, name)]));
}

const sorted = (records) => records.map((record) => JSON.stringify(map(record, (value) => value))).sort();

const CHANGING = ["time", "$insert_id", "$device_id", "$anon_distinct_id", "$duration", "$mp_replay_id"];

// What differs from run to run becomes its kind.
function mask(record) {
  return map(record, (value, key) => {
    if (typeof value === "string" && /^\$device:[0-9a-f-]{36}$/.test(value)) return "$device:";
    return CHANGING.includes(key) ? typeof value : value;
  });
}

module.exports = { decode, expected, arrived, sorted, mask };
