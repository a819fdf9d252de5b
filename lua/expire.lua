-- expire: end the holds whose time is over; their units go back on sale.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       max    int       end at most this many, 1 to 1000
-- Returns  {position, now_ms, answer, ...}; first EXPIRED position count next_hold_until_ms (0: no hold is left),
--          then the order id of each; or one answer NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.expired
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 3 then invalid('ARGV: ' .. #ARGV .. ' values') end
local max = quantity_of(ARGV[3], 'max')
if max > 1000 then invalid('max') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end

local overdue = redis.call('ZRANGEBYSCORE', keys.holds, '-inf', now, 'LIMIT', 0, max)
local batch = {sale = sale, now = now, by = by, changes = new_changes()}
local found
found, batch.stock, batch.units = read_orders(keys, overdue)
local reply = {'', now, ''}

for i = 1, #overdue do
  local order = found[overdue[i]]
  -- A hold without its order, or of an order that is not held, is damage: stop, and let reconcile say what happened.
  if not order or order.status ~= 'held' then corrupt('holds ' .. overdue[i]) end
  release_hold(batch, order)
  record(batch, order, 'expired', '', 'order.expired', 1, '')
  reply[i + 3] = order.id
end

if #batch.changes.events > 0 then commit(keys, sale, batch.changes) end
local first = redis.call('ZRANGE', keys.holds, 0, 0, 'WITHSCORES')
reply[1] = position(sale)
reply[3] = 'EXPIRED ' .. position(sale) .. ' ' .. #overdue .. ' ' .. (first[2] or '0')
return reply
