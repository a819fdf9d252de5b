-- leave: give places in the line, or passes, back; many buyers in one atomic step.
--
-- KEYS  sale room line seen passes
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks; nothing keeps it
--       then for each request, 1 to 1000 of them:
--       buyer  text
-- Returns  {position, now_ms, answer ...}: LEFT position, also when there was nothing to give back | NO_ROOM position
--          NOT_LOADED position | LOG_REGRESSED position    where there is no room to be told of
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    nothing
local keys = line_keys()
local fence, buyers = ARGV[1], buyers_of()

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
local no_line = why_no_line(sale, refused)
if no_line then return refuse_all(sale, now, no_line, #buyers) end

-- Whoever is gone is not called: what `seen` says of the ticket is how the doorman knows.
local tickets, names = line_of(keys, buyers)
local seconds = {}
for _, ticket in pairs(tickets) do seconds[ticket] = 0 end
redis.call('ZCARD', keys.passes)
if next(seconds) then
  write_seen(keys, seconds)
  redis.call('HDEL', keys.line, unpack(names))
end
redis.call('ZREM', keys.passes, unpack(buyers))
return refuse_all(sale, now, 'LEFT', #buyers)
