-- `mixpanel import`: records that are changed on the way, and what is said of
-- those that are not taken.
local cjson = require "cjson"
local cli_server = require "spec.support.cli_server"
local process = require "spec.support.process"

local NOW = os.time()

describe("import", function()
  local here = cli_server()
  local import, file, counts = here.import, here.file, here.counts

  local function event(more)
    return ('{"event":"E","properties":{"time":%d,"distinct_id":"u"%s}}'):format(NOW - 1000, more)
  end

  -- The lines of the file of rejected records.
  local function rejected(path)
    local list = {}
    for line in io.lines(path .. ".rejected.jsonl") do
      list[#list + 1] = cjson.decode(line)
    end
    return list
  end

  local transform = [[return function(record)
    if record.properties.i == 2 then error("no two", 0) end
    record.properties.twice = record.properties.i * 2
    return record
  end]]

  it("transforms JSON lines, arrays and CSV alike", function()
    local texts = {
      jsonl = ("%s\n%s\n%s\n"):format(event ',"i":1', event ',"i":2', event ',"i":3'),
      json = ("[%s,\n%s , %s]"):format(event ',"i":1', event ',"i":2', event ',"i":3'),
      csv = ("event,time,who,i\nE,%d,u,1\nE,%d,u,2\nE,%d,u,3\n"):format(NOW, NOW, NOW),
    }
    local program = file("t.lua", transform)
    for kind, text in pairs(texts) do
      here.server:reset()
      local path = file("a." .. kind, text)
      local arguments = { path, "-q", "--transform", program, "--set=source=old" }
      if kind == "csv" then
        arguments[#arguments + 1] = "--map=who=distinct_id"
      end
      local output, complaints, status = import(arguments)
      assert.same({ "", 3 }, { complaints, status })
      assert.same({ 3, 2, 1, 0 }, counts(output))
      for i, record in ipairs(here.server:records "/import") do
        local n = 2 * i - 1
        assert.same({ n, 2 * n, "old", "u" }, {
          record.properties.i,
          record.properties.twice,
          record.properties.source,
          record.properties.distinct_id,
        })
      end
      local refused = rejected(path)[1]
      assert.equal("transform: no two", refused.reason)
      assert.matches(kind == "csv" and "^E,%d+,u,2" or '^{"event"', text:sub(refused.offset + 1))
    end
  end)

  it("keeps what a change leaves alone", function()
    local path = file(
      "a.json",
      "["
        .. event ',"list":[],"empty":{},"nothing":null,"x":12345678901.23456,"t":"\\u00e4/"'
        .. "]"
    )
    local _, complaints, status = import { path, "-q", "--set=source=old" }
    assert.same({ "", 0 }, { complaints, status })
    local all = here.server:lines "/import"
    local line = all[#all] -- behind that of the check
    for _, text in ipairs {
      '"list":[]',
      '"empty":{}',
      '"nothing":null',
      '"x":12345678901.23456',
      '"t":"ä/"',
    } do
      assert.is_truthy(line:find(text, 1, true), line)
    end
  end)

  it("gives a changed record the same id when it is sent again", function()
    local path = file("a.jsonl", event ',"a":1,"b":2,"c":3,"d":4' .. "\n")
    local ids = {}
    for _ = 1, 4 do -- each Lua orders its tables in a way of its own
      import { path, "-q", "--set=x=1", "--set=y=2", "--set=z=3" }
    end
    for i, record in ipairs(here.server:records "/import") do
      ids[i] = record.properties["$insert_id"]
    end
    assert.same({ ids[1], ids[1], ids[1], ids[1] }, ids)
  end)

  it("says what a transform may not return", function()
    local path = file("a.jsonl", event "" .. "\n")
    for returned, reason in pairs {
      ["1"] = "expected a record, a list of them or nil, got a number",
      ["{ event = print }"] = "function",
      ["{ event = 'E', properties = { [7] = 1 } }"] = "a number cannot be the name of a property",
      ["{ event = 'E', properties = { x = 0/0 } }"] = "is no number in JSON",
      ["(function() record.properties.x = record return record end)()"] = "deeper than %d+ levels",
    } do
      local program = file("t.lua", "return function(record) return " .. returned .. " end")
      local _, complaints, status = import { path, "-q", "--transform", program }
      assert.same({ "", 3 }, { complaints, status })
      assert.matches(reason, rejected(path)[1].reason)
    end
  end)

  it("keeps the bytes of what is no record", function()
    local path = file("a.jsonl", event "" .. "\nGrüße 日本\n\255\254 caf\233\n")
    local _, _, status = import { path, "-q" }
    assert.equal(3, status)
    local lines = rejected(path)
    assert.equal("Grüße 日本", lines[1].text)
    assert.is_nil(lines[1].base64)
    assert.equal("\239\191\189\239\191\189 caf\239\191\189", lines[2].text)
    assert.equal("//4gY2Fm6Q==", lines[2].base64)
  end)

  it("says where in the file stands what Mixpanel rejects", function()
    local list = {}
    for i = 1, 5000 do
      list[i] = i % 700 == 0 and "no record" or event((',"i":%d'):format(i))
    end
    local text = table.concat(list, "\r\n")
    local path = file("a.jsonl", text)
    local program = file("t.lua", "return function(record) return record end")
    for _, more in ipairs { "-q", "--set=a=b", "--transform=" .. program } do
      here.server:script {
        endpoint = "/import",
        min_bytes = 20000,
        status = 400,
        body = {
          code = 400,
          num_records_imported = 1998,
          status = "Bad Request",
          error = "some data points in the request failed validation",
          failed_records = {
            { index = 11, field = "properties.i", message = "not this" },
            { index = 1234, field = "properties.i", message = "not this" },
          },
        },
      }
      local output = import { path, "-q", more }
      assert.same({ 5000, 4991, 9, 0 }, counts(output))
      local n = 0
      for _, item in ipairs(rejected(path)) do
        if item.reason == "not this" then
          n = n + 1
          local line = text:match("^[^\r]*", item.offset + 1)
          assert.equal(item.record.properties.i, cjson.decode(line).properties.i)
        end
      end
      assert.equal(2, n)
    end
    process.run("rm " .. path .. ".rejected.jsonl~")
  end)
end)
