-- Reads the files in library/: LuaCATS definitions into plain tables, for the
-- page that docs/render.lua writes and for the spec that compares them with
-- the module.
--
-- read(folder) -> list of entries in the order of the files:
--   { kind = "class", name, text, fields = { { name, type, text, optional } },
--     members = { { kind = "function" or "value", name, separator,
--                   params = { { name, type, text, optional } },
--                   returns = { { type, name, text } }, overloads = { type },
--                   type, text } } }
--   { kind = "alias", name, text, choices = { { value, text } } }
local definitions = {}

local FILES = {
  "mixpanel",
  "flags",
  "profiles",
  "user_flags",
  "user",
  "user_profiles",
  "outcomes",
  "testing",
}

-- The type at the start of a text, which may hold spaces inside brackets, and
-- what follows it.
local function split_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c:find "[%(%{<%[]" then
      depth = depth + 1
    elseif c:find "[%)%}>%]]" then
      depth = depth - 1
    elseif c == " " and depth == 0 then
      local before, after = text:sub(1, i - 1), text:sub(i + 1)
      if not before:find "[,:]$" and not after:find "^|" then
        break
      end
    end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i + 1):gsub("^#?%s*", ""))
end

local function read_named(text)
  local name, optional, rest = text:match "^([%w_%.]+)(%??)%s+(.*)$"
  local kind, note = split_type(rest)
  return { name = name, optional = optional == "?", type = kind, text = note }
end

local function read_return(text)
  local kind, rest = split_type(text)
  local name, note = rest:match "^([%a_][%w_]*)%s*(.*)$"
  if text:find "#" and text:match "^[^#]*" == kind .. " " then
    name, note = nil, rest -- "type # text": no name
  end
  return { type = kind, name = name, text = note or rest }
end

local tags = {}

function tags.class(block, text)
  block.class = text:match "^[%w_%.]+" -- and not what it inherits
end

function tags.alias(block, text)
  block.alias = text
end

function tags.field(block, text)
  table.insert(block.fields, read_named(text))
end

function tags.param(block, text)
  table.insert(block.params, read_named(text))
end

tags["return"] = function(block, text)
  table.insert(block.returns, read_return(text))
end

function tags.overload(block, text)
  table.insert(block.overloads, text)
end

function tags.type(block, text)
  block.type = text
end

function tags.meta() end

local function new_block()
  return { text = {}, fields = {}, params = {}, returns = {}, overloads = {}, choices = {} }
end

local function add_line(block, line)
  local tag, rest = line:match "^@(%w+)%s*(.*)$"
  local value, note = line:match '^| "([^"]*)"%s*#?%s*(.*)$'
  if tag then
    assert(tags[tag], "unknown tag @" .. tag)(block, rest)
  elseif value then
    table.insert(block.choices, { value = value, text = note })
  else
    table.insert(block.text, line)
  end
end

-- What stands on the line of code below a block.
local function close_block(entries, block, code)
  local text = table.concat(block.text, "\n")
  local class = entries[#entries]
  if block.class then
    table.insert(entries, {
      kind = "class",
      name = block.class,
      text = text,
      fields = block.fields,
      members = {},
      variable = code:match "^local ([%w_]+) = {}",
    })
  elseif block.alias then
    table.insert(
      entries,
      { kind = "alias", name = block.alias, text = text, choices = block.choices }
    )
  else
    local name, separator, member = code:match "^function ([%w_]+)([%.:])([%w_]+)%("
    local value = code:match "^[%w_]+%.([%w_]+) = nil"
    if member then
      assert(class.variable == name, code)
      table.insert(class.members, {
        kind = "function",
        name = member,
        separator = separator,
        params = block.params,
        returns = block.returns,
        overloads = block.overloads,
        text = text,
      })
    elseif value then
      table.insert(
        class.members,
        { kind = "value", name = value, separator = ".", type = block.type, text = text }
      )
    end
  end
end

local function read_file(entries, path)
  local block
  for line in io.lines(path) do
    local doc = line:match "^%-%-%-(.*)$"
    if doc then
      block = block or new_block()
      add_line(block, (doc:gsub("^ ", "")))
    elseif block then
      close_block(entries, block, line)
      block = nil
    end
  end
  if block then
    close_block(entries, block, "")
  end
end

function definitions.read(folder)
  local entries = {}
  for _, name in ipairs(FILES) do
    read_file(entries, folder .. "/" .. name .. ".lua")
  end
  return entries
end

-- The entry of a name, such as "mixpanel.Client".
function definitions.find(entries, name)
  for _, entry in ipairs(entries) do
    if entry.name == name then
      return entry
    end
  end
  error("no definition of " .. name)
end

return definitions
