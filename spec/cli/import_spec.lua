-- `mixpanel import`: what becomes of the records of files.
local Rejects = require "mixpanel.cli.import_rejects"
local cjson = require "cjson"
local cli_server = require "spec.support.cli_server"
local process = require "spec.support.process"

local NOW = os.time()

describe("import", function()
  local here = cli_server()
  local import, file, counts = here.import, here.file, here.counts

  local function event(i, more)
    return ('{"event":"E","properties":{"time":%d,"distinct_id":"u","i":%d%s}}'):format(
      NOW - 1000,
      i,
      more or ""
    )
  end

  local function lines(n)
    local list = {}
    for i = 1, n do
      list[i] = event(i) .. "\n"
    end
    return table.concat(list)
  end

  -- How often each property `i` arrived.
  local function arrived(endpoint)
    local seen, n = {}, 0
    for _, record in ipairs(here.server:records(endpoint or "/import")) do
      local i = record.properties.i
      seen[i] = (seen[i] or 0) + 1
      n = n + 1
    end
    return seen, n
  end

  it("takes JSON lines, arrays and CSV, also gzipped", function()
    local array = "[\n" .. lines(50):gsub("\n", ",\n"):gsub(",\n$", "\n]")
    local csv = { "event,time,distinct_id,i\n" }
    for i = 1, 50 do
      csv[#csv + 1] = ('E,%d,"u ""%d""\n, x",%d\r\n'):format(NOW - 1000, i, i)
    end
    local texts = { jsonl = lines(50), json = array, csv = table.concat(csv) }
    for kind, text in pairs(texts) do
      local path = file("a." .. kind, text)
      process.run("gzip -k " .. path)
      for _, suffix in ipairs { "", ".gz" } do
        here.server:reset()
        local output, complaints, status = import { path .. suffix, "--quiet" }
        assert.equal("", complaints)
        assert.equal(0, status)
        assert.same({ 50, 50, 0, 0 }, counts(output))
        local seen, n = arrived()
        assert.same({ 50, 50 }, { #seen, n })
        assert.equal(
          kind == "csv" and 'u "7"\n, x' or "u",
          here.server:records("/import")[7].properties.distinct_id
        )
      end
    end
  end)

  it("reads standard input", function()
    local path = file("a", "\239\187\191" .. lines(3):gsub("\n", "\r\n") .. event(4))
    local output, _, status = import({ "-", "-q" }, "<" .. path)
    assert.equal(0, status)
    assert.same({ 4, 4, 0, 0 }, counts(output))
    local _, complaints
    _, complaints, status = import({ "-", "--resume" }, "<" .. path)
    assert.equal(2, status)
    assert.matches("standard input cannot be resumed", complaints)
  end)

  it("takes profiles and groups, of JSON and of CSV", function()
    local people = file("p.jsonl", '{"$distinct_id":"u","$add":{"n":1}}\n')
    local _, complaints, status = import { people, "--type", "people", "-q" }
    assert.same({ "", 0 }, { complaints, status })
    local csv = file("g.csv", "company,name,seats\nacme,Acme,12\n")
    _, complaints, status = import {
      csv,
      "--type=groups",
      "--map=company=$group_id",
      "--set=$group_key=company",
      "--text=seats",
      "-q",
    }
    assert.same({ "", 0 }, { complaints, status })
    assert.same({ n = 1 }, here.server:records("/engage")[1]["$add"])
    local group = here.server:records("/groups")[1]
    assert.same({ name = "Acme", seats = "12" }, group["$set"])
    assert.same({ "company", "acme" }, { group["$group_key"], group["$group_id"] })
  end)

  it("renames, sets and transforms", function()
    local csv = file("a.csv", "ts,who,what,zip,n\n2023-01-02 03:04:05,u,Buy,01234,1.5\n")
    local _, complaints, status = import {
      csv,
      "--time=ts",
      "--map=who=distinct_id",
      "--map=what=event",
      "--map=n=",
      "--set=source=old",
      "-q",
    }
    assert.same({ "", 0 }, { complaints, status })
    local record = here.server:records("/import")[1]
    assert.same({ "Buy", 1672628645000 }, { record.event, record.properties.time })
    assert.same(
      { "u", "01234", "old" },
      { record.properties.distinct_id, record.properties.zip, record.properties.source }
    )
    assert.is_nil(record.properties.n)
    here.server:reset()
    local json = file(
      "a.jsonl",
      '{"event":"A","ts":"2023-01-02T03:04:05Z","x":1}\n{"event":"B"}\n{"event":"C","x":2}\n'
    )
    local program = file(
      "t.lua",
      [[return function(r) if r.event == "B" then return nil end
        if r.event == "C" then error "no C" end r.properties = { y = r.x } r.x = nil return r end]]
    )
    local output
    output, complaints, status = import { json, "--time=ts", "--transform", program, "-q" }
    assert.equal("", complaints)
    assert.equal(3, status)
    assert.same({ 2, 1, 1, 0 }, counts(output))
    record = here.server:records("/import")[1]
    assert.same({ 1, 1672628645000 }, { record.properties.y, record.properties.time })
    assert.matches("no C", process.slurp(json .. ".rejected.jsonl"))
  end)

  it("keeps equal rows apart, and repeats equal", function()
    local path = file("a.jsonl", (event(1) .. "\n"):rep(3))
    local function ids()
      local list = {}
      for _, record in ipairs(here.server:records "/import") do
        list[#list + 1] = record.properties["$insert_id"]
      end
      table.sort(list)
      here.server:reset()
      return list
    end
    import { path, "-q" }
    local first = ids()
    assert.equal(3, #first)
    assert.is_true(first[1] ~= first[2] and first[2] ~= first[3])
    import { path, "-q" }
    assert.same(first, ids())
  end)

  it("refuses what is no record, says where and why, and takes it mended", function()
    local path = file(
      "a.jsonl",
      table.concat(
        { event(1), "{no", "", "\255\254", event(2, ',"a":1,"a":2'), '{"event":"E"}', event(3) },
        "\n"
      )
    )
    local output, complaints, status = import { path, "-q" }
    assert.equal("", complaints)
    assert.equal(3, status)
    assert.same({ 6, 2, 4, 0 }, counts(output))
    local rejected = path .. ".rejected.jsonl"
    local texts = {}
    for line in io.lines(rejected) do
      local item = cjson.decode(line)
      texts[#texts + 1] = (item.field or "") .. "|" .. item.reason
      assert.is_true(item.record ~= nil or item.text ~= nil)
    end
    assert.equal(4, #texts)
    assert.matches("no JSON: expected a string, at byte 2", texts[1])
    assert.matches("^properties.time|import wants", texts[4])
    local mended = process.slurp(rejected):gsub('{"event":"E"}', event(4))
    output = import { file("mended.jsonl", mended), "-q" }
    assert.same({ 4, 1, 3, 0 }, counts(output))
    assert.equal(1, arrived()[4])
  end)

  it("counts exactly what a server rejects that fails now and then", function()
    local path = file("a.jsonl", lines(9000))
    local failed = {}
    for i = 0, 29 do
      failed[#failed + 1] = { index = i * 60, field = "properties.i", message = "not this" }
    end
    here.server:script {
      { endpoint = "/import", min_bytes = 20000, status = 503, times = 2 },
      {
        endpoint = "/import",
        min_bytes = 20000,
        status = 429,
        headers = { ["Retry-After"] = "1" },
      },
      {
        endpoint = "/import",
        min_bytes = 20000,
        status = 400,
        body = {
          code = 400,
          num_records_imported = 1970,
          status = "Bad Request",
          error = "some data points in the request failed validation",
          failed_records = failed,
        },
      },
      { endpoint = "/import", min_bytes = 20000, close = "after" },
    }
    local output, _, status = import { path, "-q" }
    assert.equal(3, status)
    assert.same({ 9000, 8970, 30, 0 }, counts(output))
    local n, records = 0, {}
    for line in io.lines(path .. ".rejected.jsonl") do
      local item = cjson.decode(line)
      n = n + 1
      records[item.record.properties.i] = true
      assert.same({ "properties.i", "not this" }, { item.field, item.reason })
    end
    assert.equal(30, n)
    here.server:reset()
    output, _, status = import { path .. ".rejected.jsonl", "-q" }
    assert.equal(0, status)
    assert.same({ 30, 30, 0, 0 }, counts(output))
    for _, record in ipairs(here.server:records "/import") do
      assert.is_true(records[record.properties.i])
    end
  end)

  it("sends nothing in a dry run", function()
    local path = file("a.jsonl", lines(5) .. "x\n")
    local output, _, status = import { path, "--dry-run", "-q" }
    assert.equal(3, status)
    assert.matches("read +6\nfaults +1\n.*expected an object", output)
    assert.same({}, here.server:requests())
    assert.is_nil(process.slurp(path .. ".rejected.jsonl"))
  end)

  it("says what is wrong with a file", function()
    local _, output, complaints, status
    for _, name in ipairs { "empty.jsonl", "empty.json", "empty.csv", "empty.gz" } do
      output, complaints, status = import { file(name, ""), "-q" }
      assert.same({ "", 0 }, { complaints, status })
      assert.same({ 0, 0, 0, 0 }, counts(output))
    end
    local packed = file("cut.jsonl", lines(20000))
    process.run(("gzip %s && truncate -s -20 %s.gz"):format(packed, packed))
    output, complaints, status = import { packed .. ".gz", "-q" }
    assert.equal(5, status)
    assert.matches("cut.jsonl.gz: unexpected end of file", complaints)
    assert.equal(0, counts(output)[4])
    for name, text in pairs {
      ["b.csv"] = 'a,"b\n1,2\n',
      ["c.csv"] = "a,a\n1,2\n",
      ["d.txt"] = "hello\n",
    } do
      _, complaints, status = import { file(name, text), "-q" }
      assert.equal(5, status)
      assert.matches(name, complaints)
    end
    _, complaints, status = import { here.folder .. "/none.jsonl" }
    assert.equal(5, status)
    assert.matches("none.jsonl: no such file or directory\n$", complaints)
    local rejected = here.folder .. "/none/rejected"
    _, complaints, status = import { file("a.jsonl", "x\n"), "--rejected", rejected }
    assert.equal(5, status)
    assert.matches("none/rejected: the folder cannot be written to", complaints)
    _, complaints, status = import { here.folder }
    assert.equal(5, status)
    assert.matches("a directory", complaints)
  end)

  it("does not write over what another import refused meanwhile", function()
    local path = file("a.jsonl.rejected.jsonl", "of before\n")
    local first, second = Rejects.new(path, 0), Rejects.new(path, 0)
    first:write { "1\n" }
    local ok, why = pcall(second.write, second, { "2\n" })
    first:write { "3\n" }
    first:close()
    assert.is_false(ok)
    assert.matches("another import writes it: name another file with %-%-rejected", why.message)
    assert.equal("1\n3\n", process.slurp(path))
    assert.equal("of before\n", process.slurp(path .. "~"))
  end)

  it("refuses rows of other widths, and the header once more", function()
    local path = file(
      "a.csv",
      ("event,time,i\nE,%d,1\nE,%d\nevent,time,i\nE,%d,2,3\nE,%d,4"):format(NOW, NOW, NOW, NOW)
    )
    local output, _, status = import { path, "-q" }
    assert.equal(3, status)
    assert.same({ 5, 2, 3, 0 }, counts(output))
    assert.matches("once more", process.slurp(path .. ".rejected.jsonl"))
  end)

  it("takes lines of any length, and gets over those that are too long", function()
    local long = event(2, (',"x":"%s"'):format(("x"):rep(20 * 1024 * 1024)))
    local path = file("a.jsonl", event(1) .. "\n" .. long .. "\n" .. event(3) .. "\n")
    local output, _, status = import { path, "-q" }
    assert.equal(3, status)
    assert.same({ 3, 2, 1, 0 }, counts(output))
  end)
end)
