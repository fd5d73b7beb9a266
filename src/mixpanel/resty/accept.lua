--- What a client would rather have, by its Accept header.

-- "Text/Plain; q=0.5" -> "text/plain", 0.5
local function read_range(range)
  local name = range:match "^%s*([^;%s]+)"
  local quality = range:match ";%s*[qQ]%s*=%s*([%d.]+)"
  return name and name:lower(), tonumber(quality) or (quality and 0 or 1)
end

-- How much a media type is wanted, 0 to 1: by its own name, by "text/*", by
-- "*/*" (RFC 9110, 12.5.1). Without a header everything is wanted alike.
local function quality_of(accept, media_type)
  local best, exactness = accept and 0 or 1, 0
  local names = { [media_type] = 3, [media_type:gsub("/.*", "/*")] = 2, ["*/*"] = 1 }
  for range in (accept or ""):gmatch "[^,]+" do
    local name, quality = read_range(range)
    local rank = names[name] or 0
    if rank > exactness or (rank > 0 and rank == exactness and quality > best) then
      best, exactness = quality, rank
    end
  end
  return best
end

--- True if the header wants the first type more than the second.
---@param accept? string the header
---@param media_type string
---@param other string
---@return boolean
return function(accept, media_type, other)
  return quality_of(accept, media_type) > quality_of(accept, other)
end
