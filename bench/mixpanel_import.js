// The peer of deliver.lua: npm mixpanel-import. Arguments: the sink, how many
// events, the level of gzip or "off". It knows only Mixpanel's own hosts, so
// its connections are led to the sink.
const undici = require("undici");
const [, , url, count, gzip] = process.argv;
const Pool = undici.Pool;
undici.Pool = class extends Pool {
  constructor(origin, options) {
    super(url, options);
  }
};
const { Readable } = require("stream");
const mixpanelImport = require("mixpanel-import");
const { typical, report, begin } = require("./shapes.js");

const n = Number(count);

function* events() {
  for (let i = 0; i < n; i++) yield typical(i, "node");
}

(async () => {
  const start = begin();
  const result = await mixpanelImport(
    { token: "a1b2c3d4e5f60718293a4b5c6d7e8f90", secret: "unused" },
    Readable.from(events(), { objectMode: true }),
    {
      recordType: "event",
      compress: gzip !== "off",
      compressionLevel: Number(gzip) || undefined,
      workers: 4,
      fixData: false,
      abridged: true,
    }
  );
  if (result.success !== n && result.total !== n) throw new Error(JSON.stringify(result));
  report(start, n);
  process.exit(0);
})();
