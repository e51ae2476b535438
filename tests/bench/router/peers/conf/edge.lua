-- The edge's work in Lua: OpenSSL through LuaJIT's FFI, a shared dict as the registry. Verified
-- tokens are kept until they expire, grants until 5 s before they do, both within bounds.

local ffi = require "ffi"
local cjson = require "cjson.safe"
local lrucache = require "resty.lrucache"

ffi.cdef [[
  typedef struct bio_st BIO;
  typedef struct evp_pkey_st EVP_PKEY;
  typedef struct evp_md_ctx_st EVP_MD_CTX;
  typedef struct evp_md_st EVP_MD;
  BIO *BIO_new_mem_buf(const void *bytes, int size);
  int BIO_free(BIO *bio);
  EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, EVP_PKEY **key, void *callback, void *user);
  EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **key, void *callback, void *user);
  EVP_MD_CTX *EVP_MD_CTX_new(void);
  void EVP_MD_CTX_free(EVP_MD_CTX *context);
  const EVP_MD *EVP_sha256(void);
  int EVP_DigestVerifyInit(EVP_MD_CTX *, void **, const EVP_MD *, void *, EVP_PKEY *);
  int EVP_DigestVerify(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
  int EVP_DigestSignInit(EVP_MD_CTX *, void **, const EVP_MD *, void *, EVP_PKEY *);
  int EVP_DigestSign(EVP_MD_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
  void ERR_clear_error(void);
]]
local C = ffi.C

local GRANT_LIFE_S, GRANT_SPARE_S = 30, 5
local edge, settings = {}, nil
local registry = ngx.shared.registry
local verified = assert(lrucache.new(100000))
local grants = assert(lrucache.new(100000))

local function key_of(path, read)
  local file = assert(io.open(path, "rb"))
  local pem = file:read("*a")
  file:close()
  local bio = C.BIO_new_mem_buf(pem, #pem)
  local key = read(bio, nil, nil, nil)
  C.BIO_free(bio)
  assert(key ~= nil, "no key in " .. path)
  return key
end

function edge.start(given)
  settings = given
  settings.client = key_of(given.client_key, C.PEM_read_bio_PUBKEY)
  settings.edge = key_of(given.edge_key, C.PEM_read_bio_PrivateKey)
  for line in io.lines(given.registry) do
    local tenant, epoch = line:match("^(%S+) (%d+)$")
    assert(registry:safe_set(tenant, tonumber(epoch)))
  end
end

local function base64url(bytes)
  return (ngx.encode_base64(bytes, true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

local function from_base64url(text)
  text = text:gsub("[-_]", { ["-"] = "+", ["_"] = "/" })
  return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

local function signature_holds(signed, signature)
  local context = ffi.gc(C.EVP_MD_CTX_new(), C.EVP_MD_CTX_free)
  local holds = C.EVP_DigestVerifyInit(context, nil, C.EVP_sha256(), nil, settings.client) == 1
    and C.EVP_DigestVerify(context, signature, #signature, signed, #signed) == 1
  if not holds then C.ERR_clear_error() end
  return holds
end

local function claims_of(token)
  local known = verified:get(token)
  if known then return known end
  local head, payload, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then return nil end
  local header = cjson.decode(from_base64url(head) or "")
  local raw = from_base64url(signature)
  if not header or header.alg ~= "RS256" or not raw then return nil end
  if not signature_holds(head .. "." .. payload, raw) then return nil end
  local claims = cjson.decode(from_base64url(payload) or "")
  if not claims or claims.iss ~= settings.issuer or claims.aud ~= settings.audience then
    return nil
  end
  local left_s = (tonumber(claims.exp) or 0) - ngx.time()
  if left_s <= 0 then return nil end
  verified:set(token, claims, left_s)
  return claims
end

local function sign(text)
  local context = ffi.gc(C.EVP_MD_CTX_new(), C.EVP_MD_CTX_free)
  local signature, size = ffi.new("unsigned char[64]"), ffi.new("size_t[1]", 64)
  assert(C.EVP_DigestSignInit(context, nil, nil, nil, settings.edge) == 1)
  assert(C.EVP_DigestSign(context, signature, size, text, #text) == 1)
  return ffi.string(signature, size[0])
end

local function grant_for(tenant, epoch)
  local known = grants:get(tenant)
  if known and known.epoch == epoch then return known.token end
  local now = ngx.time()
  local signed = base64url(cjson.encode { alg = "EdDSA", kid = settings.kid, typ = "JWT" })
    .. "." .. base64url(cjson.encode {
      iss = "edge", aud = settings.cells[epoch % 16], tenant = tenant, epoch = epoch,
      scope = "tenant", iat = now, exp = now + GRANT_LIFE_S, jti = ngx.var.request_id,
    })
  local token = "Bearer " .. signed .. "." .. base64url(sign(signed))
  grants:set(tenant, { epoch = epoch, token = token }, GRANT_LIFE_S - GRANT_SPARE_S)
  return token
end

local function tenant_in_body()
  ngx.req.read_body()
  local envelope = cjson.decode(ngx.req.get_body_data() or "")
  return type(envelope) == "table" and envelope.tenant_id
end

local function to_cell_of(tenant)
  if type(tenant) ~= "string" then return ngx.exit(400) end
  local epoch = registry:get(tenant)
  if not epoch then return ngx.exit(404) end
  ngx.var.cell = "cell_" .. epoch % 16
  ngx.req.set_header("X-Tenant-Epoch", epoch)
  return epoch
end

function edge.header()
  to_cell_of(ngx.var.http_x_tenant_id)
end

function edge.body()
  to_cell_of(tenant_in_body())
end

function edge.full()
  local given = ngx.var.http_authorization
  local claims = given and given:sub(1, 7) == "Bearer " and claims_of(given:sub(8))
  if not claims then return ngx.exit(401) end
  local tenant = tenant_in_body()
  if tenant ~= claims.tenant then return ngx.exit(403) end
  local epoch = to_cell_of(tenant)
  ngx.req.set_header("Authorization", grant_for(tenant, epoch))
end

return edge
