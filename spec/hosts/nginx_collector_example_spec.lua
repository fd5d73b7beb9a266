-- examples/collector as `make demo-collector` runs it.
local http = require "socket.http"
local ltn12 = require "ltn12"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

describe("examples/collector", function()
  local server, log, pid, port

  -- Whether the nginx that the program starts has workers, as it has once it has the port.
  local function has_workers()
    for _, child in ipairs(process.children(pid)) do
      if #process.children(child) > 0 then
        return true
      end
    end
    return false
  end

  setup(function()
    server = sandbox.start()
    log = os.tmpname()
    local command =
      "COLLECTOR_PORT=%d MIXPANEL_SANDBOX_URL=%s .ci/demo-collector >%s 2>&1 & echo $!"
    process.with_free_port(function(free)
      port = free
      pid = tonumber(process.read(command:format(port, server.url, log)))
      process.wait_for(function()
        return not process.alive(pid) or has_workers()
      end, "nginx")
      return process.alive(pid), process.slurp(log)
    end)
  end)

  teardown(function()
    if process.alive(pid) then
      process.signal(pid, "TERM")
      process.wait_gone { pid }
    end
    os.remove(log)
    server:stop()
  end)

  local function get(path)
    local body, status = http.request(("http://127.0.0.1:%d%s"):format(port, path))
    return status == 200 and body or nil
  end

  local function post(path, body)
    local parts = {}
    local _, status = http.request {
      url = ("http://127.0.0.1:%d%s"):format(port, path),
      method = "POST",
      headers = { ["Content-Length"] = #body },
      source = ltn12.source.string(body),
      sink = ltn12.sink.table(parts),
    }
    return table.concat(parts), status
  end

  it("shows its page, collects and delivers", function()
    local page
    process.wait_for(function()
      assert(process.alive(pid), process.slurp(log))
      page = get "/"
      return page
    end, "nginx")
    assert.matches('const token = "projecttoken"', page)
    local event = '{"event":"Button","properties":{"token":"projecttoken","time":%d}}'
    local text, status = post("/mp/track/?verbose=1&ip=1", event:format(os.time()))
    assert.same({ '{"error":null,"status":1}', 200 }, { text, status })
    process.wait_for(function()
      return #server:records "/track" == 1
    end, "the event")
    assert.equal("127.0.0.0", server:records("/track")[1].properties.ip) -- cut
    assert.matches("accepted", get "/status")
    process.signal(pid, "TERM")
    process.wait_gone { pid }
    for line in process.slurp(log):gmatch "[^\n]+" do
      assert.is_nil(line:find("[error]", 1, true), line)
    end
  end)
end)
