-- trim: take the oldest events off the log, if the caller proves that it has them and every group acknowledged them.
--
-- The proof is their number and the SHA-1 of their ids and bodies: two copies of ours are equal. Against somebody who
-- forges it, it proves nothing.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence   position  the highest epoch-seq the caller has seen
--       by      text      who asks; nothing keeps it, for nothing has happened to the sale
--       up_to   position  of the last event to take off; the first is the log's oldest
--       count   int       how many events these are, 1 to 1000
--       digest  text      40 hexadecimal digits: SHA-1 over `id length body` of each
-- Returns  {position, now_ms, answer}: TRIMMED position count | NOT_PROVEN position
--          NOT_ACKNOWLEDGED position group events    group - : there is none
--          NOT_LOADED position | LOG_REGRESSED position | ARCHIVED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    nothing
local keys = named_keys()
local fence, up_to, digest = ARGV[1], ARGV[3], ARGV[5]
actor_of(ARGV[2])
if #ARGV ~= 5 then invalid('ARGV: ' .. #ARGV .. ' values') end
local epoch, seq = string.match(up_to, '^(%d+)%-(%d+)$')
-- Lua's numbers are exact up to 2^53, and the id behind `up_to` must be.
if not epoch or #epoch > 9 or #seq > 15 then invalid('up_to') end
local count = quantity_of(ARGV[4], 'count')
if count > 1000 then invalid('count') end
if #digest ~= 40 or not string.find(digest, '^[0-9a-f]+$') then invalid('digest') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end

-- One more than the caller names: an event that the archive lacks is found by the number.
local entries = redis.call('XRANGE', keys.events, '-', up_to, 'COUNT', count + 1)
local parts = {}
for i = 1, #entries do
  local id, fields = entries[i][1], entries[i][2]
  -- An entry of another shape was never archived byte for byte.
  if #fields ~= 2 or fields[1] ~= 'e' then parts = {} break end
  parts[i] = id .. ' ' .. #fields[2] .. ' ' .. fields[2]
end
local proven = #parts == count and entries[count][1] == up_to and redis.sha1hex(table.concat(parts)) == digest
if not proven then return {position(sale), now, 'NOT_PROVEN ' .. position(sale)} end

local group, n = who_lacks(keys.events, entries, up_to)
if group then
  return {position(sale), now, 'NOT_ACKNOWLEDGED ' .. position(sale) .. ' ' .. group .. ' ' .. n}
end
-- Exact, not `~`: nothing behind `up_to` is proven, and what is left is what the caller was told.
local trimmed = redis.call('XTRIM', keys.events, 'MINID', '=', epoch .. '-' .. string.format('%.0f', tonumber(seq) + 1))
return {position(sale), now, 'TRIMMED ' .. position(sale) .. ' ' .. trimmed}
