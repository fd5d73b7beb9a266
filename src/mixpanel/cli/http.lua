-- Requests that are no records: to the same host and with the same credentials as
-- a client's. The client forms them; curl carries them, since the module's own
-- transport knows batches of records only. What is secret goes to curl through a
-- pipe, never as an argument.
local Context = require("mixpanel.cli.context")
local credentials = require("mixpanel.cli.credentials")
local exit = require("mixpanel.cli.exit")
local uv = require("luv")

local http = {}

-- A client that gives its requests out, in place of one that sends.
function http.client(args, context, given)
  local options = given or {}
  options.transport = "manual"
  return context:onlooker(args, options)
end

-- The base URL and the credentials of the service account, in the client's own
-- words: of a request to /import.
function http.account(args, context)
  if not credentials.account(credentials.read(args.credentials)) then
    Context.fail(
      exit.usage,
      "this needs a service account: MIXPANEL_USERNAME, MIXPANEL_SECRET and MIXPANEL_PROJECT_ID"
    )
  end
  local client = http.client(args, context)
  assert(client:import("any", os.time(), { distinct_id = "" }))
  client:flush(0)
  local request = assert(client:next_request())
  return {
    base = request.url:match("^(.-)/import%?"),
    query = "?" .. request.url:match("[?&](project_id=%d+)"),
    authorization = request.headers.Authorization,
  }
end

-- A line of curl's configuration.
local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function line(name, value)
  return ('%s = "%s"\n'):format(name, (value:gsub('[\\"\n\r\t]', ESCAPES)))
end

local function configuration(args, request)
  local proxy = credentials.read(args.credentials).proxy
  local lines = {
    "silent\nshow-error\n",
    line("url", request.url),
    line("request", request.method or "GET"),
    line("max-time", ("%d"):format(request.timeout or 30)),
    line("write-out", "\n%{http_code}"),
    line("header", "Expect:"),
    proxy and line("proxy", proxy) or "",
    line("noproxy", proxy and "" or "*"),
    args.ca_file and line("cacert", args.ca_file) or "",
    request.file and line("upload-file", request.file) or "",
  }
  for name, value in pairs(request.headers) do
    lines[#lines + 1] = line("header", name .. ": " .. value)
  end
  return table.concat(lines)
end

-- Collects what a pipe says.
local function collect(pipe, parts)
  pipe:read_start(function(_, chunk)
    if chunk then
      parts[#parts + 1] = chunk
    else
      pipe:close()
    end
  end)
end

-- Runs curl; what it printed on both outputs.
local function run_curl(text)
  local input, output, errors = uv.new_pipe(), uv.new_pipe(), uv.new_pipe()
  local printed, complaints = {}, {}
  local process, why
  process, why = uv.spawn("curl", {
    args = { "-q", "--config", "-" },
    stdio = { input, output, errors },
  }, function()
    process:close()
  end)
  if not process then
    Context.fail(exit.failed, "cannot run curl, which this command needs: %s", why)
  end
  collect(output, printed)
  collect(errors, complaints)
  input:write(text)
  input:shutdown(function()
    input:close()
  end)
  uv.run()
  return table.concat(printed), table.concat(complaints)
end

-- The status and body of the reply to a request: its url, headers, method,
-- timeout in seconds and, as its body, the path of a file.
function http.fetch(args, request)
  local printed, complaints = run_curl(configuration(args, request))
  local body, status = printed:match("^(.*)\n(%d%d%d)$")
  if not status or status == "000" then
    local reason = complaints:match("^curl: ([^\n]+)") or "curl got no reply"
    Context.fail(exit.network, "%s", reason)
  end
  return tonumber(status), body
end

return http
