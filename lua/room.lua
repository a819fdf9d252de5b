-- room: give a sale a waiting room, or change its settings.
--
-- KEYS  sale stock orders buyers holds events room
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       mode   text      open, queue-all or pass-through
--       rate_per_s      int   people called, at most
--       active_max      int   people with a pass, at most
--       pass_ttl_ms     int
--       leave_after_ms  int   who gave no sign of life for so long has left
--       shuffle     int       1: the places of those who come before the opening are drawn by lot; 0: first come
--       seed        text      of the draw, 64 hexadecimal digits; taken if the room has none
--       commitment  text      the SHA-256 of the seed; a script cannot make one
--       message     text      one line for all who wait, UTF-8, up to 500 bytes
--       only        text      may be missing: names of the settings above, with spaces between, that are changed where
--                             the sale has a room; the others stay as they are. Without it all are set
-- Returns  {position, now_ms, answer}: ROOM_SET position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.room_set
--
-- No setting limits another: where two callers change one each, both hold.
local keys = named_keys({'room'})
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 11 and #ARGV ~= 12 then invalid('ARGV: ' .. #ARGV .. ' values') end

local function number_at(i, what)
  local number = count_of(ARGV[i], what)
  if number < 1 or #ARGV[i] > 8 then invalid(what) end
  return number
end

local MODES = {open = true, ['queue-all'] = true, ['pass-through'] = true}
local seed, commitment = ARGV[9], ARGV[10]
if not MODES[ARGV[3]] then invalid('mode') end
if ARGV[8] ~= '0' and ARGV[8] ~= '1' then invalid('shuffle') end
if #seed ~= 64 or string.find(seed, '[^%da-f]') then invalid('seed') end
if #commitment ~= 64 or string.find(commitment, '[^%da-f]') then invalid('commitment') end
local settings = {
  mode = ARGV[3], rate_per_s = number_at(4, 'rate_per_s'), active_max = number_at(5, 'active_max'),
  pass_ttl_ms = number_at(6, 'pass_ttl_ms'), leave_after_ms = number_at(7, 'leave_after_ms'),
  shuffle = ARGV[8] == '1', message = ARGV[11],
}

local function told_of(message)
  return message == '' and '' or sentence_of(message, 500, 'message')
end

told_of(settings.message)
local only = {}
for name in string.gmatch(ARGV[12] or '', '[^ ]+') do
  if settings[name] == nil then invalid('only') end
  only[name] = true
end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end
local state = state_now(sale, now)
if state == 'closed' then return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. state} end

local before = sale.door and door_of(sale.door)
if before and ARGV[12] then
  for name in pairs(settings) do
    if not only[name] then settings[name] = before[name] end
  end
  if not MODES[settings.mode] then corrupt('sale door') end
end
local told = told_of(settings.message)

-- A seed stays until it is drawn from, and for ever after: nobody can try another one. Only where Redis has lost it, or
-- the log the commitment to it, another takes its place.
local draw = draw_of(keys)
local kept = redis.call('HGET', keys.room, 'commitment')
if before and (draw or kept == before.commitment) then
  commitment = before.commitment
else
  redis.call('HLEN', keys.buyers)
  redis.call('ZCARD', keys.holds)
  redis.call('HSET', keys.room, 'seed', seed, 'commitment', commitment)
end

local changes = new_changes()
local numbers = {settings.rate_per_s, settings.active_max, settings.pass_ttl_ms, settings.leave_after_ms}
changes.sale = {
  door = settings.mode .. ' ' .. table.concat(numbers, ' ') .. ' ' .. (settings.shuffle and '1' or '0') .. ' ' ..
    commitment .. ' ' .. settings.message,
}
changes.events[1] = '["sale.room_set",1,' .. now .. ',"' .. by .. '","' .. settings.mode .. '",' ..
  table.concat(numbers, ',') .. ',' .. (settings.shuffle and 'true' or 'false') .. ',"' .. commitment .. '","' ..
  told .. '"]'
commit(keys, sale, changes)
return {position(sale), now, 'ROOM_SET ' .. position(sale)}
