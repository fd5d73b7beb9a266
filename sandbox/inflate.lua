-- gzip bodies, with the libdeflate that the client itself uses.
local ffi = require "ffi"

ffi.cdef [[
struct libdeflate_decompressor;
struct libdeflate_decompressor *libdeflate_alloc_decompressor(void);
int libdeflate_gzip_decompress(struct libdeflate_decompressor *, const char *,
                               size_t, char *, size_t, size_t *);
]]

local found, lib = pcall(ffi.load, "libdeflate.so.0")
local decompressor = found and lib.libdeflate_alloc_decompressor()

-- The decoded text; or nil and why there is none.
return function(text)
  if not found then
    return nil, "the sandbox needs libdeflate to read gzip: " .. lib
  end
  if #text < 18 then
    return nil, "not gzip"
  end
  local a, b, c, d = text:byte(-4, -1) -- the size modulo 2^32, little endian
  local size = a + b * 2 ^ 8 + c * 2 ^ 16 + d * 2 ^ 24
  if size > 2 ^ 28 then
    return nil, "too large"
  end
  local out = ffi.new("char[?]", size + 1)
  local actual = ffi.new "size_t[1]"
  local code = lib.libdeflate_gzip_decompress(decompressor, text, #text, out, size, actual)
  if code ~= 0 then
    return nil, "not gzip"
  end
  return ffi.string(out, actual[0])
end
