-- found: staged keys take the place of a shard's own; its log goes on in a later epoch.
--
-- `recover` halts the sale, reads what is left, stages the new state beside it, and calls this. Until then nothing of
-- the old state is touched, and whatever interrupts it leaves a sale that is halted, not one that is half.
--
-- KEYS  sale stock orders buyers holds events new_sale new_stock new_orders new_buyers new_holds new_events
-- ARGV  counted  position  the sale's own count, as the caller has read it; 0-0: none
--       head     position  the log's newest entry, as the caller has read it; 0-0: none
-- Returns  {position, now_ms, answer}: FOUNDED position | MOVED position    something was written meanwhile
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    nothing
if #KEYS ~= 12 then invalid('KEYS') end
local tag = tag_of_keys()
keys_of_shard(1, tag)
keys_of_shard(7, tag .. ':new')
if #ARGV ~= 2 then invalid('ARGV: ' .. #ARGV .. ' values') end
for i = 1, 2 do
  if not is_position(ARGV[i]) then invalid('ARGV: position') end
end

-- Read without judging: what is damaged is about to go. What is no count counts as none.
local function count(key)
  local found = redis.pcall('HMGET', key, 'epoch', 'seq')
  local text = (found[1] or '') .. '-' .. (found[2] or '')
  return string.find(text, '^%d+%-%d+$') and text or '0-0'
end

local now = now_ms()
local counted = count(KEYS[1])
local head = newest_id(KEYS[6]) or '0-0'
if counted ~= ARGV[1] or head ~= ARGV[2] then return {counted, now, 'MOVED ' .. counted} end
if redis.call('EXISTS', KEYS[7], KEYS[8], KEYS[12]) ~= 3 then corrupt('nothing is staged') end

-- The groups of others begin with the new log, so that it is not trimmed before they have read it; the projector's own
-- begins where Postgres stands.
local groups, others = redis.pcall('XINFO', 'GROUPS', KEYS[6]), {}
for i = 1, groups.err and 0 or #groups do
  if groups[i][2] ~= 'projector' then others[#others + 1] = groups[i][2] end
end

-- UNLINK frees a million orders without blocking Redis.
redis.call('UNLINK', unpack(KEYS, 1, 6))
for i = 7, 12 do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[i - 6]) end
end
for i = 1, #others do redis.call('XGROUP', 'CREATE', KEYS[6], others[i], '0') end
local at = count(KEYS[1])
return {at, now, 'FOUNDED ' .. at}
