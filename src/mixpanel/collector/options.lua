-- Whether options of a collector are ones that it knows: nil, or what is wrong.
local TYPES = {
  origins = "table",
  tokens = "table",
  do_not_track = "boolean",
  address = "string",
  describe = "function",
  confirm = "number",
}

local LONGEST = 3600 -- seconds that a request may be kept waiting

local function check_types(options)
  for name, value in pairs(options) do
    local expected = TYPES[name]
    if not expected then
      return ("unknown option '%s': expected %s"):format(
        tostring(name),
        "origins, tokens, do_not_track, address, describe or confirm"
      )
    elseif type(value) ~= expected then
      return ("option '%s': %s expected, got %s"):format(name, expected, type(value))
    end
  end
end

local function check_origins(origins)
  for _, origin in pairs(origins) do
    if type(origin) ~= "string" or not origin:find "^https?://[^/]+$" then
      return ("option 'origins': got %s, expected origins such as \"https://shop.example\""):format(
        tostring(origin)
      )
    end
  end
end

return function(options)
  if type(options) ~= "table" then
    return "options: table expected, got " .. type(options)
  end
  local wrong = check_types(options)
  if wrong then
    return wrong
  end
  local address, confirm = options.address or "visitor", options.confirm
  if address ~= "visitor" and address ~= "cut" and address ~= "never" then
    return ('option \'address\': got "%s", expected "visitor", "cut" or "never"'):format(address)
  elseif confirm and not (confirm > 0 and confirm <= LONGEST) then
    return ("option 'confirm': got %s, expected seconds above 0, at most %d"):format(
      tostring(confirm),
      LONGEST
    )
  end
  return check_origins(options.origins or {})
end
