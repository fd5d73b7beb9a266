-- `spool show`: the records of files, as lines of JSON.
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local mixpanel = require "mixpanel"
local spool_client = require "mixpanel.cli.spool_client"

local show = {}

-- The paths of the files in the spool with this name: rejected.jsonl may be in
-- several runs.
local function find(list, name)
  local paths = {}
  for _, run in ipairs(list.runs) do
    for _, file in ipairs(run.files) do
      if file.name == name then
        paths[#paths + 1] = spool_client.path(list, run, file)
      end
    end
  end
  if #paths == 0 then
    Context.fail(exit.input, "%s: no file of this spool; `spool ls --files` names them", name)
  end
  return paths
end

local function is_file(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

local function show_lines(path, context)
  local file = Context.open(path)
  for line in file:lines() do
    context:say("%s", line)
  end
  file:close()
  return exit.ok
end

local function show_file(path, client, context)
  if path:find "%.jsonl$" then
    return show_lines(path, context)
  end
  local found, message = client:spool_read(path)
  if not found then
    Context.fail(exit.input, "%s", message)
  end
  for _, record in ipairs(found.records) do
    context:say("%s", record)
  end
  if not found.problem then
    return exit.ok
  end
  context:note(
    "%s: %s; %s could be read",
    path,
    found.problem,
    spool_client.plural(#found.records, "record")
  )
  return exit.input
end

-- A path needs no project, a name does.
function show.run(args, context)
  local client, status = mixpanel.new "any", exit.ok
  local list
  for _, name in ipairs(args.file) do
    local paths = { name }
    if not (name:find("/", 1, true) or is_file(name)) then
      list = list or spool_client.list(context:onlooker(args, spool_client.options(args)))
      paths = find(list, name)
    end
    for _, path in ipairs(paths) do
      local own = show_file(path, client, context)
      status = own ~= exit.ok and own or status
    end
  end
  return status
end

return show
