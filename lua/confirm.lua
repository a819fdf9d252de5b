-- confirm: the buyers of these orders have paid.
--
-- A payment may come after the hold expired. Then the units are taken again in the same step if enough are left and the
-- buyer's limit allows it; else the log records that a refund is due. A payment is never lost.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          CONFIRMED position late [status]    late is 1 when an expired hold was taken again, else 0
--          REFUND_DUE position 0 [status]      paid after expiry, nothing was left
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.confirmed, order.refund_due
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local n = request_count(2, 2)

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, n) end

local found, stock, units = read_orders(keys, ids_of(2, 2, n))
local changes = new_changes()
local reply = {'', now}

local function head()
  return position(sale, #changes.events)
end

local function pay_held(order)
  local left = stock[order.sku]
  if left.held < order.quantity then corrupt('stock ' .. order.sku) end
  left.held = left.held - order.quantity
  left.sold = left.sold + order.quantity
  changes.stock[order.sku] = left
  changes.unhold[#changes.unhold + 1] = order.id
  record(changes, sale, order, 'confirmed', '', order_event('order.confirmed', 1, now, by, order, left) .. ',false]')
  return 'CONFIRMED ' .. head() .. ' 0'
end

local function pay_expired(order)
  local left = stock[order.sku]
  local mine = (units[order.holder] or 0) + order.quantity
  if left.available < order.quantity or (left.limit > 0 and mine > left.limit) then
    record(changes, sale, order, 'refund_due', '', order_event('order.refund_due', 1, now, by, order, left) .. ']')
    return 'REFUND_DUE ' .. head() .. ' 0'
  end
  left.available = left.available - order.quantity
  left.sold = left.sold + order.quantity
  changes.stock[order.sku] = left
  units[order.holder], changes.units[order.holder] = mine, mine
  record(changes, sale, order, 'confirmed', 'late', order_event('order.confirmed', 1, now, by, order, left) .. ',true]')
  return 'CONFIRMED ' .. head() .. ' 1'
end

for i = 1, n do
  local order, buyer = found[ARGV[2 * i + 1]], ARGV[2 * i + 2]
  local answer
  if not is_owner(order, buyer) then
    answer = 'NOT_FOUND ' .. head()
  elseif order.status == 'held' then
    answer = pay_held(order)
  elseif order.status == 'expired' then
    answer = pay_expired(order)
  elseif order.status == 'confirmed' then
    answer = 'CONFIRMED ' .. order.changed_at .. (order.how == 'late' and ' 1' or ' 0') .. ' confirmed'
  elseif order.status == 'refund_due' then
    answer = 'REFUND_DUE ' .. order.changed_at .. ' 0 refund_due'
  else
    answer = 'WRONG_STATE ' .. head() .. ' ' .. order.status
  end
  reply[i + 2] = answer
end

if #changes.events > 0 then commit(keys, sale, changes) end
reply[1] = position(sale)
return reply
