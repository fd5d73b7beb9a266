--- The script that a page begins with: it loads Mixpanel's SDK for browsers from a
--- host of your own, and until that is there keeps what the page calls.
local has_cjson, cjson = pcall(require, "cjson")

-- What the SDK looks for when it comes: `__SV`, of at least 1.1; `_i`, the
-- instances to make, each { token, config, name }; and the calls that were kept,
-- each { method, ... }, in the list that stands for the instance and in its
-- `people`. A call of a group is { { "get_group", ... }, { method, ... } }.
local LOADER = [[
(function (page, source, methods, people, group) {
  var root = page.mixpanel;
  if (root && root.__SV) return;
  function list(call) { return Array.prototype.slice.call(call); }
  function define(target, names, make) {
    names.split(" ").forEach(function (name) { target[name] = make(name); });
  }
  function keepIn(queue) {
    return function (name) {
      return function () { queue.push([name].concat(list(arguments))); };
    };
  }
  function addStubs(target) {
    target.people = target.people || [];
    define(target, methods, keepIn(target));
    define(target.people, people, keepIn(target.people));
    target.get_group = function () {
      var get = ["get_group"].concat(list(arguments)), stub = {};
      define(stub, group, function (name) {
        return function () { target.push([get, [name].concat(list(arguments))]); };
      });
      return stub;
    };
  }
  root = page.mixpanel = [];
  root.__SV = 1.2;
  root._i = [];
  root.init = function (token, config, name) {
    addStubs(name ? root[name] = [] : root);
    root._i.push([token, config, name || "mixpanel"]);
  };
  var script = page.document.createElement("script");
  script.async = true;
  script.src = source;
  page.document.head.appendChild(script);
})(window, @SOURCE@,
  "track track_pageview track_links track_forms track_with_groups time_event " +
    "register register_once unregister name_tag identify alias reset " +
    "set_group add_group remove_group set_config disable " +
    "opt_in_tracking opt_out_tracking has_opted_in_tracking has_opted_out_tracking " +
    "clear_opt_in_out_tracking start_batch_senders " +
    "start_session_recording stop_session_recording",
  "set set_once unset increment append union remove track_charge clear_charges delete_user",
  "set set_once union unset remove delete");
mixpanel.init(@TOKEN@, @CONFIG@);
]]

local OPTIONS = { token = "string", source = "string", api_host = "string", config = "table" }

---@class mixpanel.SnippetOptions
---@field token string of the project, or a word that the collector's `tokens` knows
---@field api_host string the collector's address, as "https://www.example.com/mp"
---@field source string the address of Mixpanel's script, as "/mp/libs/mixpanel-2-latest.min.js"
---@field config? table options of mixpanel.init

local function check(options)
  if type(options) ~= "table" then
    return "options: table expected, got " .. type(options)
  end
  for name, value in pairs(options) do
    local expected = OPTIONS[name]
    if not expected then
      return ("unknown option '%s': expected token, api_host, source or config"):format(
        tostring(name)
      )
    elseif type(value) ~= expected then
      return ("option '%s': %s expected, got %s"):format(name, expected, type(value))
    end
  end
  for _, name in ipairs { "token", "api_host", "source" } do
    if not options[name] then
      return ("option '%s' is missing"):format(name)
    end
  end
  return nil
end

-- As a value of JavaScript that may stand in a page, too: no tag, comment or line
-- ends in it.
local function encode(value)
  local text = cjson.encode(value):gsub("[<>&]", function(c)
    return ("\\u%04x"):format(c:byte())
  end)
  return (
    text:gsub("\226\128[\168\169]", { ["\226\128\168"] = "\\u2028", ["\226\128\169"] = "\\u2029" })
  )
end

return function(options)
  local wrong = check(options)
  if wrong then
    error(("bad argument #1 to 'snippet' (%s)"):format(wrong), 3)
  end
  assert(has_cjson, cjson)
  local config = { api_host = options.api_host }
  for name, value in pairs(options.config or {}) do
    config[name] = value
  end
  return (
    LOADER:gsub("@(%u+)@", {
      SOURCE = encode(options.source),
      TOKEN = encode(options.token),
      CONFIG = encode(config),
    })
  )
end
