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

  it("completes commands and options in zsh", function()
    local folder = cli.folder()
    cli.write(folder .. "/_mixpanel", (cli.run { "completion", "zsh" }))
    -- a shell on a terminal of its own, into which it types a line and two tabs
    local program = cli.write(
      folder .. "/type",
      [[
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1='> '; fpath=($1 \$fpath); autoload -Uz compinit"
        zpty -w z "compinit -u -D; mixpanel() :; print re''ady"
        zpty -r z out '*ready*'
        zpty -w -n z "$2"$'\t\t'
        zpty -r z out "*$3*" && print -r -- found
        zpty -d z]]
    )
    for line, expected in pairs {
      ["mixpanel spo"] = "requeue", -- both completes the word and lists what may follow
      ["mixpanel spool ls --fi"] = "--files",
      ["mixpanel import --ty"] = "groups",
    } do
      local command = "timeout 20 zsh -f %s %s %s %s"
      local output =
        process.read(command:format(program, folder, cli.quote(line), cli.quote(expected)))
      assert.equal("found", output, line)
    end
    process.run("rm -r " .. folder)
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
    local guide = process.slurp "docs/command-line.md"
    for _, meaning in ipairs(require("mixpanel.cli.exit").meanings) do
      local words = ("\n| %d | %s |\n"):format(meaning[1], meaning[2])
      assert.is_truthy(guide:gsub("\\|", "|"):find(words, 1, true), words)
      words = ("\n.TP\n%d\n%s\n"):format(meaning[1], meaning[2]:gsub("%-", "\\-"))
      assert.is_truthy(manual:find(words, 1, true), words)
    end
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
