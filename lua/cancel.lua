-- cancel: buyers give up orders they have not paid; the units go back on sale.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order  text
--       buyer  text      must be the order's, or - for any
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          CANCELLED position 0 [status]    status only when it was cancelled before: the same answer again
--          WRONG_STATE position status | NOT_FOUND position | NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    order.cancelled
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local n = request_count(2, 2)

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, n) end

local found, stock, units = read_orders(keys, ids_of(2, 2, n))
local changes = new_changes()
local reply = {'', now}

for i = 1, n do
  local order, buyer = found[ARGV[2 * i + 1]], ARGV[2 * i + 2]
  local answer
  if not is_owner(order, buyer) then
    answer = 'NOT_FOUND ' .. position(sale, #changes.events)
  elseif order.status == 'held' then
    local left = release_hold(changes, stock, units, order)
    record(changes, sale, order, 'cancelled', '', order_event('order.cancelled', 1, now, by, order, left) .. ']')
    answer = 'CANCELLED ' .. order.changed_at .. ' 0'
  elseif order.status == 'cancelled' then
    answer = 'CANCELLED ' .. order.changed_at .. ' 0 cancelled'
  else
    answer = 'WRONG_STATE ' .. position(sale, #changes.events) .. ' ' .. order.status
  end
  reply[i + 2] = answer
end

if #changes.events > 0 then commit(keys, sale, changes) end
reply[1] = position(sale)
return reply
