-- The edge's work that Envoy's own filters leave over. `settings` is written above this text.
-- Envoy's Lua can verify but not sign, so HMAC-SHA256 (FIPS 180-4, RFC 2104) stands here.

local bit = require "bit"
local band, bnot, bxor = bit.band, bit.bnot, bit.bxor
local ror, shr, tobit = bit.ror, bit.rshift, bit.tobit

local registry = {}
for line in io.lines(settings.registry) do
  local tenant, epoch = line:match("^(%S+) (%d+)$")
  registry[tenant] = tonumber(epoch)
end

-- The first 32 bits of the fractions of the roots of the first primes.
local function fraction(root)
  return tobit(math.floor((root - math.floor(root)) * 2 ^ 32))
end

local K, START = {}, {}
do
  local candidate = 2
  while #K < 64 do
    local prime = true
    for divisor = 2, math.floor(math.sqrt(candidate)) do
      if candidate % divisor == 0 then prime = false break end
    end
    if prime then
      if #START < 8 then START[#START + 1] = fraction(math.sqrt(candidate)) end
      -- One step of Newton's makes the cube root exact enough.
      local root = candidate ^ (1 / 3)
      root = root - (root * root * root - candidate) / (3 * root * root)
      K[#K + 1] = fraction(root)
    end
    candidate = candidate + 1
  end
end

local function word(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return tobit(a * 2 ^ 24 + b * 2 ^ 16 + c * 2 ^ 8 + d)
end

local function bytes_of(value)
  return string.char(shr(value, 24), band(shr(value, 16), 255), band(shr(value, 8), 255),
    band(value, 255))
end

local function sha256(text)
  local size = #text
  text = text .. "\128" .. ("\0"):rep((55 - size) % 64) .. "\0\0\0\0" .. bytes_of(size * 8)
  local h = { unpack(START) }
  local w = {}
  for block = 1, #text, 64 do
    for i = 1, 16 do w[i] = word(text, block + (i - 1) * 4) end
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      local s0 = bxor(ror(x, 7), ror(x, 18), shr(x, 3))
      local s1 = bxor(ror(y, 17), ror(y, 19), shr(y, 10))
      w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
    end
    local a, b, c, d, e, f, g, z = unpack(h)
    for i = 1, 64 do
      local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
      local t1 = tobit(z + s1 + bxor(band(e, f), band(bnot(e), g)) + K[i] + w[i])
      local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
      local t2 = tobit(s0 + bxor(band(a, b), band(a, c), band(b, c)))
      z, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
    end
    local now = { a, b, c, d, e, f, g, z }
    for i = 1, 8 do h[i] = tobit(h[i] + now[i]) end
  end
  local out = {}
  for i = 1, 8 do out[i] = bytes_of(h[i]) end
  return table.concat(out)
end

local function padded(secret, mask)
  secret = secret .. ("\0"):rep(64 - #secret)
  return (secret:gsub(".", function(c) return string.char(bxor(c:byte(), mask)) end))
end

local INNER, OUTER = padded(settings.secret, 0x36), padded(settings.secret, 0x5c)

local function hmac(text)
  return sha256(OUTER .. sha256(INNER .. text))
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local function base64url(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local group = a * 65536 + (b or 0) * 256 + (c or 0)
    for i = 0, (c and 3) or (b and 2) or 1 do
      local digit = math.floor(group / 64 ^ (3 - i)) % 64
      out[#out + 1] = DIGITS:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(out)
end

local HEAD = base64url(('{"alg":"HS256","kid":"%s","typ":"JWT"}'):format(settings.kid))
local GRANTS_MAX, GRANT_LIFE_S, GRANT_SPARE_S = 100000, 30, 5
local grants, held, serial = {}, 0, 0

local function grant_for(tenant, epoch)
  local now = os.time()
  local known = grants[tenant]
  if known and known.until_s > now and known.epoch == epoch then return known.token end
  if held >= GRANTS_MAX then grants, held = {}, 0 end
  serial = serial + 1
  local claims = ('{"iss":"edge","aud":"%s","tenant":"%s","epoch":%d,"scope":"tenant",'
    .. '"iat":%d,"exp":%d,"jti":"%d.%d"}'):format(
    settings.cells[epoch % 16], tenant, epoch, now, now + GRANT_LIFE_S, now, serial)
  local signed = HEAD .. "." .. base64url(claims)
  local token = "Bearer " .. signed .. "." .. base64url(hmac(signed))
  if not known then held = held + 1 end
  grants[tenant] = { epoch = epoch, token = token, until_s = now + GRANT_LIFE_S - GRANT_SPARE_S }
  return token
end

local function refuse(handle, status)
  handle:respond({ [":status"] = status }, "")
end

local function tenant_of(handle)
  if settings.work == "header" then return handle:headers():get("x-tenant-id") end
  local found = handle:streamInfo():dynamicMetadata():get("edge")
  return found and found.tenant
end

local function allowed(handle, tenant)
  local found = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  return found and found.claims and found.claims.tenant == tenant
end

function envoy_on_request(handle)
  local tenant = tenant_of(handle)
  if type(tenant) ~= "string" then return refuse(handle, "400") end
  if settings.work == "full" and not allowed(handle, tenant) then return refuse(handle, "403") end
  local epoch = registry[tenant]
  if not epoch then return refuse(handle, "404") end
  local headers = handle:headers()
  headers:replace("x-edge-cell", tostring(epoch % 16))
  headers:replace("x-tenant-epoch", tostring(epoch))
  if settings.work == "full" then headers:replace("authorization", grant_for(tenant, epoch)) end
  handle:clearRouteCache()
end
