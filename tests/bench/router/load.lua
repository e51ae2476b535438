-- Sends the requests of one file in turn: wrk ... -s load.lua URL -- FILE FIRST
-- They are read whole before the first is sent, so that sending costs a table look-up.

local requests, nth = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local bytes = file:read("*n")
    if not bytes then break end
    file:read(1)
    requests[#requests + 1] = file:read(bytes)
  end
  file:close()
  nth = tonumber(args[2]) % #requests
end

function request()
  nth = nth % #requests + 1
  return requests[nth]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "wall_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
