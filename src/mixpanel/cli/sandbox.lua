-- The local stand-in for Mixpanel, until Ctrl-C. It is part of the source and not
-- of what is installed: it runs an nginx that is unpacked beside it.
local Context = require("mixpanel.cli.context")
local exit = require("mixpanel.cli.exit")
local uv = require("luv")

local sandbox = { summary = "Run the local stand-in for Mixpanel, until Ctrl-C." }

sandbox.description = sandbox.summary
  .. " Its address is printed: a page there shows each record as it arrives."
  .. " Runs in a checkout of the source."

function sandbox.add(parser)
  parser:flag("--open", "Open its page in a browser.")
end

local HOLD = [[
echo "$MIXPANEL_SANDBOX_URL"
echo "api_host = \"$MIXPANEL_SANDBOX_URL\"; Ctrl-C ends it." >&2
[ -z "$1" ] || xdg-open "$MIXPANEL_SANDBOX_URL" >/dev/null 2>&1 ||
  echo "No browser could be opened." >&2
sleep infinity]]

-- Has the stand-in end as well when this process is told to. It is a group of its
-- own, since its shell waits for what it runs.
local function pass_on(pid)
  local signals = {}
  for i, name in ipairs({ "sigint", "sigterm", "sighup" }) do
    signals[i] = uv.new_signal()
    signals[i]:start(name, function()
      uv.kill(-pid, "sigterm")
    end)
    signals[i]:unref()
  end
  return signals
end

function sandbox.run(args)
  local folder = arg[0]:match("^(.*)/[^/]*$") or "."
  local program = folder .. "/../sandbox/sandbox"
  if not uv.fs_stat(program) then
    Context.fail(
      exit.input,
      "the stand-in is part of the source and not installed: run `make sandbox` in a checkout"
    )
  end
  local status
  local child, pid = uv.spawn(program, {
    args = { "run", "--", "sh", "-c", HOLD, "sandbox", args.open and "open" or "" },
    stdio = { 0, 1, 2 },
    detached = true,
  }, function(code)
    status = code
  end)
  if not child then
    Context.fail(exit.failed, "cannot run %s: %s", program, pid)
  end
  local signals = pass_on(pid)
  uv.run()
  for _, signal in ipairs(signals) do
    signal:stop()
  end
  return status == 143 and exit.ok or status
end

return sandbox
