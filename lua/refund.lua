-- refund: money goes back for paid orders; their units go back on sale, or not.
--
-- An order whose refund is due (paid after expiry, nothing left; or paid after it was cancelled) holds no units:
-- refunding it settles the debt only.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
--       units  text      restock: sell them again; keep: they stay out of the sale
--       traces text      once, at the end; may be missing: the trace ids of all, see `order_requests`
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          REFUNDED position units [status]    units is restock, keep, or none when a due refund was settled;
--                                              status only when it was refunded before: the same answer again
--          CONFLICT position units             refunded before, in the other way
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.refunded
for i = 1, order_requests(3) do
  local units = ARGV[3 * i + 2]
  if units ~= 'restock' and units ~= 'keep' then invalid('units') end
end

local function take_back(batch, order, how)
  local left = batch.stock[order.sku]
  if left.sold < order.quantity then corrupt('stock ' .. order.sku) end
  left.sold = left.sold - order.quantity
  if how == 'restock' then
    left.available = left.available + order.quantity
  else
    left.returned = left.returned + order.quantity
  end
  batch.changes.stock[order.sku] = left
  release_units(batch, order)
end

local function refund(batch, order, how)
  if order.status == 'confirmed' or order.status == 'refund_due' then
    if order.status == 'confirmed' then take_back(batch, order, how) else how = 'none' end
    record(batch, order, 'refunded', how, 'order.refunded', 2, ',"' .. how .. '"')
    return 'REFUNDED ' .. order.changed_at .. ' ' .. how
  elseif order.status ~= 'refunded' then
    return wrong_state(batch, order)
  elseif order.how == how or order.how == 'none' then
    return 'REFUNDED ' .. order.changed_at .. ' ' .. order.how .. ' refunded'
  end
  return 'CONFLICT ' .. position(batch.sale, #batch.changes.events) .. ' ' .. order.how
end

return resolve_orders(3, refund)
