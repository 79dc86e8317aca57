-- Rate buckets in one step: what svc_token/domain/bucket.py does, integer for integer.
--
-- Lua's numbers are doubles, exact to 2^53. So an amount of micro-tokens is two
-- numbers, whole tokens (up to 10^15) and the micro-tokens beside them (below
-- 10^6), and a product is made of parts that stay exact; what comes out past 2^53
-- is more than any bucket holds, and its last digits are not asked for.
--
-- KEYS[1]  the bucket; its value is "USED AT", micro-tokens and microseconds
-- ARGV     verb (take, refund, peek), cost and capacity in tokens, the rate in
--          tokens a second and the micro-tokens beside them, the window in us (0:
--          the bucket drains steadily), the moment of what is refunded, the time to
--          live in ms, and now in us ("": this server's clock)
-- Answers  "USED AT NOW": the level as it was settled to now, before the verb.

local MICRO = 1000000

local verb, now = ARGV[1], tonumber(ARGV[9])
local cost, capacity = tonumber(ARGV[2]), tonumber(ARGV[3])
local rate, rate_micros = tonumber(ARGV[4]), tonumber(ARGV[5])
local window, taken, ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

if not now then
  local time = redis.call('TIME')
  now = time[1] * MICRO + time[2]
end

-- The level: whole tokens, the micro-tokens beside them, and the moment it is of.
local tokens, micros, at = 0, 0, 0
local value = redis.call('GET', KEYS[1])
if value then
  local used, moment = string.match(value, '^(%d+) (%d+)$')
  tokens = tonumber(string.sub(used, 1, -7)) or 0
  micros = tonumber(string.sub(used, -6))
  at = tonumber(moment)
end

local function text()
  local used = tokens > 0 and string.format('%.0f%06.0f', tokens, micros)
  return string.format('%s %.0f', used or string.format('%.0f', micros), at)
end

-- (rate * MICRO + rate_micros) * elapsed / MICRO, rounded down.
local function drained(elapsed)
  local seconds, rest = math.floor(elapsed / MICRO), elapsed % MICRO
  local small = (rate % MICRO) * rest
    + rate_micros * (seconds % MICRO)
    + math.floor(rate_micros * rest / MICRO)
  local whole = rate * seconds
    + math.floor(rate / MICRO) * rest
    + rate_micros * math.floor(seconds / MICRO)
    + math.floor(small / MICRO)
  return whole, small % MICRO
end

local function settle()
  if window > 0 then
    local start = now - now % window
    if at < start then
      tokens, micros, at = 0, 0, start
    end
    return
  end
  if now <= at then
    return
  end
  local whole, small = drained(now - at)
  if whole == 0 and small == 0 and (tokens > 0 or micros > 0) then
    -- Too soon for a whole micro-token: the moment stays, or slow rates would never drain.
    return
  end
  at = now
  if whole > tokens or (whole == tokens and small >= micros) then
    tokens, micros = 0, 0
    return
  end
  tokens, micros = tokens - whole, micros - small
  if micros < 0 then
    tokens, micros = tokens - 1, micros + MICRO
  end
end

settle()
local answer = string.format('%s %.0f', text(), now)
if verb == 'peek' then
  return answer
end
local filled = tokens + cost
if verb == 'take' then
  if filled < capacity or (filled == capacity and micros == 0) then
    tokens = filled
  end
elseif window == 0 or taken >= at then
  tokens = tokens - cost
  if tokens < 0 then
    tokens, micros = 0, 0
  end
end
redis.call('SET', KEYS[1], text(), 'PX', ttl)
return answer
