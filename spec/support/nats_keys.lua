-- What NATS calls credentials: an operator, an account and a user, each a key
-- of ed25519 and a signed text that says who it is. Keys come from openssl.
local cjson = require "cjson"
local mime = require "mime"
local process = require "spec.support.process"

local keys = {}

local KINDS = { operator = 14, account = 0, user = 20 } -- O, A and U in base 32
local SEED = 18 -- S

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function xor(a, b)
  local out, bit = 0, 1
  while a > 0 or b > 0 do
    if a % 2 ~= b % 2 then
      out = out + bit
    end
    a, b, bit = math.floor(a / 2), math.floor(b / 2), bit * 2
  end
  return out
end

-- CRC-16 of the kind that XMODEM has, the low byte first.
local function checked(bytes)
  local crc = 0
  for i = 1, #bytes do
    crc = xor(crc, bytes:byte(i) * 256)
    for _ = 1, 8 do
      crc = crc >= 32768 and xor(crc * 2 % 65536, 4129) or crc * 2
    end
  end
  return bytes .. string.char(crc % 256, math.floor(crc / 256))
end

local function base32(bytes)
  local out, value, bits = {}, 0, 0
  for i = 1, #bytes do
    value, bits = value * 256 + bytes:byte(i), bits + 8
    while bits >= 5 do
      local digit = math.floor(value / 2 ^ (bits - 5))
      out[#out + 1] = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):sub(digit + 1, digit + 1)
      value, bits = value % 2 ^ (bits - 5), bits - 5
    end
  end
  if bits > 0 then
    local digit = value * 2 ^ (5 - bits)
    out[#out + 1] = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):sub(digit + 1, digit + 1)
  end
  return table.concat(out)
end

local function base64url(bytes)
  return (mime.b64(bytes):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

-- A new key, kept in `dir`.
function keys.new(dir, kind)
  local path = os.tmpname()
  os.remove(path)
  path = dir .. path:match "/[^/]*$"
  process.run(
    ("openssl genpkey -algorithm ed25519 -out %s.pem && "):format(path)
      .. ("openssl pkey -in %s.pem -outform DER -out %s.key && "):format(path, path)
      .. ("openssl pkey -in %s.pem -pubout -outform DER -out %s.pub"):format(path, path)
  )
  local key = { path = path, kind = kind }
  local prefix = KINDS[kind]
  key.id = base32(checked(string.char(prefix * 8) .. process.slurp(path .. ".pub"):sub(-32)))
  key.seed = base32(
    checked(
      string.char(SEED * 8 + math.floor(prefix * 8 / 32), prefix * 8 % 32 * 8)
        .. process.slurp(path .. ".key"):sub(-32)
    )
  )
  return key
end

-- Says of `subject`, in words that the key `issuer` signs, what it is.
function keys.vouch(issuer, subject, claims)
  claims.type, claims.version = subject.kind, 2
  local text = base64url(cjson.encode { typ = "JWT", alg = "ed25519-nkey" })
    .. "."
    .. base64url(cjson.encode {
      jti = subject.id,
      iat = os.time(),
      iss = issuer.id,
      sub = subject.id,
      name = "spec",
      nats = claims,
    })
  write(issuer.path .. ".text", text)
  process.run(
    ("openssl pkeyutl -sign -rawin -inkey %s.pem -in %s.text -out %s.signed"):format(
      issuer.path,
      issuer.path,
      issuer.path
    )
  )
  return text .. "." .. base64url(process.slurp(issuer.path .. ".signed"))
end

-- The file of a user.
function keys.credentials(jwt, seed)
  return ([[
-----BEGIN NATS USER JWT-----
%s
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
%s
------END USER NKEY SEED------
]]):format(jwt, seed)
end

return keys
