-- refund: money goes back for paid orders; their units go back on sale, or not.
--
-- An order whose refund is due (paid after expiry, nothing left) holds no units: refunding it settles the debt only.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
--       units  text      restock: sell them again; keep: they stay out of the sale
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          REFUNDED position units [status]    units is restock, keep, or none when a due refund was settled;
--                                              status only when it was refunded before: the same answer again
--          CONFLICT position units             refunded before, in the other way
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.refunded
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local n = request_count(2, 3)
for i = 1, n do
  local units = ARGV[3 * i + 2]
  if units ~= 'restock' and units ~= 'keep' then invalid('units') end
end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, n) end

local found, stock, units = read_orders(keys, ids_of(2, 3, n))
local changes = new_changes()
local reply = {'', now}

local function refund(order, how)
  local left = stock[order.sku]
  if order.status == 'refund_due' then
    how = 'none'
  else
    if left.sold < order.quantity then corrupt('stock ' .. order.sku) end
    left.sold = left.sold - order.quantity
    if how == 'restock' then
      left.available = left.available + order.quantity
    else
      left.returned = left.returned + order.quantity
    end
    changes.stock[order.sku] = left
    release_units(changes, units, order)
  end
  local body = order_event('order.refunded', 2, now, by, order, left) .. ',"' .. how .. '"]'
  record(changes, sale, order, 'refunded', how, body)
  return 'REFUNDED ' .. order.changed_at .. ' ' .. how
end

for i = 1, n do
  local order, buyer, how = found[ARGV[3 * i]], ARGV[3 * i + 1], ARGV[3 * i + 2]
  local answer
  if not is_owner(order, buyer) then
    answer = 'NOT_FOUND ' .. position(sale, #changes.events)
  elseif order.status == 'confirmed' or order.status == 'refund_due' then
    answer = refund(order, how)
  elseif order.status == 'refunded' and (order.how == how or order.how == 'none') then
    answer = 'REFUNDED ' .. order.changed_at .. ' ' .. order.how .. ' refunded'
  elseif order.status == 'refunded' then
    answer = 'CONFLICT ' .. position(sale, #changes.events) .. ' ' .. order.how
  else
    answer = 'WRONG_STATE ' .. position(sale, #changes.events) .. ' ' .. order.status
  end
  reply[i + 2] = answer
end

if #changes.events > 0 then commit(keys, sale, changes) end
reply[1] = position(sale)
return reply
