-- restock: put units of a SKU on sale, or take unsold ones off.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       request    text  identity of this change: a repeat does nothing and gets the same answer
--       direction  text  add or remove
--       sku        text
--       quantity   int   1 to 999999
-- Returns  {position, now_ms, answer}: RESTOCKED position available [status]    status only for a repeat
--          NOT_ENOUGH position available    fewer than that are unsold: they are held or sold
--          OVER_CAPACITY position available | UNKNOWN_SKU position | CONFLICT position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    stock.added, stock.removed
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 6 then invalid('ARGV: ' .. #ARGV .. ' values') end
local request, direction, sku, quantity = ARGV[3], ARGV[4], ARGV[5], quantity_of(ARGV[6], 'quantity')
if not is_id(request, '._-', 64) then invalid('request') end
if direction ~= 'add' and direction ~= 'remove' then invalid('direction') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end

local function answer(text)
  return {position(sale), now, text}
end

local field = 'request:' .. request
local content = direction .. ' ' .. sku .. ' ' .. quantity
local done = redis.call('HGET', keys.sale, field)
if done then
  local before, at, available = string.match(done, '^(%l+ %S+ %d+) (%d+%-%d+) (%d+)$')
  if not before then corrupt('sale ' .. field) end
  if before ~= content then return answer('CONFLICT ' .. position(sale)) end
  return answer('RESTOCKED ' .. at .. ' ' .. available .. ' repeated')
end
if state_now(sale, now) == 'closed' then return answer('WRONG_STATE ' .. position(sale) .. ' closed') end
local stock = stock_of(redis.call('HGET', keys.stock, sku), sku)
if not stock then return answer('UNKNOWN_SKU ' .. position(sale)) end
if direction == 'remove' and stock.available < quantity then
  return answer('NOT_ENOUGH ' .. position(sale) .. ' ' .. stock.available)
end
if direction == 'add' and stock.available + stock.held + stock.sold + stock.returned + quantity > 1000000000 then
  return answer('OVER_CAPACITY ' .. position(sale) .. ' ' .. stock.available)
end

stock.available = stock.available + (direction == 'add' and quantity or -quantity)
local changes = new_changes()
changes.stock[sku] = stock
local name = direction == 'add' and 'stock.added' or 'stock.removed'
changes.events[1] = '["' .. name .. '",1,' .. now .. ',"' .. by .. '","' .. request .. '","' .. sku ..
  '",' .. quantity .. counters(stock) .. ']'
changes.sale = {[field] = content .. ' ' .. position(sale, 1) .. ' ' .. stock.available}
commit(keys, sale, changes)
return answer('RESTOCKED ' .. position(sale) .. ' ' .. stock.available)
