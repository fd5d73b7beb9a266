-- Feature flags: which there are, and what somebody would get.
local Context = require("mixpanel.cli.context")
local cjson = require("cjson.safe")
local exit = require("mixpanel.cli.exit")
local http = require("mixpanel.cli.http")

local flags = { summary = "List feature flags, or decide one." }

flags.description = flags.summary
  .. " From the definitions that Mixpanel has now, as programs with the option `flags` decide;"
  .. " no exposure is reported. Needs curl."

function flags.add(parser)
  parser:command_target("action")
  parser:require_command(true)
  Context.add_project(parser:command("ls"):summary("List the flags of the project."))
  local eval = parser:command("eval"):summary("Decide a flag for somebody.")
  eval:argument("key", "Of the flag.")
  eval
    :option(
      "--context",
      "Whom it is about: name=text, name:=json, or an object of JSON. May be given several times."
    )
    :count("*")
    :argname("<context>")
  Context.add_project(eval)
end

-- A client that has the definitions, and their JSON.
local function fetch(args, context)
  local client = http.client(args, context, { flags = "local" })
  client.local_flags:refresh()
  local request = assert(client:next_request())
  local status, body = http.fetch(args, request)
  if status == 401 or status == 403 then
    Context.fail(exit.unauthorized, "Mixpanel said %d: %s", status, body:sub(1, 200))
  end
  client:answer(request.id, status, nil, body)
  if not client.local_flags:are_flags_ready() then
    local why = client:stats().flags.last_error or "no definitions"
    Context.fail(exit.network, "Mixpanel said %d: %s", status, why)
  end
  return client, cjson.decode(body)
end

local function describe(flag)
  local ruleset = type(flag.ruleset) == "table" and flag.ruleset or {}
  local variants = {}
  for i, variant in ipairs(type(ruleset.variants) == "table" and ruleset.variants or {}) do
    variants[i] = tostring(variant.key)
  end
  local rollouts = type(ruleset.rollout) == "table" and #ruleset.rollout or 0
  return ("%s: %s, %d rollout%s, by %s"):format(
    tostring(flag.key),
    table.concat(variants, " | "),
    rollouts,
    rollouts == 1 and "" or "s",
    tostring(flag.context)
  )
end

local ACTIONS = {}

function ACTIONS.ls(args, context)
  local client, definitions = fetch(args, context)
  for _, flag in ipairs(definitions.flags) do
    if type(flag) == "table" then
      context:say("%s", describe(flag))
    end
  end
  local stats = client:stats().flags
  if stats.faulty > 0 then
    context:note("%d of them can never be decided: %s", stats.faulty, stats.fault)
  end
  return exit.ok
end

local function read_object(text)
  local object, why = cjson.decode(text)
  if type(object) ~= "table" then
    Context.fail(exit.usage, "--context %s: no object of JSON: %s", text, why or type(object))
  end
  return object
end

local function read_context(texts)
  local subject = {}
  for _, text in ipairs(texts or {}) do
    local object = {}
    local name, form, value = text:match("^([^={]-)(:?=)(.*)$")
    if text:find("^%s*{") then
      object = read_object(text)
    elseif not name or name == "" then
      Context.fail(exit.usage, "--context %s: expected name=text, name:=json or JSON", text)
    elseif form == "=" then
      object[name] = value
    else
      object = read_object(("{%s:%s}"):format(cjson.encode(name), value))
    end
    for key, member in pairs(object) do
      subject[key] = member
    end
  end
  return subject
end

-- The reason for having no variant comes with the fallback.
function ACTIONS.eval(args, context)
  local subject = read_context(args.context)
  local client = fetch(args, context)
  local variant = client.local_flags:get_variant(args.key, {}, subject, false)
  context:say("%s", cjson.encode(variant))
  return variant.variant_source == "fallback" and exit.refused or exit.ok
end

function flags.run(args, context)
  return ACTIONS[args.action](args, context)
end

return flags
