--- mp:stats() as a page, for whoever opens the address in a browser.
local counters = require "mixpanel.resty.counters"

local PAGE = [[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mixpanel: %s</title>
<style nonce="%s">
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0 }
p { margin: .25rem 0 1.5rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%% }
caption { text-align: left; font-weight: 600; padding: .5rem 0 }
th, td { text-align: left; font-weight: 400; padding: .4rem 0; vertical-align: top;
  border-top: 1px solid color-mix(in srgb, currentColor 18%%, transparent) }
td { text-align: right; font-variant-numeric: tabular-nums; padding-left: 1rem }
</style>
</head>
<body>
<main>
<h1>%s</h1>
<p>nginx worker %d, %s</p>
<table>
<caption>What became of its records</caption>
<tbody>
%s
</tbody>
</table>
</main>
</body>
</html>
]]

local POLICY = "default-src 'none'; style-src 'nonce-%s'; frame-ancestors 'none'"

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (tostring(text):gsub('[&<>"]', ENTITIES))
end

-- 1234567 -> "1 234 567", with narrow spaces that do not break.
local function write_number(value)
  if value % 1 ~= 0 then
    return ("%.1f"):format(value)
  end
  local digits = ("%.0f"):format(value):reverse():gsub("%d%d%d", "%0\175\128\226"):reverse()
  return (digits:gsub("^\226\128\175", ""))
end

local function add_row(rows, text, value)
  local row = '<tr><th scope="row">%s</th><td>%s</td></tr>'
  rows[#rows + 1] = row:format(escape(text), write_number(value))
end

local function make_rows(stats)
  local rows = {}
  for _, counter in ipairs(counters) do
    local value = stats[counter.key]
    local unit = counter.name:find "_seconds$" and ", seconds" or ""
    if type(value) == "table" then
      local labels = {}
      for label in pairs(value) do
        labels[#labels + 1] = label
      end
      table.sort(labels)
      for _, label in ipairs(labels) do
        add_row(rows, ("%s: %s"):format(counter.help, label), value[label])
      end
    elseif value then
      add_row(rows, counter.help .. unit, value)
    end
  end
  return table.concat(rows, "\n")
end

-- One sentence that says how it stands.
local function summarise(stats)
  local waiting = stats.queued + stats.in_flight + stats.spooled
  if waiting == 0 then
    return "Nothing waits"
  end
  return ("%s %s"):format(write_number(waiting), waiting == 1 and "record waits" or "records wait")
end

local function describe_error(stats)
  if not stats.last_error then
    return "no failure so far."
  end
  local text = "last failure %s seconds ago: %s"
  return text:format(write_number(stats.last_error_age), escape(stats.last_error))
end

--- Answers with the page. It has no script, loads nothing and is in no frame.
---@param stats mixpanel.Stats
---@param pid integer
return function(stats, pid)
  local nonce, title = ngx.var.request_id, summarise(stats)
  ngx.header["Content-Type"] = "text/html; charset=utf-8"
  ngx.header["Content-Security-Policy"] = POLICY:format(nonce)
  ngx.header["X-Content-Type-Options"] = "nosniff"
  ngx.header["Referrer-Policy"] = "no-referrer"
  ngx.print(PAGE:format(title, nonce, title, pid, describe_error(stats), make_rows(stats)))
end
