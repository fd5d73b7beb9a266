-- The file of metrics that a forwarder writes.
local balance = require "spec.support.forward_balance"
local cjson = require "cjson"
local cli = require "spec.support.cli"
local forwarding = require "spec.support.forwarding"
local lfs = require "lfs"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local prometheus = require "spec.support.prometheus"

describe("the metrics of a forwarder", function()
  local here = forwarding()

  setup(function()
    prometheus.unpack()
  end)

  local function counters(forwarder)
    local found = {}
    for name, value in pairs(forwarder:metrics()) do
      if name:find "_total{" then
        found[name] = value
      end
    end
    return found
  end

  it("are valid, and count what became of each record", function()
    here.fleet:projects { { token = here.TOKEN }, { token = "anothertoken" } }
    local forwarder = here.fleet:start()
    here.put("events", { here.event "A", here.event "B", { event = "" } })
    here.put("events", "\31\139")
    here.fleet:settle(10)
    forwarder:stop()
    assert.equal("", prometheus.check(forwarder:metrics_text()))
    local project = ('{project="%s"}'):format(here.subject("x"):match "%.(%x+)%.")
    local found = forwarder:metrics()
    for name, value in pairs {
      messages = 2,
      records = 3,
      refused = 1,
      quarantined = 1,
      dead = 2,
      settled = 2,
      untold = 0,
      tenures = 1,
    } do
      assert.equal(value, found[("mixpanel_forward_%s_total%s"):format(name, project)], name)
    end
    assert.equal(2, found["mixpanel_records_delivered_total" .. project])
    assert.equal(0, found["mixpanel_forward_owned" .. project])
  end)

  it("balance, also where records had no outcome when it ended", function()
    here.server:script { times = 0, status = 503 }
    local forwarder = here.fleet:start { arguments = { "--exit-timeout", 0.1 } }
    here.put("events", { here.event "A", here.event "B" })
    nats.until_done("a request", function()
      return here.requests "/track" > 0
    end)
    forwarder:stop()
    assert.equal(2, balance(forwarder).let_go)
    here.server:reset()
    forwarder = here.fleet:start()
    here.fleet:settle()
    forwarder:stop()
    local counts = balance(forwarder)
    assert.equal(0, counts.let_go)
    assert.equal(2, counts.delivered)
  end)

  -- Somebody else's key takes the lease away, and goes after its time.
  it("never go back while a process gets its project again", function()
    local forwarder = here.fleet:start()
    here.put("events", { here.event "A" })
    here.fleet:settle()
    forwarder:until_metric("mixpanel_records_delivered_total", 1)
    local subject = here.subject("x"):gsub("^mp%.(%x+)%.x$", "$KV.mixpanel_lease.%1")
    here.fleet:put(subject, cjson.encode { owner = "somebody", setup = "" })
    local before = counters(forwarder)
    forwarder:until_said "given up: another forwarder has it"
    here.put("events", { here.event "B" })
    nats.until_done("a second time", function()
      local now = counters(forwarder)
      for name, value in pairs(before) do
        assert.is_true((now[name] or 0) >= value, name)
      end
      before = now
      return forwarder:metric "mixpanel_forward_tenures_total" == 2
        and forwarder:metric "mixpanel_records_delivered_total" == 2
    end)
    here.same_names { "A", "B" }
    assert.equal("", prometheus.check(forwarder:metrics_text()))
  end)

  -- Whoever has opened the file reads on in the old one.
  it("are a new file each time, which is there only when it is whole", function()
    local forwarder = here.fleet:start()
    nats.until_done("metrics", function()
      return forwarder:metrics_text()
    end)
    local file = assert(io.open(forwarder.path .. ".prom"))
    local first = file:read(10)
    here.put("events", { here.event "A" })
    here.fleet:settle()
    forwarder:stop()
    local old = first .. file:read "*a"
    file:close()
    assert.matches("mixpanel_forward_unknown_messages 0\n$", old)
    assert.matches("mixpanel_forward_messages_total{[^}]*} 0\n", old)
    assert.equal(1, forwarder:metric "mixpanel_forward_messages_total")
    assert.equal("", process.read(("ls %s | grep new || true"):format(here.fleet.dir)))
  end)

  it("say once that they cannot be written", function()
    lfs.mkdir(here.fleet.dir .. "/missing")
    local forwarder = here.fleet:start {
      arguments = { "--metrics", here.fleet.dir .. "/missing/metrics" },
    }
    process.run(("rm -r %s/missing"):format(here.fleet.dir))
    forwarder:until_said(
      "metrics cannot be written: " .. here.fleet.dir .. "/missing/metrics.new: No"
    )
    here.put("events", { here.event "A" })
    here.fleet:settle()
    forwarder:stop()
    assert.equal(1, forwarder:count_said "metrics cannot be written")
    here.same_names { "A" }
    local folder = here.fleet.dir .. "/folder"
    forwarder = here.fleet:start { arguments = { "--metrics", folder } }
    nats.until_done("metrics", function()
      return lfs.attributes(folder)
    end)
    os.remove(folder)
    lfs.mkdir(folder)
    forwarder:until_said("metrics cannot be written: " .. folder .. ": Is a directory")
    forwarder:stop()
    assert.is_nil(lfs.attributes(folder .. ".new"))
    local function refused(path, reason)
      local words = { "forward", "--bus", here.servers.urls[1], "--projects" }
      words[5], words[6], words[7] = here.fleet.projects_path, "--metrics", path
      local printed, complaints, status = cli.run(words)
      assert.same(
        { "", "mixpanel: --metrics" .. reason .. "\n", 5 },
        { printed, complaints, status }
      )
    end
    refused(folder, (": %s is no regular file"):format(folder))
    local missing = folder .. "/missing/"
    refused(missing .. "m", (" %sm: %s: no such file or directory"):format(missing, missing))
    refused(
      here.fleet.projects_path .. "/m",
      (" %s/m: %s/: not a directory"):format(here.fleet.projects_path, here.fleet.projects_path)
    )
  end)
end)
