-- Writes docs/reference.md, or with "-" prints it, from the files in library/:
-- `make docs`.
local root = arg and arg[0]:match "^(.*)/docs/[^/]*$" or "."
package.path = root .. "/docs/?.lua;" .. package.path
local definitions = require "definitions"

local lines = {}

local function put(...)
  for _, line in ipairs { ... } do
    lines[#lines + 1] = line
  end
end

local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function code(text)
  return "`" .. cell(text) .. "`"
end

local function put_table(first, second, items)
  put("| " .. first .. " | " .. second .. " | |", "|---|---|---|")
  for _, item in ipairs(items) do
    put(
      ("| `%s`%s | %s | %s |"):format(
        item.name,
        item.optional and " (optional)" or "",
        code(item.type),
        cell(item.text)
      )
    )
  end
  put ""
end

-- How a function is called: `mp:track(event[, properties])`.
local function signature(owner, member)
  local parts, open = {}, 0
  for i, param in ipairs(member.params) do
    if param.optional then
      parts[#parts + 1] = (i > 1 and "[, " or "[") .. param.name
      open = open + 1
    else
      parts[#parts + 1] = (i > 1 and ", " or "") .. param.name
    end
  end
  return owner
    .. member.separator
    .. member.name
    .. "("
    .. table.concat(parts)
    .. ("]"):rep(open)
    .. ")"
end

local function put_returns(returns)
  if #returns == 0 then
    return
  end
  local parts = {}
  for _, value in ipairs(returns) do
    local text = code(value.type)
    if value.name then
      text = "`" .. value.name .. "`: " .. text
    end
    parts[#parts + 1] = value.text ~= "" and text .. ", " .. value.text or text
  end
  put("Returns " .. table.concat(parts, "; ") .. ".", "")
end

local owners = {} -- the name of a class -> how its values are called

local function put_member(class, member)
  local owner = owners[class.name] or class.name
  if member.kind == "value" then
    put(
      ("### `%s.%s`"):format(owner, member.name),
      "",
      member.text,
      "",
      "Type " .. code(member.type) .. ".",
      ""
    )
    return
  end
  put("### `" .. signature(owner, member) .. "`", "", member.text, "")
  if #member.params > 0 then
    put_table("parameter", "type", member.params)
  end
  put_returns(member.returns)
end

local function put_alias(alias)
  put("## " .. alias.name, "", alias.text, "", "| value | |", "|---|---|")
  for _, choice in ipairs(alias.choices) do
    put(('| `"%s"` | %s |'):format(choice.value, cell(choice.text)))
  end
  put ""
end

local function put_class(class)
  put("## " .. class.name, "", class.text, "")
  if #class.fields > 0 then
    put_table("field", "type", class.fields)
  end
  for _, member in ipairs(class.members) do
    put_member(class, member)
  end
end

local function anchor(name)
  return (name:lower():gsub("[^%w _%-]", ""):gsub(" ", "-"))
end

owners["mixpanel.Client"] = "mp"
owners["mixpanel.People"] = "mp.people"
owners["mixpanel.Groups"] = "mp.groups"
owners["mixpanel.User"] = "me"
owners["mixpanel.UserPeople"] = "me.people"
owners["mixpanel.UserGroup"] = "group"
owners["mixpanel.testing"] = "testing"
owners["mixpanel.Recorder"] = "recorder"

local entries = definitions.read(root .. "/library")
put(
  "# Reference",
  "",
  "Rendered from the files in [library](../library/mixpanel.lua) by `make docs`;",
  "editors that know LuaCATS complete from the same files.",
  ""
)
for _, entry in ipairs(entries) do
  put(("- [%s](#%s)"):format(entry.name, anchor(entry.name)))
end
put ""
for _, entry in ipairs(entries) do
  if entry.kind == "alias" then
    put_alias(entry)
  else
    put_class(entry)
  end
end

local text = table.concat(lines, "\n"):gsub("\n\n\n+", "\n\n"):gsub("%s+$", "") .. "\n"
if arg[1] == "-" then
  io.write(text)
else
  local file = assert(io.open(root .. "/docs/reference.md", "w"))
  file:write(text)
  file:close()
end
