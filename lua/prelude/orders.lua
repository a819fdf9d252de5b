-- orders: requests about orders that exist: paid, given up, expired, refunded.

-- The orders a batch names, and the stock and buyers' units they touch: {id → order}, {sku → stock}, {holder → units}.
local function read_orders(keys, ids)
  local found, skus, holders, seen = {}, {}, {}, {}
  for id, text in pairs(read_fields(keys.orders, ids)) do
    local order = order_of(text, id)
    order.holder = order.buyer .. ' ' .. order.sku
    found[id] = order
    holders[#holders + 1] = order.holder
    if not seen[order.sku] then
      seen[order.sku] = true
      skus[#skus + 1] = order.sku
    end
  end
  local texts, stock, units = read_fields(keys.stock, skus), {}, {}
  for i = 1, #skus do stock[skus[i]] = stock_of(texts[skus[i]], skus[i]) or corrupt('stock ' .. skus[i]) end
  for holder, text in pairs(read_fields(keys.buyers, holders)) do units[holder] = whole(text, 'buyers ' .. holder) end
  return found, stock, units
end

-- Moves an order to its next status, with the event that says so. `how` keeps what a repeat needs for the same answer;
-- `extra` are the event's fields after the counters, each with its comma.
local function record(batch, order, status, how, event, version, extra)
  local changes, sale = batch.changes, batch.sale
  local head = event_head(event, version, batch.now, batch.by)
  local body = order_event(head, order.id, order.buyer, order.sku, order.quantity, batch.stock[order.sku])
  changes.events[#changes.events + 1] = body .. extra .. ']'
  order.status, order.how, order.changed_at = status, how, position(sale, #changes.events)
  changes.orders[order.id] = status .. ' ' .. order.sku .. ' ' .. order.quantity .. ' ' .. order.buyer .. ' ' ..
    order.hold_until_ms .. ' ' .. order.reserved_at .. ' ' .. order.changed_at .. (how == '' and '' or ' ' .. how)
end

-- Gives a buyer's units back to the limit.
local function release_units(batch, order)
  local left = (batch.units[order.holder] or 0) - order.quantity
  if left < 0 then corrupt('buyers ' .. order.holder) end
  batch.units[order.holder], batch.changes.units[order.holder] = left, left
end

-- Puts the units of a hold that ends unpaid back on sale.
local function release_hold(batch, order)
  local left = batch.stock[order.sku]
  if left.held < order.quantity then corrupt('stock ' .. order.sku) end
  left.available = left.available + order.quantity
  left.held = left.held - order.quantity
  batch.changes.stock[order.sku] = left
  batch.changes.unhold[#batch.changes.unhold + 1] = order.id
  release_units(batch, order)
end

-- Whether a request may touch this order: a foreign buyer gets the answer of an unknown order.
local function is_owner(order, buyer)
  return order and (buyer == '-' or buyer == order.buyer)
end

-- The answer to a request that the order's status does not allow.
local function wrong_state(batch, order)
  return 'WRONG_STATE ' .. position(batch.sale, #batch.changes.events) .. ' ' .. order.status
end

-- The whole of confirm and cancel, and all but the arguments of refund: decide a batch of requests about orders.
-- `decide(batch, order, extra)` answers one request for an order that is there and whose buyer asks; `extra` is the
-- request's third argument, if it has one.
local function resolve_orders(width, decide)
  local keys = named_keys()
  local fence, by = ARGV[1], actor_of(ARGV[2])
  local n, traces = order_requests(width)
  local now = now_ms()
  local sale, refused = read_writable_sale(keys, fence)
  if refused then return refuse_all(sale, now, refused, n) end

  local batch = {sale = sale, now = now, by = by, changes = new_changes()}
  local found
  found, batch.stock, batch.units = read_orders(keys, ids_of(2, width, n))
  local reply, events = {'', now}, batch.changes.events
  for i = 1, n do
    local first, written = 2 + (i - 1) * width, #events
    local order, buyer = found[ARGV[first + 1]], ARGV[first + 2]
    if is_owner(order, buyer) then
      reply[i + 2] = decide(batch, order, ARGV[first + 3])
      if traces and #events > written then events[#events] = traced(events[#events], traces, i) end
    else
      reply[i + 2] = 'NOT_FOUND ' .. position(sale, #events)
    end
  end
  if #events > 0 then commit(keys, sale, batch.changes) end
  reply[1] = position(sale)
  return reply
end
