-- examples/prefork.lua: the events of every worker arrive, also when one was
-- killed, and when all are asked to end.
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local http = require "socket.http"

describe("the prefork example", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("delivers the events of parent and workers", function()
    local out = os.tmpname()
    local environment = ("LUA_CPATH='%s;' MIXPANEL_SANDBOX_URL=%s"):format(
      script.cpath_of "5.1",
      server.url
    )
    local command = ("%s luajit examples/prefork.lua 0 3 >%s 2>&1 & echo $!"):format(
      environment,
      out
    )
    local pid = tonumber(process.read(command))
    local url = process.wait_for(function()
      return process.slurp(out):match "listening on (%S+)"
    end, "the server to listen")
    local workers = process.children(pid)
    assert.equal(3, #workers)
    process.signal(workers[1], "KILL")
    process.wait_for(function()
      local now = process.children(pid)
      return #now == 3 and now[1] ~= workers[1]
    end, "a new worker")

    local requests = 60
    for i = 1, requests do
      assert.equal("hello\n", (http.request(url .. "/" .. i)))
    end
    workers = process.children(pid)
    process.signal(pid, "TERM")
    process.wait_gone { pid, workers[1], workers[2], workers[3] }
    assert.equal("", (process.slurp(out):gsub("listening on %S+\n", "")))
    os.remove(out)

    local seen, by, ids, events = {}, {}, {}, {}
    for _, record in ipairs(server:records "/track") do
      local properties = record.properties
      assert.is_nil(ids[properties["$insert_id"]])
      ids[properties["$insert_id"]] = true
      events[record.event] = (events[record.event] or 0) + 1
      if record.event == "Request" then
        seen[properties.path] = true
        by[properties.worker] = true
      end
    end
    assert.same({ Request = requests, ["Server started"] = 1, ["Worker died"] = 1 }, events)
    for i = 1, requests do
      assert.is_true(seen["/" .. i], "/" .. i)
    end
    for worker in pairs(by) do
      assert.is_true(process.alive(worker) == false)
    end
  end)
end)
