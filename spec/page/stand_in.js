// Mixpanel for a page that posts to it directly: answers pages of any origin as
// Mixpanel's hosts do, and keeps what they sent.
"use strict";
const http = require("node:http");

const FLAGS = {
  button: { variant_key: "red", variant_value: { color: "r\u00f6t \ud83d\ude00", size: 1.5 } },
  plain: { variant_key: "on", variant_value: true, experiment_id: "e-1", is_experiment_active: true },
};
const PENDING = [
  {
    flag_key: "later",
    flag_id: "f-1",
    project_id: 1,
    first_time_event_hash: "0123456789ab",
    event_name: "First",
    property_filters: {},
    pending_variant: { variant_key: "seen", variant_value: "yes" },
  },
];

// By the first name in the path.
const ANSWERS = {
  record: () => ({ code: 200, status: "OK" }),
  flags: ({ method }) => (method === "POST" ? {} : { code: 200, flags: FLAGS, pending_first_time_events: PENDING }),
  settings: () => ({ sdk_config: { config: { batch_size: 49 } } }),
};

const taken = (url) => (url.searchParams.get("verbose") === "1" ? { error: null, status: 1 } : 1);

// Returns { url, requests, close }; each request is { method, path, query, headers, body }.
async function start() {
  const requests = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://host");
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const { method, headers } = request;
      response.setHeader("Access-Control-Allow-Origin", headers.origin || "*");
      response.setHeader("Access-Control-Allow-Credentials", "true");
      response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type, traceparent");
      response.setHeader("Set-Cookie", "theirs=1");
      if (method === "OPTIONS") return response.writeHead(204).end();
      requests.push({ method, path: url.pathname, query: url.search, headers, body: Buffer.concat(parts) });
      const answer = ANSWERS[url.pathname.split("/")[1]] || (() => taken(url));
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(answer({ method })));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close: () => server.close() };
}

module.exports = { start, FLAGS };
