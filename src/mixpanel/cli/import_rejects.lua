-- The file of records that were not taken: lines of JSON with the reason, which
-- `import` reads again once they were mended.
local Context = require "mixpanel.cli.context"
local cjson = require "cjson.safe"
local exit = require "mixpanel.cli.exit"
local utf8_text = require "mixpanel.cli.utf8_text"
local uv = require "luv"

local Rejects = {}
Rejects.__index = Rejects

local SHOWN = 65536 -- bytes of a text that is no record

-- `keep`: bytes of a file of before to go on behind.
function Rejects.new(path, keep)
  local self = setmetatable({ path = path, bytes = keep }, Rejects)
  local stat = uv.fs_stat(path)
  if keep > 0 and stat and stat.size >= keep then
    self.fd = self:check(uv.fs_open(path, "r+", 384))
    self:check(uv.fs_ftruncate(self.fd, keep))
  else
    self.bytes = 0
    self:check_folder()
    if stat and stat.type == "file" and stat.size > 0 then
      self:check(uv.fs_rename(path, path .. "~"))
      stat = nil
    end
    self.makes = stat == nil
  end
  return self
end

-- The file is made by the first record that is not taken, which may be late.
function Rejects:check_folder()
  local folder = self.path:match "^(.*)/[^/]*$" or "."
  local ok, why = uv.fs_access(folder == "" and "/" or folder, "W")
  self:check(ok, why or "the folder cannot be written to")
end

function Rejects:check(value, why)
  if not value then
    Context.fail(
      exit.input,
      "cannot write rejected records to %s: %s",
      self.path,
      Context.reason(why)
    )
  end
  return value
end

-- As text; bytes that are none are kept beside it.
local function add_text(parts, bytes)
  if #bytes > SHOWN then
    parts[#parts + 1] = (',"bytes":%d'):format(#bytes)
    bytes = bytes:sub(1, SHOWN)
  end
  local text, whole = utf8_text.of(bytes)
  parts[#parts + 1] = ',"text":' .. cjson.encode(text)
  if not whole then
    parts[#parts + 1] = ',"base64":"' .. utf8_text.base64(bytes) .. '"'
  end
end

-- A line; `json` is the record, else `text` what stands in the file.
function Rejects.line(offset, field, message, json, text)
  local parts = { '{"reason":', cjson.encode(message or "") }
  if field then
    parts[#parts + 1] = ',"field":' .. cjson.encode(field)
  end
  if offset then
    parts[#parts + 1] = (',"offset":%.0f'):format(offset)
  end
  if json then
    parts[#parts + 1] = ',"record":' .. json
  else
    add_text(parts, text)
  end
  parts[#parts + 1] = "}\n"
  return table.concat(parts)
end

-- The record or text of such a line.
function Rejects.mended(line)
  local record = line:match '^%s*{"reason":.-,"record":(.*)}%s*$'
  if record then
    return record
  end
  local item = cjson.decode(line)
  return type(item) == "table" and type(item.text) == "string" and item.text or line
end

-- What another import has made meanwhile is not overwritten.
function Rejects:open()
  local fd, why, code = uv.fs_open(self.path, self.makes and "wx" or "w", 384) -- 0600
  if code == "EEXIST" then
    why = "another import writes it: name another file with --rejected"
  end
  return self:check(fd, why)
end

function Rejects:write(lines)
  if #lines == 0 then
    return
  end
  self.fd = self.fd or self:open()
  local text = table.concat(lines)
  local written, why = uv.fs_write(self.fd, text, self.bytes)
  if written ~= #text then
    self:check(nil, why or "the disk is full")
  end
  self.bytes = self.bytes + #text
end

function Rejects:close()
  if self.fd then
    uv.fs_close(self.fd)
  end
end

return Rejects
