-- The command line as a whole, `send` and `check`.
local cli = require "spec.support.cli"
local cli_server = require "spec.support.cli_server"
local process = require "spec.support.process"

describe("mixpanel", function()
  local here = cli_server()

  it("has a version and helps", function()
    local output, _, status = cli.run { "--version" }
    assert.matches("^mixpanel %d+%.%d+%.%d+\n$", output)
    assert.equal(0, status)
    assert.matches("check", (cli.run { "help" }))
    assert.matches("distinct%-id", (cli.run { "help", "send" }))
  end)

  it("suggests what may have been meant", function()
    local _, complaints, status = cli.run { "sned" }
    assert.equal(2, status)
    assert.matches("Did you mean 'send'", complaints)
    _, complaints, status = cli.run { "send", "A", "--tokn", "t" }
    assert.equal(2, status)
    assert.matches("Did you mean '%-%-token'", complaints)
    _, complaints, status = cli.run {}
    assert.equal(2, status)
    assert.matches("a command is required", complaints)
  end)

  it("sends an event", function()
    local output, complaints, status =
      here.run({ "send", "Deploy", "service=api", "count:=3", "ok:=true", "--distinct-id", "u" })
    assert.equal("Delivered: Deploy\n", output)
    assert.equal("", complaints)
    assert.equal(0, status)
    local record = here.server:records("/track")[1]
    assert.equal("Deploy", record.event)
    local properties = record.properties
    assert.same({ "api", 3, true, "u", "projecttoken" }, {
      properties.service,
      properties.count,
      properties.ok,
      properties.distinct_id,
      properties.token,
    })
  end)

  it("says why an event does not arrive", function()
    local _, complaints, status = here.run({ "send", "A", "b" })
    assert.equal(2, status)
    assert.matches("b: expected a property", complaints)
    _, complaints, status = here.run({ "send", "A", "b:={" })
    assert.equal(2, status)
    assert.matches("no JSON", complaints)
    for _, json in ipairs { "1e999", '[1,{"c":-1e999}]', ("9"):rep(400) } do
      _, complaints, status = here.run({ "send", "A", "b:=" .. json })
      assert.equal(2, status)
      assert.matches("b:=.*: no JSON: a number is too large", complaints)
    end
    _, complaints, status = here.run({ "send", "A", "time=1" })
    assert.equal(3, status)
    assert.matches("properties%.time", complaints)
    here.server:script { status = 400, body = { error = "not this one", status = 0 } }
    _, complaints, status = here.run({ "send", "A" })
    assert.equal(3, status)
    assert.matches("not this one", complaints)
    _, complaints, status = here.run(
      { "send", "A", "--timeout", "2" },
      { MIXPANEL_TOKEN = "projecttoken", MIXPANEL_API_HOST = "http://127.0.0.1:1" }
    )
    assert.equal(4, status)
    assert.matches("undelivered: .*connect", complaints)
  end)

  it("checks host and credentials", function()
    local output, _, status = here.run({ "check" })
    assert.equal(0, status)
    assert.matches("can be reached", output)
    here.server:config { tokens = { "another" } }
    local _, complaints
    _, complaints, status = here.run({ "check" })
    assert.equal(7, status)
    assert.not_equal("", complaints)
    here.server:config { tokens = {} }
    _, complaints, status = here.run({ "check", "--api-host", "http://127.0.0.1:1" })
    assert.equal(6, status)
    assert.matches("connect", complaints)
  end)

  it("wants to know the project, and says what is wrong with an option", function()
    local _, complaints, status = cli.run { "check" }
    assert.equal(2, status)
    assert.matches("MIXPANEL_TOKEN", complaints)
    _, complaints, status = cli.run { "check", "--token", "t", "--api-host", "http://example.com" }
    assert.equal(2, status)
    assert.matches("^mixpanel: option 'api_host': ", complaints)
  end)

  it("names the argument that is wrong, and what would be right", function()
    for line, words in pairs {
      ["send A --timeout soon"] = "%-%-timeout: got 'soon', expected seconds",
      ["check --timeout 0"] = "%-%-timeout: got '0', expected seconds",
      ["import a --in-flight 21"] = "%-%-in%-flight: got '21', expected a whole number",
      ["import a --patience 1e99"] = "%-%-patience: got '1e99', expected seconds",
      ["import a.csv --separator ;;"] = "%-%-separator: got ';;', expected one character",
      ["import a --type nope"] = "'%-%-type' must be one of 'events', 'people', 'groups'",
      ["spool drain --timeout x"] = "%-%-timeout: got 'x'",
      ["help spool nope"] = "no command is called 'nope'",
    } do
      local arguments = {}
      for word in line:gmatch "%S+" do
        arguments[#arguments + 1] = word
      end
      local _, complaints, status = here.run(arguments)
      assert.equal(2, status)
      assert.matches(words, complaints)
    end
  end)

  it("takes secrets from a file that nobody else can read", function()
    local path = cli.write(
      here.folder .. "/credentials",
      "# who\ntoken = projecttoken\nusername = bot.1.mp-service-account\n"
        .. "secret = s3cret\nproject_id = 12\n"
    )
    local arguments = { "check", "--credentials", path }
    process.run("chmod 640 " .. path)
    local _, complaints, status = here.run(arguments)
    assert.equal(2, status)
    assert.matches("mode 0600", complaints)
    process.run("chmod 600 " .. path)
    arguments[4], arguments[5] = "--ca-file", here.server.ca_file
    here.server:config {
      accounts = { { username = "bot.1.mp-service-account", secret = "s3cret", project_id = 12 } },
    }
    _, complaints, status = here.run(arguments, { MIXPANEL_API_HOST = here.server.tls_url })
    assert.equal("", complaints)
    assert.equal(0, status)
    here.server:config {
      accounts = { { username = "bot.1.mp-service-account", secret = "other", project_id = 12 } },
    }
    status = select(3, here.run(arguments, { MIXPANEL_API_HOST = here.server.tls_url }))
    assert.equal(7, status)
    for name, kind in pairs { pipe = "pipe", folder = "directory" } do
      local odd = here.folder .. "/" .. name
      process.run((kind == "pipe" and "mkfifo " or "mkdir ") .. odd)
      _, complaints, status = here.run { "check", "--credentials", odd }
      assert.equal(2, status)
      assert.matches(name .. ": a " .. kind .. "; credentials are read from a file", complaints)
    end
    cli.write(path, "secrit = x\n")
    _, complaints, status = here.run(arguments)
    assert.equal(2, status)
    assert.matches("line 1", complaints)
    _, complaints, status = here.run({ "check", "--token", "t" }, { MIXPANEL_SECRET = "s" })
    assert.equal(2, status)
    assert.matches("MIXPANEL_USERNAME", complaints)
  end)
end)
