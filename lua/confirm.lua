-- confirm: the buyers of these orders have paid.
--
-- A payment may come after the hold expired. Then the units are taken again in the same step if enough are left and the
-- buyer's limit allows it; else the log records that a refund is due. So it does when the buyer had given the order up:
-- then no units are taken, for nobody wants them. The first payment of an order is never lost. One that comes when the
-- money went back is WRONG_STATE: it is the first one told again, or a second one, and nothing here can tell which.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
--       traces text      once, at the end; may be missing: the trace ids of all, see `order_requests`
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          CONFIRMED position late [status]    late is 1 when an expired hold was taken again, else 0
--          REFUND_DUE position 0 [status]      paid after expiry, nothing was left; or paid after it was cancelled
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.confirmed, order.refund_due
local function pay_held(batch, order)
  local left = batch.stock[order.sku]
  if left.held < order.quantity then corrupt('stock ' .. order.sku) end
  left.held = left.held - order.quantity
  left.sold = left.sold + order.quantity
  batch.changes.stock[order.sku] = left
  batch.changes.unhold[#batch.changes.unhold + 1] = order.id
  record(batch, order, 'confirmed', '', 'order.confirmed', 1, ',false')
  return 'CONFIRMED ' .. order.changed_at .. ' 0'
end

-- The money came, and the order gets nothing for it: a refund settles that.
local function owe(batch, order)
  record(batch, order, 'refund_due', '', 'order.refund_due', 1, '')
  return 'REFUND_DUE ' .. order.changed_at .. ' 0'
end

local function pay_expired(batch, order)
  local left = batch.stock[order.sku]
  local mine = (batch.units[order.holder] or 0) + order.quantity
  if left.available < order.quantity or (left.limit > 0 and mine > left.limit) then
    return owe(batch, order)
  end
  left.available = left.available - order.quantity
  left.sold = left.sold + order.quantity
  batch.changes.stock[order.sku] = left
  batch.units[order.holder], batch.changes.units[order.holder] = mine, mine
  record(batch, order, 'confirmed', 'late', 'order.confirmed', 1, ',true')
  return 'CONFIRMED ' .. order.changed_at .. ' 1'
end

local function confirm(batch, order)
  if order.status == 'held' then
    return pay_held(batch, order)
  elseif order.status == 'expired' then
    return pay_expired(batch, order)
  elseif order.status == 'cancelled' then
    return owe(batch, order)
  elseif order.status == 'confirmed' then
    return 'CONFIRMED ' .. order.changed_at .. (order.how == 'late' and ' 1' or ' 0') .. ' confirmed'
  elseif order.status == 'refund_due' then
    return 'REFUND_DUE ' .. order.changed_at .. ' 0 refund_due'
  end
  return wrong_state(batch, order)
end

return resolve_orders(2, confirm)
