--- What a LÖVE game wants of a client: a player with a stable device id,
--- sessions, crashes, the device, reports once a frame and a quit that does not
--- hang, by hooks around the game's own callbacks. Works without the modules
--- window, graphics, system and timer.
local mixpanel = require "mixpanel"

local analytics = {}

local traceback = debug.traceback

local started = false -- hooks of two sessions would track everything twice

-- Of a crash: from the function that failed; Mixpanel cuts long texts, so the
-- lines are a list.
local TRACE_LEVEL, TRACE_LINES = 3, 50
local MESSAGE_MAX = 255 -- bytes; Mixpanel keeps no more of a string

-- Of the client: the sender is the player, and a player does not wait.
local DEFAULTS = { geolocate = true, exit_timeout = 1 }

-- As the other SDKs of Mixpanel call it.
local OS_NAMES = { ["OS X"] = "Mac OS X", OSX = "Mac OS X" }

local function copy(t)
  local result = {}
  for key, value in pairs(t or {}) do
    result[key] = value
  end
  return result
end

-- Seconds; only differences mean anything.
local function now()
  return love.timer and love.timer.getTime() or os.time()
end

local function add_device(properties)
  local os_name = love.system and love.system.getOS() or jit and jit.os
  properties["$os"] = OS_NAMES[os_name] or os_name
  properties.love_version = ("%d.%d.%d"):format(love.getVersion())
  if love.window then
    properties["$screen_width"], properties["$screen_height"] = love.window.getDesktopDimensions()
  end
end

local function end_session(session)
  session.over = true
  local seconds = math.floor((now() - session.began) * 1000 + 0.5) / 1000
  session.user:track("Session End", { ["$duration"] = seconds })
end

-- What is done around a callback; `own` is the game's, or nil.
local hooks = {}

function hooks.update(session, own, ...)
  for _, report in ipairs(session.client:poll()) do
    session.on_report(report)
  end
  if own then
    return own(...)
  end
end

-- The game may refuse to quit, and may track in its own love.quit.
function hooks.quit(session, own, ...)
  local stay = own and own(...)
  if not stay and not session.over then
    end_session(session)
    session.client:close() -- at most exit_timeout
  end
  return stay
end

-- Of any error object: its __tostring may raise, or return no string.
local function describe(message)
  local ok, text = pcall(tostring, message)
  return ok and type(text) == "string" and text
    or ("a %s whose __tostring fails"):format(type(message))
end

-- At most MESSAGE_MAX bytes, and no part of a character at the end.
local function cut(text)
  if #text <= MESSAGE_MAX then
    return text
  end
  return (text:sub(1, MESSAGE_MAX + 1):gsub("[^\128-\191][\128-\191]*$", ""))
end

