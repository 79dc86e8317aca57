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
--          live of an idle bucket in ms, and now in us ("": this server's clock)
-- Answers  "USED AT NOW": the level as it was settled to now, before the verb.

local MICRO = 1000000

local verb, now = ARGV[1], tonumber(ARGV[9])
local cost, capacity = tonumber(ARGV[2]), tonumber(ARGV[3])
local rate, rate_micros = tonumber(ARGV[4]), tonumber(ARGV[5])
local window, taken, ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

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

local function start(moment)
  return moment - moment % window
end

local function settle()
  if now <= at then
    return
  end
  if window > 0 then
    if at < start(now) then
      tokens, micros = 0, 0
    end
    at = now
    return
  end
  local elapsed = now - at
  local whole, small = drained(elapsed)
  at = now
  if whole > tokens or (whole == tokens and small >= micros) then
    tokens, micros = 0, 0
    return
  end
  if rate == 0 then
    -- The time that made no whole micro-token yet; at a token a second and more it is none.
    at = now - math.floor(rate_micros * (elapsed % MICRO) % MICRO / rate_micros)
  end
  tokens, micros = tokens - whole, micros - small
  if micros < 0 then
    tokens, micros = tokens - 1, micros + MICRO
  end
end

-- How long it is kept, in ms: until it is empty, as to forget it earlier would fill it up.
local function kept()
  local ms
  if window > 0 then
    ms = (start(at) + window - now) / 1000
  else
    ms = (tokens + micros / MICRO) / (rate + rate_micros / MICRO) * 1000 + (at - now) / 1000
  end
  -- A double's last digit is rounded; more than 2^53 ms (285,000 years) are not asked for.
  ms = math.ceil(ms * (1 + 2 ^ -50)) + 1
  return string.format('%.0f', math.min(math.max(ms, ttl), 2 ^ 53))
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
else
  -- What may have drained since is not put back, one micro-token more for what is rounded.
  local gone, gone_micros = 0, 0
  if window > 0 then
    gone = (taken < start(at) or taken > at) and cost or 0
  elseif now > taken then
    gone, gone_micros = drained(now - taken)
    gone_micros = gone_micros + 1
  end
  if gone < cost then
    tokens, micros = tokens - (cost - gone), micros + gone_micros
    if micros >= MICRO then
      tokens, micros = tokens + 1, micros - MICRO
    end
    if tokens < 0 then
      tokens, micros = 0, 0
    end
  end
end
redis.call('SET', KEYS[1], text(), 'PX', kept())
return answer
