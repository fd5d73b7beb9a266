// The peer of `mixpanel import`: npm mixpanel-import and a file, with its
// defaults, but for what it must know of a CSV, and for the replies, which it
// need not keep. Arguments: the sink, and the file. It knows only Mixpanel's own
// hosts, so its connections are led to the sink.
const undici = require("undici");
const [, , url, file] = process.argv;
const Pool = undici.Pool;
undici.Pool = class extends Pool {
  constructor(origin, options) {
    super(url, options);
  }
};
const mixpanelImport = require("mixpanel-import");

(async () => {
  const result = await mixpanelImport({ token: process.env.TOKEN, secret: "unused" }, file, {
    recordType: "event",
    fixData: file.endsWith(".csv"),
    abridged: true,
  });
  if (!result.total || result.failed) throw new Error(JSON.stringify(result));
  console.log(`${result.total} events`);
  process.exit(0);
})();
