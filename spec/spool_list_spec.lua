-- What is in a spool, seen from outside: by a client that tracks nothing.
local mixpanel = require "mixpanel"

describe("spool_list and spool_read", function()
  local home, spool
  local made = 0

  before_each(function()
    home = os.tmpname()
    spool = home
    os.remove(home)
    assert(os.execute("mkdir -m 700 " .. home))
    made = made + 1
  end)

  after_each(function()
    os.execute("rm -rf " .. home)
  end)

  -- Nobody listens there.
  local function client(token, options)
    options = options or {}
    options.api_host = "http://127.0.0.1:9"
    options.spool = spool
    return mixpanel.new(token or "listed" .. made, options)
  end

  -- The files that have records, and the directory of their run. The sending
  -- thread may have made a run, and spare segments, meanwhile, or be at it.
  local function files(list)
    local found = {}
    for _, run in ipairs(list.runs) do
      for _, file in ipairs(run.files) do
        if file.records ~= 0 and file.kind ~= "unfinished" then
          file.path = ("%s/%s/%s"):format(list.directory, run.name, file.name)
          file.run = run
          found[#found + 1] = file
        end
      end
    end
    return found
  end

  it("finds nothing where nothing was tracked", function()
    local list = client():spool_list()
    assert.same({}, files(list))
    assert.equal(0, list.foreign)
    assert.equal(spool, list.directory:match "^(.*)/%x+$")
  end)

  it("sees what this process holds, whoever asks", function()
    local mp, another = client(), client(nil, { name = "another" })
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp.people:set("u", "plan", "pro"))
    local seen = {}
    for _, file in ipairs(files(mp:spool_list())) do
      assert.is_true(file.run.alive and file.run.own)
      assert.is_true(math.abs(file.run.started - os.time()) < 60)
      assert.same({ "open", 1 }, { file.kind, file.records })
      local read = mp:spool_read(file.path)
      assert.equal(file.endpoint, read.endpoint)
      assert.is_nil(read.problem)
      seen[file.endpoint] = read.records
    end
    assert.matches('^{"event":"A",.*}$', seen.events[1])
    assert.matches('"$set":{"plan":"pro"}', seen.people[1], 1, true)
    local list = another:spool_list()
    assert.same({ 0, 1 }, { #files(list), list.foreign })
    mp:close(0)
  end)

  it("still answers when the client is closed", function()
    local mp = client()
    mp:close(0)
    assert.same({}, files(mp:spool_list()))
  end)

  it("says what cannot be read", function()
    spool = spool .. "/none/spool" -- which nobody makes
    local mp = client()
    local list, message, code = mp:spool_list()
    assert.is_nil(list)
    assert.equal("state", code)
    assert.equal(("spool: cannot use %s: No such file or directory"):format(spool), message)
    list, message, code = mp:spool_read "/etc/passwd"
    assert.is_nil(list)
    assert.same({ "passwd is not named like a file of a spool", "invalid" }, { message, code })
    code = select(3, mp:spool_read "/none/events-0000000000000001-000000000001.v1.open")
    assert.equal("state", code)
  end)

  it("raises for a client without a spool and for what is no path", function()
    local mp = mixpanel.new("listed", { api_host = "http://127.0.0.1:9" })
    assert.has_error(function()
      mp:spool_list()
    end, "spool_list: this client has no option 'spool'")
    assert.has_error(function()
      mp:spool_read(7)
    end, "bad argument #1 to 'spool_read' (path of a file: string expected, got number)")
  end)
end)
