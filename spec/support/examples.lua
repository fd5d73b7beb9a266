-- The code blocks of a page, and an environment in which those in Lua run
-- against the sandbox: whatever host, directory or file an example names, the
-- client that it gets talks to loopback and writes below a temporary folder.
local examples = {}

-- { { language, text, line, quotes } }; a block below a comment
-- `<!-- quotes PATH -->` must stand in that file, which runs elsewhere.
function examples.blocks(page)
  local blocks, block, quotes, number = {}, nil, nil, 0
  for line in (page .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local fence = line:match "^```(.*)$"
    if block and fence then
      block.text = table.concat(block, "\n")
      blocks[#blocks + 1], block = block, nil
    elseif fence then
      block, quotes = { language = fence, line = number, quotes = quotes }, nil
    elseif block then
      block[#block + 1] = line
    else
      quotes = line:match "^<!%-%- quotes (%S+) %-%->$" or quotes
    end
  end
  return blocks
end

-- A text without its indentation and blank lines.
function examples.flat(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    line = line:gsub("^%s+", ""):gsub("%s+$", "")
    if line ~= "" then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

local Runner = {}
Runner.__index = Runner

local function copy(t)
  local result = {}
  for key, value in pairs(t or {}) do
    result[key] = value
  end
  return result
end

function examples.runner(mixpanel, server)
  local self = setmetatable({ clients = {} }, Runner)
  self.folder = os.tmpname()
  os.remove(self.folder)
  os.execute("mkdir -m 700 " .. self.folder)

  local module = copy(mixpanel)
  function module.new(token, options)
    local own = copy(options)
    own.residency = nil
    if not (own.api_host or ""):find("//127.0.0.1", 1, true) then
      own.api_host = own.service_account and server.tls_url or server.url
      own.ca_file = own.service_account and server.ca_file or nil
    end
    own.name = own.name or self.folder -- counters of its own
    own.ca_path, own.proxy = nil, nil
    if own.bus then
      own.transport, own.bus = nil, nil
    end
    if own.spool then
      own.spool = self.folder .. "/spool"
    end
    if own.debug then
      own.debug = self.folder .. "/debug.log"
    end
    local client = mixpanel.new(token, own)
    self.clients[#self.clients + 1] = client
    return client
  end

  local function load_module(name)
    return name == "mixpanel" and module or require(name)
  end
  self.env = setmetatable({ require = load_module, print = function() end }, { __index = _G })
  self.env.mixpanel = module
  self.env.folder = self.folder
  return self
end

-- Runs a block. What it declares at its outermost level the blocks below it
-- see too, as a reader would expect.
function Runner:block(text, name)
  text = ("\n" .. text)
    :gsub(' state = "', "%0" .. self.folder .. "/")
    :gsub("\nlocal function ", "\nfunction ")
    :gsub("\nlocal ([%w_, ]+ =)", "\n%1")
  local set_environment = rawget(_G, "setfenv") -- Lua 5.1
  local chunk, why
  if set_environment then
    chunk, why = rawget(_G, "loadstring")(text, "=" .. name)
    chunk = chunk and set_environment(chunk, self.env)
  else
    chunk, why = load(text, "=" .. name, "t", self.env)
  end
  assert(chunk, why)
  if not self.env.mp then
    self.env.mp = self.env.mixpanel.new "projecttoken"
  end
  chunk()
end

function Runner:finish()
  for _, client in ipairs(self.clients) do
    client:close(5)
  end
  os.execute("rm -rf " .. self.folder)
end

return examples
