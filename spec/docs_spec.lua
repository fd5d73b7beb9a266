-- The documents say what is true: definitions match the module, the reference
-- is rendered from them, links resolve, and every example runs.
package.path = "./docs/?.lua;" .. package.path
local cjson = require "cjson"
local definitions = require "definitions"
local examples = require "spec.support.examples"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function lines_of(command)
  local list = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

local pages =
  lines_of "ls README.md CHANGELOG.md docs/*.md sandbox/README.md bench/*.md 2>/dev/null"

local function succeeds(command)
  local status = os.execute(command)
  return status == true or status == 0
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

local function names(list, kind)
  local set = {}
  for _, item in ipairs(list) do
    if not kind or item.kind == kind then
      set[item.name] = true
    end
  end
  return sorted(set)
end

local function public(methods)
  local set = {}
  for name in pairs(methods) do
    if type(name) == "string" and not name:find "^__" then
      set[name] = true
    end
  end
  return sorted(set)
end

-- The methods of a userdata: its __index is a table with them, or a function
-- whose third upvalue is.
local function methods_of(value)
  local index = debug.getmetatable(value).__index
  if type(index) == "function" then
    index = select(2, debug.getupvalue(index, 3))
  end
  local methods = {}
  for name, field in pairs(index) do
    methods[name] = type(field) == "function" or nil
  end
  return public(methods)
end

describe("definitions", function()
  local entries = definitions.read "library"
  local mp = mixpanel.new("projecttoken", { api_host = "http://127.0.0.1:9" })

  local function members(name)
    return names(definitions.find(entries, name).members)
  end

  it("name what the module has", function()
    assert.same(members "mixpanel", public(mixpanel))
  end)

  it("name the methods of a client, its people and groups", function()
    assert.is_function(mp.track) -- a client gets its table when it is first used
    assert.same(members "mixpanel.Client", methods_of(mp))
    assert.same(members "mixpanel.People", methods_of(mp.people))
    assert.same(members "mixpanel.Groups", methods_of(mp.groups))
    assert.same(members "mixpanel.LocalFlags", methods_of(mp.local_flags))
    local me = mp:user()
    assert.same(members "mixpanel.User", methods_of(me))
    assert.same(members "mixpanel.UserPeople", methods_of(me.people))
    assert.same(members "mixpanel.UserGroup", methods_of(me:get_group("company", "acme")))
  end)

  it("name what mixpanel.testing has", function()
    local testing = require "mixpanel.testing"
    assert.same(members "mixpanel.testing", public(testing))
    assert.same(members "mixpanel.Recorder", public(require("mixpanel.testing.recorder").methods))
    local recording = testing.new()
    for _, class in ipairs { "mixpanel.Client", "mixpanel.Recorder" } do
      for _, name in ipairs(members(class)) do
        assert.is_function(recording[name], name)
      end
    end
  end)

  it("name the options", function()
    local set = {}
    for _, path in ipairs { "src/binding/client/options.c", "src/core/config/settings.c" } do
      for name in read(path):gmatch '\n    {"([%l_]+)",' do
        set[name] = true
      end
    end
    assert.same(sorted(set), names(definitions.find(entries, "mixpanel.Options").fields))
    for name in pairs(set) do
      local wrong = coroutine.create(print) -- what no option is
      local ok, message = pcall(mixpanel.new, "t", { [name] = wrong })
      assert.is_false(ok)
      assert.is_nil(message:find("unknown option", 1, true), name)
    end
  end)

  it("name the fields of stats", function()
    local known = {}
    for _, field in ipairs(definitions.find(entries, "mixpanel.Stats").fields) do
      known[field.name] = field
    end
    local stats = mp:stats()
    for name in pairs(stats) do
      assert.is_truthy(known[name], name)
    end
    for name, field in pairs(known) do
      assert.is_true(field.optional or stats[name] ~= nil, name)
    end
  end)

  it("name the error codes", function()
    local set = {}
    for code in read("src/core/base/err.c"):gmatch '%] = "([%l_]+)"' do
      set[code] = true
    end
    set.ok = nil
    local documented = {}
    for _, choice in ipairs(definitions.find(entries, "mixpanel.ErrorCode").choices) do
      documented[choice.value] = true
    end
    assert.same(sorted(set), sorted(documented))
  end)

  it("have a page of options with every one and its default", function()
    local shown = {} -- option -> what the page says is its default
    for cell, default in read("docs/options.md"):gmatch "\n| (`[^|]*) | ([^|]*) |" do
      local defaults = default:gmatch "[^,;]+"
      for name in cell:gmatch "`([%l_]+)`" do
        shown[name] = (defaults() or default):match "^%s*`?(.-)`?%s*$"
      end
    end
    for _, field in ipairs(definitions.find(entries, "mixpanel.Options").fields) do
      assert.is_truthy(shown[field.name], field.name)
    end
    for name, default in read("src/core/config/settings.c"):gmatch '\n    {"([%l_]+)",(.-)}' do
      local words = default:match "WORDS%((.-)%)"
      local first = words and words:match '"[%l_]+"'
      if first then
        assert.equal(first, shown[name], name)
      end
    end
  end)

  it("are what docs/reference.md was rendered from", function()
    local rendered = table.concat(lines_of "lua5.4 docs/render.lua -", "\n") .. "\n"
    assert.is_true(rendered == read "docs/reference.md", "stale: run `make docs`")
  end)
end)

