-- examples/openresty as it stands, but for its port and for where the nginx of
-- the specs keeps its own files.
local cjson = require "cjson"
local http = require "socket.http"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local HERE = process.read "pwd"
local ROOT = HERE .. "/" .. nginx.ROOT

local function read_config(port)
  local text = process.slurp "examples/openresty/nginx.conf"
  local lua_path = ROOT .. "/usr/share/lua/5.1/?.lua"
  local lua_cpath = process.read(("echo %s/usr/lib/*/lua/5.1"):format(ROOT)) .. "/?.so"
  text = text:gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. port)
  text = text:gsub('(lua_package_path[^\n]*);;"', "%1;" .. lua_path .. ';;"')
  text = text:gsub('(lua_package_cpath[^\n]*);;"', "%1;" .. lua_cpath .. ';;"')
  return text
end

-- Starts nginx in the background; returns its pid.
local function start(dir, url)
  local modules = ROOT .. "/usr/lib/nginx/modules"
  local globals = (
    "load_module %s/ndk_http_module.so;" .. " load_module %s/ngx_http_lua_module.so;"
  ):format(modules, modules)
  if nginx.is_root() then -- nobody may not be able to read the clone
    globals = globals .. " user root;"
  end
  local prefix = HERE .. "/" .. dir
  local command =
    nginx.command(("-p %s -c %s/nginx.conf -e stderr -g '%s'"):format(prefix, prefix, globals))
  return tonumber(
    process.read(
      ("(export MIXPANEL_SANDBOX_URL=%s; %s) >%s/log 2>&1 & echo $!"):format(url, command, dir)
    )
  )
end

describe("examples/openresty", function()
  local server, dir, pid, port

  setup(function()
    server = sandbox.start()
    dir = process.read "mktemp -d -p build"
    process.with_free_port(function(free)
      port = free
      local file = assert(io.open(dir .. "/nginx.conf", "w"))
      file:write(read_config(port))
      file:close()
      pid = start(dir, server.url)
      process.wait_for(function() -- it has workers once it has the port
        return not process.alive(pid) or #process.children(pid) > 0
      end, "nginx")
      return process.alive(pid), process.slurp(dir .. "/log")
    end)
  end)

  teardown(function()
    if pid and process.alive(pid) then
      process.signal(pid, "TERM")
      process.wait_gone { pid }
    end
    process.run("rm -rf " .. dir)
    server:stop()
  end)

  local function get(path)
    local body, status = http.request {
      url = ("http://127.0.0.1:%d%s"):format(port, path),
      headers = { Cookie = "user=u7" },
    }
    return body and status
  end

  it("runs, tracks and shows its counters", function()
    process.wait_for(function()
      assert(process.alive(pid), process.slurp(dir .. "/log"))
      return get "/" == 200
    end, "nginx")
    assert.equal(200, get "/buy?item=book")
    local body = assert(http.request(("http://127.0.0.1:%d/status"):format(port)))
    assert.truthy(cjson.decode(body).accepted)
    process.signal(pid, "QUIT")
    process.wait_gone { pid }
    local counts = {}
    for _, record in ipairs(server:records "/track") do
      counts[record.event] = (counts[record.event] or 0) + 1
      assert.equal("u7", record.properties.distinct_id)
    end
    assert.same({ Request = 2, Purchase = 1 }, counts)
    assert.equal("u7", server:records("/engage")[1]["$distinct_id"])
    assert.equal("", process.slurp(dir .. "/log"))
  end)
end)
