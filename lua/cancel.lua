-- cancel: buyers give up orders they have not paid; the units go back on sale.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
--       traces text      once, at the end; may be missing: the trace ids of all, see `order_requests`
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          CANCELLED position 0 [status]    status only when it was cancelled before: the same answer again
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.cancelled
local function cancel(batch, order)
  if order.status == 'held' then
    release_hold(batch, order)
    record(batch, order, 'cancelled', '', 'order.cancelled', 1, '')
    return 'CANCELLED ' .. order.changed_at .. ' 0'
  elseif order.status == 'cancelled' then
    return 'CANCELLED ' .. order.changed_at .. ' 0 cancelled'
  end
  return wrong_state(batch, order)
end

return resolve_orders(2, cancel)
