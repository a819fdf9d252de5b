-- load: warm a defined sale, once: window, hold and stock go into Redis, and the log begins.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       opens_ms   int   0: a person opens it
--       closes_ms  int   0: a person closes it
--       hold_ms    int   how long an unpaid order keeps its units
--       then for each SKU, 1 to 1000 of them:
--       sku        text
--       quantity   int   1 to 1000000000
--       limit      int   units one buyer may hold or own; 0: no limit
--       at the end, if the caller knows it:
--       origin     text  origin:TIME, when its definition was stored, to the microsecond
-- Returns  {position, now_ms, answer}: LOADED position | ALREADY_LOADED position state | LOG_REGRESSED position
-- Emits    sale.loaded, stock.loaded
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local opens_ms, closes_ms = count_of(ARGV[3], 'opens_ms'), count_of(ARGV[4], 'closes_ms')
local hold_ms = count_of(ARGV[5], 'hold_ms')
local origin = (#ARGV - 5) % 3 == 1 and origin_of(string.match(ARGV[#ARGV], '^origin:(.+)$'), 'origin') or nil
local n = request_count(origin and 6 or 5, 3)
if hold_ms < 1 then invalid('hold_ms') end
if closes_ms > 0 and closes_ms <= opens_ms then invalid('closes_ms') end

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
-- LOG_REGRESSED also when nothing is there but somebody has seen events: a second beginning would sell it all again.
-- An archived sale is over: to whoever warms it, it was loaded before.
if refused == 'ARCHIVED' then refused = nil end
if refused ~= 'NOT_LOADED' then
  local state = refused and '' or ' ' .. state_now(sale, now)
  return {position(sale), now, (refused or 'ALREADY_LOADED') .. ' ' .. position(sale) .. state}
end
if redis.call('EXISTS', unpack(KEYS)) > 0 then corrupt('sale: missing, but other keys of this sale exist') end

local changes = new_changes()
sale.epoch, sale.seq = 1, 0
changes.events[1] = '["sale.loaded",1,' .. now .. ',"' .. by .. '",' .. opens_ms .. ',' .. closes_ms .. ',' ..
  hold_ms .. ']'
changes.sale = {
  state = 'warm', opens_ms = tostring(opens_ms), closes_ms = tostring(closes_ms), hold_ms = hold_ms, epoch = sale.epoch,
  origin = origin,
}
for i = 1, n do
  local a = 3 * i + 3
  local sku, quantity, limit = ARGV[a], count_of(ARGV[a + 1], 'quantity'), count_of(ARGV[a + 2], 'limit')
  if not is_id(sku, '._-', 64) or changes.stock[sku] then invalid('sku') end
  if quantity < 1 or quantity > 1000000000 then invalid('quantity') end
  local stock = {available = quantity, held = 0, sold = 0, returned = 0, limit = limit}
  changes.stock[sku] = stock
  changes.events[i + 1] = '["stock.loaded",1,' .. now .. ',"' .. by .. '","' .. sku .. '",' .. quantity .. ',' ..
    limit .. counters(stock) .. ']'
end

commit(keys, sale, changes)
return {position(sale), now, 'LOADED ' .. position(sale)}
