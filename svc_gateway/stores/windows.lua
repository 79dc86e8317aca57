-- Counts a request in one step, so that no counter is left without an end.
--
-- KEYS[1]  the counter of a caller's window
-- ARGV     how long it lives from its first request on, in ms
-- Answers  how many requests it has counted, this one included

local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
