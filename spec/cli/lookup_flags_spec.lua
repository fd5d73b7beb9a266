-- `mixpanel lookup-table` and `mixpanel flags`: requests that are no records.
local cjson = require("cjson")
local cli = require("spec.support.cli")
local cli_server = require("spec.support.cli_server")
local process = require("spec.support.process")

local account = {
  MIXPANEL_TOKEN = "projecttoken",
  MIXPANEL_USERNAME = "bot",
  MIXPANEL_SECRET = 'a"secret\\ b',
  MIXPANEL_PROJECT_ID = "12",
}

describe("mixpanel", function()
  local here = cli_server()

  local function run(arguments, changes)
    local environment = { MIXPANEL_API_HOST = here.server.tls_url }
    for _, list in ipairs { account, changes or {} } do
      for name, value in pairs(list) do
        environment[name] = value
      end
    end
    arguments[#arguments + 1] = "--ca-file"
    arguments[#arguments + 1] = here.server.ca_file
    return here.run(arguments, environment)
  end

  describe("lookup-table", function()
    it("lists the tables", function()
      here.server:script({
        endpoint = "/lookup-tables",
        body = { code = 200, status = "OK", results = { { id = "a-1", name = "Songs" } } },
      })
      local output, complaints, status = run({ "lookup-table", "ls" })
      assert.same({ "a-1  Songs\n", "", 0 }, { output, complaints, status })
      local request = here.server:requests()[1]
      assert.same({ "GET", "/lookup-tables" }, { request.method, request.path })
      assert.equal("12", request.query.project_id)
      -- Basic, of the account: bot:a"secret\ b
      assert.equal("Basic Ym90OmEic2VjcmV0XCBi", request.headers.authorization)
    end)

    it("replaces one by a file, as it is", function()
      local csv = 'id,name\n1,"a ""quoted"" one"\n2,"two\nlines"\n'
      local path = cli.write(here.folder .. '/a "table".csv', csv)
      here.server:script({
        endpoint = "/lookup-tables/a-1",
        body = { code = 200, status = "OK" },
        times = 2,
      })
      local output, complaints, status = run({ "lookup-table", "replace", "a-1", path })
      assert.same({ "Replaced: a-1\n", "", 0 }, { output, complaints, status })
      process.run(("gzip -k '%s'"):format(path))
      output, complaints, status = run({ "lookup-table", "replace", "a-1", path .. ".gz" })
      assert.same({ "Replaced: a-1\n", "", 0 }, { output, complaints, status })
      for i, request in ipairs(here.server:requests()) do
        assert.same({ "PUT", csv }, { request.method, request.body })
        assert.equal("text/csv", request.headers["content-type"])
        assert.equal(i == 2 and "gzip" or nil, request.content_encoding)
      end
    end)

    it("says what Mixpanel does not take", function()
      local path = cli.write(here.folder .. "/t.csv", "id\n1\n1\n")
      here.server:script({
        endpoint = "/lookup-tables/a-1",
        status = 400,
        body = {
          code = 400,
          error = "some rows are wrong",
          failed_records = { { index = 1, message = "duplicate id" } },
        },
      })
      local _, complaints, status = run({ "lookup-table", "replace", "a-1", path })
      assert.equal(3, status)
      assert.matches("row 1: duplicate id\nmixpanel: Mixpanel said 400: some rows", complaints)
      here.server:script({ endpoint = "/lookup-tables", status = 401, body = { error = "no" } })
      _, complaints, status = run({ "lookup-table", "ls" })
      assert.same({ "mixpanel: Mixpanel said 401: no\n", 7 }, { complaints, status })
      _, complaints, status = run({ "lookup-table", "replace", "b-2", path }) -- not there
      assert.matches("Mixpanel said 404", complaints)
      assert.equal(5, status)
    end)

    it("needs a file, an id, an account and a host", function()
      local _, complaints, status = run({ "lookup-table", "replace", "a", "/nowhere.csv" })
      assert.equal(5, status)
      assert.matches("/nowhere.csv: No such file", complaints)
      _, complaints, status = run({ "lookup-table", "replace", "../import", "/etc/passwd" })
      assert.equal(2, status)
      assert.matches("no id of a lookup table", complaints)
      local nobody = { MIXPANEL_USERNAME = "", MIXPANEL_SECRET = "" }
      _, complaints, status = run({ "lookup-table", "ls" }, nobody)
      assert.equal(2, status)
      assert.matches("needs a service account", complaints)
      local dead = process.dead_port()
      local host = "https://127.0.0.1:" .. dead.port
      _, complaints, status = run({ "lookup-table", "ls" }, { MIXPANEL_API_HOST = host })
      dead.close()
      assert.equal(6, status)
      assert.matches("^mixpanel: %(7%) ", complaints)
      assert.equal(0, #here.server:requests())
    end)

    it("never has the secret among the arguments of a process", function()
      here.server:script({
        endpoint = "/lookup-tables",
        delay_ms = 1500,
        body = { results = {} },
        times = 1,
      })
      local environment = { MIXPANEL_API_HOST = here.server.tls_url }
      for name, value in pairs(account) do
        environment[name] = value
      end
      local command =
        cli.command({ "lookup-table", "ls", "--ca-file", here.server.ca_file }, environment)
      process.run(command .. " >/dev/null 2>&1 &")
      process.wait_for(function()
        return process.read("pgrep -x curl || true") ~= ""
      end, "curl")
      for pid in process.read("pgrep -x curl || true"):gmatch("%d+") do
        local arguments = process.slurp(("/proc/%s/cmdline"):format(pid)) or ""
        assert.is_nil(arguments:find("Basic", 1, true) or arguments:find("Ym90", 1, true))
        assert.is_nil(arguments:find("secret", 1, true))
      end
      here.server:wait(1)
    end)
  end)

  describe("flags", function()
    local definitions = {
      flags = {
        {
          id = "1",
          name = "Checkout",
          key = "checkout",
          status = "enabled",
          context = "distinct_id",
          ruleset = {
            variants = {
              { key = "old", value = false, is_control = true, split = 0.5 },
              { key = "new", value = true, is_control = false, split = 0.5 },
            },
            rollout = {
              {
                rollout_percentage = 1,
                variant_override = { key = "new" },
                runtime_evaluation_rule = { ["=="] = { { var = "plan" }, "pro" } },
              },
            },
          },
        },
      },
    }

    before_each(function()
      local known = {
        username = account.MIXPANEL_USERNAME,
        secret = account.MIXPANEL_SECRET,
        project_id = account.MIXPANEL_PROJECT_ID,
      }
      here.server:config({ accounts = { known } })
      here.server:flags(cjson.encode(definitions))
    end)

    it("lists them", function()
      local output, complaints, status = run({ "flags", "ls" })
      assert.same(
        { "checkout: old | new, 1 rollout, by distinct_id\n", "", 0 },
        { output, complaints, status }
      )
    end)

    it("decides one, and reports no exposure", function()
      local output, complaints, status = run({
        "flags",
        "eval",
        "checkout",
        "--context",
        "distinct_id=u",
        "--context",
        '{"custom_properties":{"plan":"pro"}}',
      })
      assert.same({ "", 0 }, { complaints, status })
      local variant = cjson.decode(output)
      assert.same({ "new", true, "local" }, {
        variant.variant_key,
        variant.variant_value,
        variant.variant_source,
      })
      output, complaints, status =
        run({ "flags", "eval", "checkout", "--context", 'distinct_id:="u"' })
      assert.equal("", complaints)
      assert.equal(3, status)
      assert.equal("NO_ROLLOUT_MATCH", cjson.decode(output).fallback_reason)
      output, complaints, status = run({ "flags", "eval", "none", "--context", "distinct_id=u" })
      assert.equal("", complaints)
      assert.equal(3, status)
      assert.equal("FLAG_NOT_FOUND", cjson.decode(output).fallback_reason)
      assert.equal(0, #here.server:records("/track"))
    end)

    it("says what cannot be read or had", function()
      local _, complaints, status = run({ "flags", "eval", "checkout", "--context", "{" })
      assert.equal(2, status)
      assert.matches("no object of JSON", complaints)
      here.server:script({ endpoint = "/flags/definitions", status = 401, body = "no" })
      _, complaints, status = run({ "flags", "ls" })
      assert.same({ "mixpanel: Mixpanel said 401: no\n", 7 }, { complaints, status })
      here.server:script({ endpoint = "/flags/definitions", body = "no JSON" })
      _, complaints, status = run({ "flags", "ls" })
      assert.equal(6, status)
      assert.matches("Mixpanel said 200: ", complaints)
    end)
  end)
end)
