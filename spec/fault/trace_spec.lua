-- The debug trace: whoever plants a file in its place, reads it slowly or
-- answers with terminal codes neither stops delivery nor forges a line of it.
local lfs = require "lfs"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("the trace", function()
  local server, folder, mp

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
  end)

  after_each(function()
    mp:close(0)
    process.run("rm -r " .. folder)
  end)

  local function open(path)
    mp = mixpanel.new("projecttoken", {
      api_host = server.url,
      name = "trace " .. folder,
      debug = path,
    })
  end

  local function track(event)
    mp:track(event, { distinct_id = "u" })
    assert(mp:flush(10))
  end

  local function read(name)
    return assert(process.slurp(folder .. "/" .. name))
  end

  it("is made for its owner alone and goes on after set_config", function()
    local path = folder .. "/log"
    open(path)
    track "First"
    assert(mp:set_config { debug = false })
    track "Second"
    assert(mp:set_config { debug = path })
    track "Third"
    local text = read "log"
    assert.is_truthy(text:find "First" and text:find "Third")
    assert.is_nil(text:find "Second")
    assert.equal("600", process.read("stat -c %a " .. path))
    assert(mp:set_config { debug = "/nonexistent/trace" })
    track "Fourth"
    assert.equal(4, mp:stats().delivered)
    assert.equal(
      "option 'debug': cannot write to /nonexistent/trace: No such file or directory",
      mp:stats().last_error
    )
  end)

  local function is_refused(path)
    open(path)
    track "A"
    assert.equal(
      "option 'debug': cannot write to "
        .. path
        .. ": it is no regular file; true means standard error",
      mp:stats().last_error
    )
  end

  it("does not wait for the reader of a pipe", function()
    local path = folder .. "/pipe"
    process.run("mkfifo " .. path)
    is_refused(path)
  end)

  it("does not wait for a reader that does not read", function()
    local path = folder .. "/pipe"
    process.run("mkfifo " .. path)
    local pid = process.read(("sleep 60 <>%s >/dev/null 2>&1 & echo $!"):format(path))
    is_refused(path)
    for i = 1, 50 do -- more than a pipe holds
      mp:track("B", { distinct_id = "u", i = i, text = ("x"):rep(5000) })
    end
    assert(mp:flush(10))
    process.signal(tonumber(pid), "KILL")
  end)

  it("follows no link", function()
    local path = folder .. "/link"
    process.run(("echo mine >%s/file && ln -s file %s"):format(folder, path))
    is_refused(path)
    assert.equal("mine\n", read "file")
  end)

  it("stays where the option said when the process goes elsewhere", function()
    local before = lfs.currentdir()
    assert(lfs.chdir(folder))
    open "log"
    assert(lfs.chdir(before))
    track "A"
    assert.is_nil(mp:stats().last_error)
    assert.is_truthy(read("log"):find '"event":"A"')
  end)

  it("has no line that a reply made", function()
    local forged = "2026-01-01T00:00:00.000Z #1 HTTP 200"
    open(folder .. "/log")
    server:script {
      endpoint = "/track",
      status = 400,
      body = "oops\r\n\n" .. forged .. "\n1\27[2J\0\127\194\155end \195\188",
    }
    mp:track("A\194\155", { distinct_id = "u" })
    mp:flush(10)
    local text = read "log"
    assert.is_nil(("\n" .. text):find("\n" .. forged, 1, true))
    assert.is_nil(text:find "[%z\1-\9\11-\31\127]")
    assert.is_nil(text:find "\194\155")
    assert.is_truthy(
      text:find(
        "oops\\x0d\\n\\n" .. forged .. "\\n1\\x1b[2J\\x00\\x7f\\xc2\\x9bend \195\188",
        1,
        true
      )
    )
  end)

  -- A program that tracks with debug = true and prints what came of it, with
  -- standard error going elsewhere.
  local function run_with_stderr(where)
    local path = script.write(([[
      local mp = require "mixpanel".new("projecttoken", { api_host = %q, debug = true })
      for i = 1, 50 do
        mp:track("Traced", { distinct_id = "u", i = i, text = ("x"):rep(5000) })
      end
      print(mp:flush(10), mp:stats().delivered, mp:stats().last_error)
      mp:close()
    ]]):format(server.url))
    local command = ("timeout 60 %s %s 2>%s"):format(script.interpreter, path, where)
    local text = process.read(command)
    os.remove(path)
    open(false)
    return text
  end

  it("goes to standard error if true", function()
    assert.equal("true\t50\tnil", run_with_stderr(folder .. "/stderr"))
    local text = read "stderr"
    assert.is_truthy(text:find("POST " .. server.url .. "/track", 1, true))
    assert.is_truthy(text:find "HTTP 200")
    assert.equal(50, select(2, text:gsub('"event":"Traced"', "")))
  end)

  it("holds up nothing when nobody reads standard error", function()
    local path = folder .. "/pipe"
    process.run("mkfifo " .. path)
    local pid = process.read(("sleep 60 <>%s >/dev/null 2>&1 & echo $!"):format(path))
    local text = run_with_stderr(path)
    process.signal(tonumber(pid), "KILL")
    assert.matches("^true\t50\toption 'debug': cannot write to stderr: ", text)
  end)
end)
