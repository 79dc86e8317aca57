-- Rate buckets in one step: what svc_token/domain/bucket.py does, integer for integer.
--
-- Lua's numbers are doubles, exact to 2^53. So an amount of micro-tokens is two
-- numbers, whole tokens (up to 10^15) and the micro-tokens beside them (below
-- 10^6), and a product is made of parts that stay exact; what comes out past 2^53
-- is more than any bucket holds, and its last digits are not asked for.
--
-- KEYS[1]  the bucket; its value is "USED AT SINCE BACK", micro-tokens and microseconds,
--          or as it was written earlier "USED AT"
-- ARGV     verb (take, refund, peek), cost and capacity in tokens, the rate in
--          tokens a second and the micro-tokens beside them, the window in us (0:
--          the bucket drains steadily), of what is refunded the moment, the bucket's
--          SINCE then and what it is behind in tokens and the micro-tokens beside them,
--          the time to live of an idle bucket in ms, and now in us ("": this server's clock)
-- Answers  "USED AT SINCE BACK NOW": the level as it was settled to now, before the verb.

local MICRO = 1000000
local MOST_BACK = 10 ^ 15

local verb, now = ARGV[1], tonumber(ARGV[12])
local cost, capacity = tonumber(ARGV[2]), tonumber(ARGV[3])
local rate, rate_micros = tonumber(ARGV[4]), tonumber(ARGV[5])
local window, taken, taken_since = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local behind, behind_micros = tonumber(ARGV[9]), tonumber(ARGV[10])
local ttl = tonumber(ARGV[11])

if not now then
  local time = redis.call('TIME')
  now = time[1] * MICRO + time[2]
end

-- Micro-tokens as whole tokens and the micro-tokens beside them, and back.
local function split(amount)
  return tonumber(string.sub(amount, 1, -7)) or 0, tonumber(string.sub(amount, -6)) or 0
end

local function joined(whole, small)
  if whole > 0 then
    return string.format('%.0f%06.0f', whole, small)
  end
  return string.format('%.0f', small)
end

-- The difference of two amounts; the whole is negative when it is.
local function minus(whole, small, less, less_small)
  if small < less_small then
    return whole - less - 1, small - less_small + MICRO
  end
  return whole - less, small - less_small
end

-- The level: what is in it, the moment it is of, since when it has not been empty, and
-- what has been put back since.
local tokens, micros, at, since, back, back_micros = 0, 0, 0, 0, 0, 0
local value = redis.call('GET', KEYS[1])
if value then
  local used, moment, begun, returned = string.match(value, '^(%d+) (%d+) ?(%d*) ?(%d*)$')
  tokens, micros = split(used)
  at, since = tonumber(moment), tonumber(begun) or 0
  back, back_micros = split(returned)
end

local function empty()
  tokens, micros, since, back, back_micros = 0, 0, 0, 0, 0
end

local function text()
  return string.format(
    '%s %.0f %.0f %s', joined(tokens, micros), at, since, joined(back, back_micros)
  )
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
      empty()
    end
    at = now
    return
  end
  local elapsed = now - at
  local whole, small = drained(elapsed)
  at = now
  if whole > tokens or (whole == tokens and small >= micros) then
    empty()
    return
  end
  if rate == 0 then
    -- The time that made no whole micro-token yet; at a token a second and more it is none.
    at = now - math.floor(rate_micros * (elapsed % MICRO) % MICRO / rate_micros)
  end
  tokens, micros = minus(tokens, micros, whole, small)
end

-- The most that can have drained of what is refunded, in tokens and the micro-tokens beside.
local function gone()
  if window > 0 then
    return (taken < start(at) or taken > at) and cost or 0, 0
  end
  local elapsed = math.max(now, at) - taken
  if elapsed <= 0 then
    return 0, 0
  end
  local whole, small = drained(elapsed)
  -- One micro-token more for what is rounded.
  small = small + 1
  if small == MICRO then
    whole, small = whole + 1, 0
  end
  if taken_since > 0 and taken_since == since then
    local ahead, ahead_micros = minus(behind, behind_micros, back, back_micros)
    if ahead >= 0 then
      whole, small = minus(whole, small, ahead, ahead_micros)
    end
  end
  if whole < 0 then
    return 0, 0
  end
  return whole, small
end

local function refund()
  local put, put_micros = minus(cost, 0, gone())
  if put < 0 then
    return
  end
  if put > tokens or (put == tokens and put_micros > micros) then
    put, put_micros = tokens, micros
  end
  tokens, micros = minus(tokens, micros, put, put_micros)
  back, back_micros = back + put, back_micros + put_micros
  if back_micros >= MICRO then
    back, back_micros = back + 1, back_micros - MICRO
  end
  if back > MOST_BACK or (back == MOST_BACK and back_micros > 0) then
    since, back, back_micros = 0, 0, 0
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
    if tokens == 0 and micros == 0 then
      since, back, back_micros = at, 0, 0
    end
    tokens = filled
  end
else
  refund()
end
redis.call('SET', KEYS[1], text(), 'PX', kept())
return answer
