// The typical event of shapes.lua, with what the module for Lua adds, so that
// everybody sends the same.
const crypto = require("crypto");
const fs = require("fs");

const prefix = crypto.randomBytes(8).toString("hex");

exports.typical = (i, lib) => ({
  event: "Purchase Completed",
  properties: {
    token: "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    time: Date.now(),
    $insert_id: prefix + i.toString(16).padStart(16, "0"),
    mp_lib: lib,
    $lib_version: "0.1.0",
    ip: 0,
    $os: "Linux",
    distinct_id: "user-" + ((i * 2654435761) % 4294967296).toString(16).padStart(8, "0"),
    plan: "enterprise",
    city: "Zürich, Schweiz",
    referrer: "https://example.com/pricing?src=newsletter&from=campaign",
    screen: "checkout/payment",
    items: i % 7,
    level: i % 60,
    price: (i % 20000) / 100,
    duration: (i % 4096) / 8,
    trial: i % 2 === 0,
  },
});

exports.begin = () => ({ cpu: process.cpuUsage(), wall: process.hrtime.bigint() });

exports.report = (start, n) => {
  const cpu = process.cpuUsage(start.cpu);
  const peak = /VmHWM:\s*(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1];
  console.log(
    JSON.stringify({
      events: n,
      cpu_ns: ((cpu.user + cpu.system) * 1000) / n,
      wall_ns: Number(process.hrtime.bigint() - start.wall) / n,
      peak_kib: Number(peak),
    })
  );
};