local function list_lines(text)
  local lines = {}
  for line in text:gmatch "\n\t([^\n]+)" do
    lines[#lines + 1] = #lines < TRACE_LINES and line or nil
  end
  return lines
end

-- The body of a coroutine, since after a stack overflow only another stack has
-- room. Yields true for the traceback, where there is room to make one.
local function track_crash(session, message)
  local properties = { message = cut(describe(message)) }
  if not properties.message:find("stack overflow", 1, true) then
    properties.traceback = list_lines(coroutine.yield(true))
  end
  if not session.user:track("Crash", properties) then
    session.user:track "Crash" -- what it says may be no text that can be sent
  end
  end_session(session)
  session.client:flush(0)
end

-- LÖVE does not call love.quit after an error. The records leave while the
-- error is shown, and what is left then when the process ends. Whatever fails
-- in the coroutine, the player sees the game's own error.
function hooks.errorhandler(session, own, message)
  if not session.over then
    local ok, has_room = coroutine.resume(session.crash, session, message)
    if ok and has_room then
      coroutine.resume(session.crash, traceback("", TRACE_LEVEL))
    end
  end
  return own(message)
end

-- What LÖVE does where there is no handler: a hook that is one must not hide
-- the error.
local function print_error(message)
  print(traceback("Error: " .. describe(message), 2))
end

-- LÖVE's own error handler goes by the older name.
local function find_callback(name)
  return love[name] or name == "errorhandler" and (love.errhand or print_error) or nil
end

-- Puts a hook around every callback that has none, or that the game has
-- replaced since. Of several around one callback only the last acts.
local function install(session)
  for name, act in pairs(hooks) do
    local own = find_callback(name)
    if (own == nil or own ~= session.hooked[name]) and (name ~= "update" or session.on_report) then
      local function hook(...)
        if session.hooked[name] == hook then
          return act(session, own, ...)
        elseif own then
          return own(...)
        end
      end
      love[name], session.hooked[name] = hook, hook
    end
  end
end

-- Where things outlive the game.
local function make_path(name)
  love.filesystem.createDirectory "mixpanel" -- and the save directory with it
  return love.filesystem.getSaveDirectory() .. "/mixpanel/" .. name
end

---@class mixpanel.LoveOptions: mixpanel.UserOptions
---@field state? string|table as of `client:user`; a file in the save directory by default
---@field client? mixpanel.Options for `mixpanel.new`; unless said otherwise `geolocate` is true,
--- `exit_timeout` 1 and `spool` a folder in the save directory (`false`: none)
---@field on_report? fun(report: mixpanel.Report) gets what `poll` finds, once a frame

local function make_options(given)
  local client_options = copy(given)
  for name, value in pairs(DEFAULTS) do
    if client_options[name] == nil then
      client_options[name] = value
    end
  end
  if client_options.spool == nil then
    client_options.spool = make_path "spool"
  end
  client_options.spool = client_options.spool or nil
  return client_options
end

-- What a copy of the game's own properties gets; these may be a function.
local function session_properties(client, given)
  local session = {}
  add_device(session)
  -- The device id of a new user is a random UUID; LÖVE itself has none.
  session.session_id = client:user({}):get_device_id()
  local function complete(own)
    local properties = copy(own)
    for name, value in pairs(session) do
      properties[name] = value
    end
    return properties
  end
  if type(given) ~= "function" then
    return complete(given)
  end
  return function(event)
    local own = given(event)
    if own ~= nil and type(own) ~= "table" then
      return own -- which the client refuses and reports
    end
    return complete(own)
  end
end

local function check(value, expected, name)
  if value ~= nil and type(value) ~= expected then
    local message = "bad argument #2 to 'start' (%s: %s expected, got %s)"
    error(message:format(name, expected, type(value)), 3)
  end
end

-- What a call returns that `start` makes; if it fails, the caller of `start`
-- is told.
local function checked(...)
  local ok, result, message = pcall(...)
  if not ok or result == nil then
    error(ok and message or result, 3)
  end
  return result
end

--- Makes a client whose events carry `$os`, `$screen_width`, `$screen_height`,
--- `love_version` and `session_id`, and its user; tracks "Session Start", and
--- hooks love.update, love.quit and love.errorhandler for "Session End" with
--- `$duration` in seconds, and "Crash" with `message` and `traceback`. The
--- game's own callbacks run as before, wherever main.lua defines them. Raises
--- when it was called before.
---@param token string the project token
---@param options? mixpanel.LoveOptions
---@return mixpanel.User
---@return mixpanel.Client
function analytics.start(token, options)
  if started then
    error("start was called before: keep the user and the client that it returned", 2)
  end
  check(options, "table", "options")
  check(options and options.client, "table", "option 'client'")
  check(options and options.on_report, "function", "option 'on_report'")
  local own, user_options = options or {}, copy(options)
  user_options.client, user_options.on_report = nil, nil
  user_options.state = user_options.state or make_path "user.json"
  local client_options = make_options(own.client)
  local client = checked(mixpanel.new, token, client_options)
  local properties = session_properties(client, client_options.properties)
  checked(client.set_config, client, { properties = properties })
  local session = {
    client = client,
    user = checked(client.user, client, user_options),
    began = now(),
    hooked = {},
    crash = coroutine.create(track_crash),
    on_report = own.on_report,
  }
  started = true
  session.user:track "Session Start"
  install(session)
  local run = love.run
  love.run = function(...) -- LÖVE calls it when main.lua has defined everything
    install(session)
    return run(...)
  end
  return session.user, client
end

return analytics
