-- archive: remove a sale that is over from Redis; a small tombstone answers whoever comes late.
--
-- KEYS  sale stock orders buyers holds events room line seen passes
-- ARGV  fence   position  the highest epoch-seq the caller has seen
--       by      text      who asks; nothing keeps it: the log has been read to its end
--       up_to   position  up to where the caller has proven that Postgres has everything
-- Returns  {position, now_ms, answer}: ARCHIVED position, a repeat too | WRONG_STATE position state
--          HOLDS_OPEN position count
--          NOT_PROVEN position events    the log does not end at `up_to`, or holds events that were not trimmed
--          NOT_ACKNOWLEDGED position group events
--          NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    nothing
local keys = named_keys({'room', 'line', 'seen', 'passes'})
local fence, up_to = ARGV[1], ARGV[3]
actor_of(ARGV[2])
if #ARGV ~= 3 then invalid('ARGV: ' .. #ARGV .. ' values') end
if not is_position(up_to) then invalid('up_to') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end

local at = position(sale)
local is_over = sale.state == 'closed' or (sale.closes_ms > 0 and now >= sale.closes_ms)
if not is_over then return {at, now, 'WRONG_STATE ' .. at .. ' ' .. sale.state} end
local holds = redis.call('ZCARD', keys.holds)
if holds > 0 then return {at, now, 'HOLDS_OPEN ' .. at .. ' ' .. holds} end
local left = redis.call('XLEN', keys.events)
if at ~= up_to or left > 0 then return {at, now, 'NOT_PROVEN ' .. at .. ' ' .. left} end
local group, n = who_lacks(keys.events, {}, at)
if group then return {at, now, 'NOT_ACKNOWLEDGED ' .. at .. ' ' .. group .. ' ' .. n} end

-- The tombstone first: from here on everything is refused. UNLINK frees a million orders without blocking Redis.
redis.call('HSET', keys.sale, 'state', 'archived')
local fields, gone = redis.call('HKEYS', keys.sale), {}
for i = 1, #fields do
  if fields[i] ~= 'state' and fields[i] ~= 'epoch' and fields[i] ~= 'seq' then gone[#gone + 1] = fields[i] end
end
-- One field a restock: as many as there are, in bites that unpack() can take.
for i = 1, #gone, 1000 do redis.call('HDEL', keys.sale, unpack(gone, i, math.min(i + 999, #gone))) end
redis.call('UNLINK', unpack(KEYS, 2))
return {at, now, 'ARCHIVED ' .. at}
