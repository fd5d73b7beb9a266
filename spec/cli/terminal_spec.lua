-- What the command line writes on: a terminal of any width, a pipe, one that
-- nobody reads, a full disk.
local cli = require "spec.support.cli"
local cli_server = require "spec.support.cli_server"
local process = require "spec.support.process"
local script = require "spec.support.script"

describe("the output", function()
  local here = cli_server()

  local function write_lines(n)
    local list = {}
    for i = 1, n do
      list[i] = ('{"event":"E","properties":{"time":%d,"distinct_id":"u","i":%d}}\n'):format(
        os.time() - 1000,
        i
      )
    end
    return here.file("a.jsonl", table.concat(list))
  end

  -- A few requests that take a while, so that there is something to look at.
  local function import_slowly(columns)
    local path = write_lines(12000)
    here.server:script { endpoint = "/import", min_bytes = 20000, delay_ms = 700, times = 0 }
    local command = cli.command({ "import", path, "--in-flight", "1" }, here.environment())
    if columns then
      command = "script -qec "
        .. cli.quote(("stty cols %d rows 10; %s"):format(columns, command))
        .. " /dev/null </dev/null"
    end
    return script.shell("timeout 60 " .. command)
  end

  for _, columns in ipairs { 80, 30, 20 } do
    it(("shows progress on one line of a terminal of %d columns"):format(columns), function()
      local output, status = import_slowly(columns)
      assert.equal(0, status)
      local drawn, last = 0, nil
      for line in output:gmatch "\r\27%[K([^\r\n]*)" do
        if line ~= "" then
          drawn, last = drawn + 1, line
          assert.is_true(#line < columns, line) -- one that is as wide may wrap
          assert.matches("^ *%d+ %%", line)
        end
      end
      assert.is_true(drawn > 3)
      assert.matches("^100 %%", last)
      if columns >= 30 then
        assert.matches("12%.0k delivered", last)
      end
      if columns == 80 then
        assert.matches("%d:%d%d left", output)
        assert.matches("B/s", last)
      end
      assert.matches("\nread +12000\r?\ndelivered +12000\r?\n", output)
    end)
  end

  it("has a line of progress a second where there is no terminal", function()
    local output, status, seconds = import_slowly()
    assert.equal(0, status)
    assert.is_nil(output:find "[\r\27]")
    local n = 0
    for line in output:gmatch "[^\n]+" do
      if line:find " delivered  " then
        n = n + 1
        assert.matches("^ *%d+ %%  %S+ delivered  %S+/s  ", line)
      end
    end
    assert.is_true(n >= 2 and n <= seconds + 2, output)
  end)

  -- A program of bash whose output nobody reads: its only reader has ended before
  -- the first byte.
  local function shell_unread(program)
    local pipe = here.folder .. "/unread"
    return script.shell(
      ("rm -f %s; mkfifo %s; bash -c %s"):format(
        pipe,
        pipe,
        cli.quote((": <%s & exec >%s; wait $!; %s"):format(pipe, pipe, program))
      )
    )
  end

  it("ends quietly where nobody reads it", function()
    local path = write_lines(1000)
    local words = {
      { "help" },
      { "completion", "zsh" },
      { "spool", "show", path },
      { "import", path, "--quiet" },
    }
    for _, arguments in ipairs(words) do
      local command = cli.command(arguments, here.environment())
      local output = shell_unread(command .. '; echo "was $?" >&2')
      assert.equal("was 141\n", output)
    end
    assert.equal(1000, #here.server:records "/import")
  end)

  it("does not stop an import whose progress nobody reads", function()
    local path = write_lines(4000)
    here.server:script { endpoint = "/import", min_bytes = 20000, delay_ms = 1200, times = 0 }
    local command = cli.command({ "import", path, "--in-flight", "1" }, here.environment())
    local output = shell_unread(
      ('%s 2>&1 >%s/out; echo "$?" >%s/status'):format(command, here.folder, here.folder)
    )
    assert.equal("", output)
    assert.equal("0\n", process.slurp(here.folder .. "/status"))
    assert.same({ 4000, 4000, 0, 0 }, here.counts(process.slurp(here.folder .. "/out")))
  end)

  it("says so where it cannot be written", function()
    for _, arguments in ipairs { { "help" }, { "--version" }, { "completion", "man" } } do
      local _, complaints, status = cli.run(arguments, {}, ">/dev/full")
      assert.equal(5, status)
      assert.equal("mixpanel: cannot write the output: No space left on device\n", complaints)
    end
  end)

  it("says so where it is closed, and does without the others", function()
    local _, complaints, status = cli.run({ "--version" }, {}, ">&-")
    assert.equal(5, status)
    assert.equal("mixpanel: cannot write the output: Bad file descriptor\n", complaints)
    for _, closed in ipairs { "<&-", "2>&-" } do
      local output
      output, _, status = cli.run({ "--version" }, {}, closed)
      assert.matches("^mixpanel %d", output)
      assert.equal(0, status)
    end
  end)

  it("has the status of Ctrl-C where a command does not look after it", function()
    local output = script.shell(
      ("LUA_INIT=%s %s 2>&1; echo was $?"):format(
        cli.quote [[package.preload["mixpanel.cli.bus"] = function()
          return { add = function() end, run = function() error("x.lua:1: interrupted!", 0) end }
        end]],
        cli.command { "dead", "list" }
      )
    )
    assert.equal("was 130\n", output)
  end)
end)