describe("pages", function()
  -- The anchors of a page, as GitHub makes them of its headings.
  local function anchors(text)
    local set = {}
    for heading in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
      set[heading:lower():gsub("[^%w _%-]", ""):gsub(" ", "-")] = true
    end
    return set
  end

  for _, page in ipairs(pages) do
    it("link to what exists: " .. page, function()
      local folder = page:match "^(.*/)[^/]*$" or ""
      local text = read(page):gsub("```.-```", "")
      for target in text:gmatch "%]%(([^%)%s]+)%)" do
        if not target:find "^https?:" then
          local path, anchor = target:match "^([^#]*)#?(.*)$"
          local linked = path == "" and page or folder .. path
          local file = io.open(linked, "rb")
          assert.is_truthy(file, page .. " links to " .. target)
          file:close()
          if anchor ~= "" then
            assert.is_truthy(anchors(read(linked))[anchor], page .. " links to " .. target)
          end
        end
      end
    end)
  end
end)

describe("examples", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  for _, page in ipairs(pages) do
    it("in " .. page .. " run", function()
      local run = examples.runner(mixpanel, server)
      for _, block in ipairs(examples.blocks(read(page))) do
        local where = ("%s:%d"):format(page, block.line)
        if block.quotes then
          assert.is_truthy(
            examples.flat(read(block.quotes)):find(examples.flat(block.text), 1, true),
            where .. " is not what " .. block.quotes .. " says"
          )
        elseif block.language == "lua" then
          run:block(block.text, where)
        elseif block.language == "json" then
          assert.is_truthy(cjson.decode(block.text), where)
        elseif block.language == "sh" then
          for target in block.text:gmatch "%f[%w]make ([%l][%w%-%.]*)" do
            assert.is_true(
              succeeds(("make -n %s >/dev/null 2>&1"):format(target)),
              where .. ": make " .. target
            )
          end
        end
      end
      run:finish()
    end)
  end
end)

describe("getting started", function()
  it("brings its records into a sandbox", function()
    local program
    for _, block in ipairs(examples.blocks(read "docs/getting-started.md")) do
      program = program or block.language == "lua" and block.text
    end
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(program)
    file:close()
    local printed =
      lines_of(("LUA_CPATH='./build/5.4/?.so;;' sandbox/sandbox run -- lua5.4 %s"):format(path))
    os.remove(path)
    assert.same({ "2 records delivered" }, printed)
  end)
end)
