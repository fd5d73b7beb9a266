-- How a request waits until its records have an outcome, while the worker serves
-- others.
local GATHER = 0.02 -- seconds for which records of other requests may come along
local FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1 -- seconds between two looks

local Confirm = {}
Confirm.__index = Confirm

-- For the requests of a client in this worker.
local function new(client)
  return setmetatable({ client = client, sent = 0, again = 0 }, Confirm)
end

-- Has the records leave, but not those of each request by themselves.
local function send(self, mark)
  if mark > self.sent and ngx.now() >= self.again then
    self.again = ngx.now() + GATHER
    self.sent = self.client:mark() or 0
  end
end

-- True: all up to the mark have an outcome, within so many seconds.
function Confirm:wait(mark, seconds)
  ngx.update_time() -- else a handler that computed for long waits too little
  local deadline, pause = ngx.now() + seconds, FIRST_PAUSE
  while not self.client:done(mark) do
    local left = deadline - ngx.now()
    if left <= 0 then
      return false
    end
    send(self, mark)
    -- Less than a millisecond would be 0: nginx then goes on at once.
    ngx.sleep(math.max(0.001, math.min(pause, left)))
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
  return true
end

return new
