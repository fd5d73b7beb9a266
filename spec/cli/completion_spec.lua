-- `mixpanel completion` and `mixpanel sandbox`.
local cli = require "spec.support.cli"
local process = require "spec.support.process"

describe("mixpanel completion", function()
  it("completes commands and options in bash", function()
    local output, complaints, status = cli.run { "completion", "bash" }
    assert.same({ "", 0 }, { complaints, status })
    local path = os.tmpname()
    cli.write(path, output)
    local complete = [[bash -c '. %s; COMP_WORDS=(%s); COMP_CWORD=%d; _mixpanel "" "%s"; ]]
      .. [[echo "${COMPREPLY[@]}"']]
    assert.equal("spool", process.read(complete:format(path, "mixpanel spo", 1, "spo")))
    assert.equal(
      "--files",
      process.read(complete:format(path, "mixpanel spool ls --fi", 3, "--fi"))
    )
    os.remove(path)
  end)

  it("knows every command, for zsh and as a manual page", function()
    local zsh, _, status = cli.run { "completion", "zsh" }
    assert.equal(0, status)
    assert.matches("^#compdef mixpanel\n", zsh)
    local manual = cli.run { "completion", "man" }
    for name in cli.run({ "help" }):match("Commands:\n(.*)"):gmatch "\n?   (%l[%l-]+)  " do
      assert.is_truthy(zsh:find(name, 1, true), name)
      if name ~= "help" then
        assert.is_truthy(manual:find(".SS mixpanel " .. name:gsub("%-", "\\-"), 1, true), name)
      end
    end
    assert.matches("%.SS mixpanel spool drain\n", manual)
    assert.is_nil(manual:find "\n%.[^STnf]") -- no text is taken for a macro
  end)
end)

describe("mixpanel sandbox", function()
  it("runs until it is ended, and leaves nothing", function()
    local output = os.tmpname()
    local pid = process.read(("%s >%s 2>&1 & echo $!"):format(cli.command { "sandbox" }, output))
    local port = process.wait_for(function()
      return (process.slurp(output) or ""):match "http://127%.0%.0%.1:(%d+)\n"
    end, "the sandbox", 60)
    process.signal(pid, "TERM")
    process.wait_gone({ tonumber(pid) }, 60)
    local connected = require("socket").connect("127.0.0.1", tonumber(port))
    assert.is_nil(connected)
    os.remove(output)
  end)
end)
