// The peer of deliver.lua: Mixpanel's SDK for Node. Arguments: the sink, how
// many events.
const Mixpanel = require("mixpanel");
const { typical, report, begin } = require("./shapes.js");

const [url, n] = [new URL(process.argv[2]), Number(process.argv[3])];
const client = Mixpanel.init("a1b2c3d4e5f60718293a4b5c6d7e8f90", {
  host: url.hostname,
  port: url.port,
  protocol: "http",
  verbose: true,
});

function send(list) {
  return new Promise((resolve, reject) => {
    // 50 events are the most that it puts into a request.
    client.track_batch(list, { max_batch_size: 50, max_concurrent_requests: 4 }, (errors) =>
      errors && errors.some(Boolean) ? reject(errors.find(Boolean)) : resolve()
    );
  });
}

(async () => {
  const start = begin();
  for (let i = 0; i < n; ) {
    const list = [];
    for (; list.length < 2000 && i < n; i++) list.push(typical(i, "node"));
    await send(list);
  }
  report(start, n);
})();
