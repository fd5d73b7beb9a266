-- Who may use the page and the control API: programs on this machine, and the
-- page itself; no other page that a browser on this machine has open.
local store = require "store"

local guard = {}

-- A port may be forwarded, so any port will do. A name that somebody makes
-- point at this machine (DNS rebinding) will not.
local HOSTS = { ["127.0.0.1"] = true, ["localhost"] = true, ["[::1]"] = true }

-- Why this request is refused whatever it wants; nil if it is not.
function guard.foreign()
  local host, origin = ngx.var.http_host, ngx.var.http_origin
  if not host or not HOSTS[host:lower():gsub(":%d+$", "")] then
    return "unknown Host: the sandbox answers to 127.0.0.1 and localhost"
  elseif origin and origin:lower() ~= ngx.var.scheme .. "://" .. host:lower() then
    return "foreign Origin: only the sandbox's own page may do this"
  end
end

-- Browsers say where a request comes from; programs have no reason to.
local function is_browser()
  return ngx.var.http_origin ~= nil or ngx.var.http_sec_fetch_site ~= nil
end

-- Why a request to the control API is refused: its status and a message.
function guard.refuse()
  local why, site = guard.foreign(), ngx.var.http_sec_fetch_site
  if not why and site and site ~= "same-origin" and site ~= "none" then
    why = "from another site: only the sandbox's own page may do this"
  end
  if why then
    return 403, why
  elseif ngx.req.get_method() == "GET" or not is_browser() then
    return nil
  elseif (ngx.var.http_content_type or ""):match "^[^;%s]*" ~= "application/json" then
    return 415, "a change from a page must be application/json"
  elseif ngx.var.http_x_sandbox_token ~= store.token then
    return 403, "a change from a page needs the page's token"
  end
end

return guard
