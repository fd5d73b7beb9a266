-- What is known of an import that may be interrupted: a file beside the one
-- that is imported, of lines. The first says which file and which options it
-- is about; the others, each true until the next one of its kind:
--
--     handed OFFSET                          what lies below may have been sent
--     done OFFSET READ DELIVERED REJECTED BYTES   what lies below has outcomes: so
--                                            many records, and so many bytes of the
--                                            file of rejected ones
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local Journal = {}
Journal.__index = Journal

local MAGIC = "mixpanel-import 1 "

local function fail(self, why)
  Context.fail(exit.input, "cannot write the journal %s: %s", self.path, why)
end

-- Nothing where it is no file, such as a device, which may never end.
local function read_text(path)
  local stat = uv.fs_stat(path)
  local file = (not stat or stat.type == "file") and io.open(path, "rb")
  if not file then
    return nil, not stat or stat.type ~= "file"
  end
  local text = file:read "*a"
  file:close()
  return text
end

-- A last line that was not written whole does not count.
local function parse(self, text)
  for line in text:gmatch "([^\n]*)\n" do
    local numbers = {}
    for number in line:gmatch "%d+" do
      numbers[#numbers + 1] = tonumber(number)
    end
    if line:find "^handed " and #numbers == 1 then
      self.handed = numbers[1]
    elseif line:find "^done " and #numbers == 5 then
      self.done, self.read, self.delivered = numbers[1], numbers[2], numbers[3]
      self.rejected, self.bytes = numbers[4], numbers[5]
    end
  end
end

local function resume(self, text, head)
  if text:sub(1, #head) ~= head then
    local same_file = text:match "^[^\n]*" and text:find(self.identity, 1, true)
    Context.fail(
      exit.input,
      same_file and "%s: it was begun with other options; --restart begins anew"
        or "%s: it has changed since the import began; --restart begins anew",
      self.file
    )
  end
  parse(self, text)
end

-- Locks an open file against every other open of it, for as long as it is open
-- here: the lock is of what is open, which flock has from this process. False:
-- it is locked already.
local function lock(self)
  if uv.fs_fstat(self.fd).type ~= "file" then
    return true -- a device keeps nothing
  end
  local status
  local child, why = uv.spawn("flock", {
    args = { "-xn", "3" },
    stdio = { nil, nil, 2, self.fd },
  }, function(code)
    status = code
  end)
  if not child then
    fail(
      self,
      "it cannot be locked, for want of flock: "
        .. Context.reason(why)
        .. "; --no-journal does without"
    )
  end
  while not status do
    uv.run "once"
  end
  child:close()
  return status == 0
end

-- Opens the journal, which nobody else has then. One that the other has removed
-- meanwhile, at its end, is opened anew.
local function open_alone(self)
  repeat
    local why
    self.fd, why = uv.fs_open(self.path, "a", 384) -- 0600
    if not self.fd then
      fail(
        self,
        Context.reason(why) .. "; --journal names another place, --no-journal does without"
      )
    elseif not lock(self) then
      Context.fail(
        exit.input,
        "%s is being imported: another process has the journal %s; wait for its end, "
          .. "or end it and go on with --resume",
        self.file,
        self.path
      )
    end
    local gone = uv.fs_fstat(self.fd).nlink == 0
    if gone then
      uv.fs_close(self.fd)
    end
  until not gone
end

-- `how`: "resume", "restart" or nil. `settings`: a line that tells apart what
-- options make of the file.
function Journal.open(path, file, identity, settings, how)
  local self = setmetatable({
    path = path,
    file = file,
    identity = identity,
    handed = 0,
    done = 0,
    read = 0,
    delivered = 0,
    rejected = 0,
    bytes = 0,
  }, Journal)
  local head = MAGIC .. identity .. " " .. settings .. "\n"
  open_alone(self)
  local text, absent = read_text(path)
  if text and text ~= "" and how == "resume" then
    resume(self, text, head)
    self.resumed = true
  elseif text and text ~= "" and how ~= "restart" then
    Context.fail(
      exit.input,
      "%s: an import of it was interrupted; --resume goes on, --restart begins anew",
      file
    )
  elseif not text and not absent then
    fail(self, "it cannot be read")
  end
  if not self.resumed then
    uv.fs_ftruncate(self.fd, 0) -- of a device it cannot, and need not
    self:write(head)
  elseif text:sub(-1) ~= "\n" then
    self:write "\n"
  end
  return self
end

function Journal:write(text)
  local written, why = uv.fs_write(self.fd, text, -1)
  if written ~= #text then
    fail(self, why and Context.reason(why) or "the disk is full")
  end
end

-- What lies below the offset is about to be sent.
function Journal:hand(offset, durably)
  if offset > self.handed then
    self.handed = offset
    self:write(("handed %.0f\n"):format(offset))
    if durably then
      uv.fs_fsync(self.fd)
    end
  end
end

function Journal:finish(offset, read, delivered, rejected, bytes)
  self.done = offset
  self.read, self.delivered, self.rejected, self.bytes = read, delivered, rejected, bytes
  self:write(("done %.0f %.0f %.0f %.0f %.0f\n"):format(offset, read, delivered, rejected, bytes))
end

function Journal:close(complete)
  uv.fs_close(self.fd)
  local stat = complete and uv.fs_stat(self.path)
  if stat and stat.type == "file" then -- and not /dev/null
    os.remove(self.path)
  end
end

return Journal
