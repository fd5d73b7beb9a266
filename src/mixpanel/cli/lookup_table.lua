-- Lookup tables: which there are, and one replaced by a CSV file.
local Context = require("mixpanel.cli.context")
local cjson = require("cjson.safe")
local exit = require("mixpanel.cli.exit")
local http = require("mixpanel.cli.http")

local lookup_table = { summary = "List lookup tables, or replace one." }

lookup_table.description = lookup_table.summary .. " Needs a service account, and curl."

function lookup_table.add(parser)
  parser:command_target("action")
  parser:require_command(true)
  Context.add_project(
    parser:command("ls"):summary("List the lookup tables of the project: id and name.")
  )
  local replace =
    parser:command("replace"):summary("Replace all rows of a lookup table by those of a CSV file.")
  replace:argument("id", "Of the table, as `lookup-table ls` shows it.")
  replace:argument("file", "CSV file, or .gz of one; its first column is the key.")
  replace
    :option("--timeout", "Seconds that it may take.")
    :default("600")
    :convert(Context.seconds "--timeout")
    :argname("<s>")
  Context.add_project(replace)
end

local STATUSES = { [400] = exit.refused, [413] = exit.refused, [404] = exit.input }
STATUSES[401], STATUSES[403] = exit.unauthorized, exit.unauthorized

-- Ends the command with what Mixpanel said, unless it said yes.
local function check(status, body, context)
  local reply = cjson.decode(body)
  reply = type(reply) == "table" and reply or {}
  if status == 200 then
    return reply
  end
  for _, failed in ipairs(type(reply.failed_records) == "table" and reply.failed_records or {}) do
    context:note("row %d: %s", tonumber(failed.index) or 0, tostring(failed.message))
  end
  local words = type(reply.error) == "string" and reply.error or body:sub(1, 200)
  Context.fail(STATUSES[status] or exit.network, "Mixpanel said %d: %s", status, words)
end

local ACTIONS = {}

function ACTIONS.ls(args, account, context)
  local status, body = http.fetch(args, {
    url = account.base .. "/lookup-tables" .. account.query,
    headers = { Authorization = account.authorization, Accept = "application/json" },
  })
  for _, found in ipairs(check(status, body, context).results or {}) do
    context:say("%s  %s", found.id, found.name)
  end
end

-- An id is a part of a URL.
local function check_id(id)
  if not id:find("^[%w_%-]+$") then
    Context.fail(exit.usage, "%s: no id of a lookup table; `lookup-table ls` shows them", id)
  end
end

function ACTIONS.replace(args, account, context)
  check_id(args.id)
  Context.open(args.file):close()
  local status, body = http.fetch(args, {
    method = "PUT",
    url = ("%s/lookup-tables/%s%s"):format(account.base, args.id, account.query),
    headers = {
      Authorization = account.authorization,
      Accept = "application/json",
      ["Content-Type"] = "text/csv",
      ["Content-Encoding"] = args.file:find("%.gz$") and "gzip" or nil,
    },
    file = args.file,
    timeout = args.timeout,
  })
  check(status, body, context)
  context:say("Replaced: %s", args.id)
end

function lookup_table.run(args, context)
  local account = http.account(args, context)
  ACTIONS[args.action](args, account, context)
  return exit.ok
end

return lookup_table
