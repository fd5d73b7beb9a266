-- Records that survive kill -9. The program starts a child that tracks and is
-- killed without warning; then it opens the same spool and delivers what the
-- child left.
--
--   lua5.4 examples/durable.lua
--
-- Against the sandbox: make sandbox, and set MIXPANEL_SANDBOX_URL to its URL.
local mixpanel = require "mixpanel"

local token = os.getenv "MIXPANEL_TOKEN" or "projecttoken"
local is_child = arg[1] == "child"
local spool = os.getenv "MIXPANEL_SPOOL"
if not is_child and not spool then
  spool = os.tmpname()
  os.remove(spool) -- the client makes the directory
end

local mp = mixpanel.new(token, {
  api_host = os.getenv "MIXPANEL_SANDBOX_URL",
  spool = arg[2] or spool,
  -- The child must not be quicker than its death.
  flush_interval = is_child and 60 or 5,
})

if is_child then
  for i = 1, 1000 do
    assert(mp:track("Step", { distinct_id = "1234", number = i }))
  end
  os.execute "kill -9 $PPID" -- no exit handler, no last flush
end

local interpreter = arg[-1] or "lua5.4"
os.execute(('%s "%s" child "%s" 2>/dev/null'):format(interpreter, arg[0], spool))
print "The child tracked 1000 events and was killed."

mp:track("Restarted", { distinct_id = "1234" })
local ok, message = mp:flush(10) -- waits for the records of this process
print("This process: " .. (ok and "delivered" or message))

for _ = 1, 100 do -- and the child's follow in the background
  local s = mp:stats()
  if s.adopted > 0 and s.queued + s.in_flight + s.spooled == 0 then
    break
  end
  os.execute "sleep 0.1"
end
local stats = mp:stats()
print(("Adopted: %d, delivered in all: %d"):format(stats.adopted, stats.delivered))
mp:close()
