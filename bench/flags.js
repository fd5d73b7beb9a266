// The peer of flags.lua: Mixpanel's SDK for Node, without exposures, which it
// would send with each decision. CPU of the process, as there.
const LocalFlags = require("mixpanel/lib/flags/local_flags");
const definitions = require("./flags.json");

const CALLS = 100000;
const ROUNDS = 5;

const flags = new LocalFlags("projecttoken", {}, () => {}, { debug() {}, error() {}, warn() {} });
flags.flagDefinitions = new Map(definitions.flags.map((flag) => [flag.key, flag]));

const user = {
  distinct_id: "user-1234",
  custom_properties: { plan: "pro", seats: 12, country: "CH" },
};

for (const key of ["plain", "ruled"]) {
  if (flags.getVariantValue(key, "fallback", user, false) === "fallback") {
    throw new Error(`${key}: no variant`);
  }
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let i = 0; i < CALLS; i++) flags.getVariantValue(key, "fallback", user, false);
    const { user: cpu, system } = process.cpuUsage(start);
    best = Math.min(best, ((cpu + system) * 1000) / CALLS);
  }
  console.log(JSON.stringify({ name: key, ns: Math.round(best) }));
}
