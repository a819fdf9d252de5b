-- pause: take no new reservations for a while; payments, cancellations and refunds go on.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
-- Returns  {position, now_ms, answer}: PAUSED position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    sale.paused
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 2 then invalid('ARGV: ' .. #ARGV .. ' values') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end
-- A warm sale without an opening time is not selling and will not by itself: resume would open it by the back door.
if sale.state ~= 'open' and not (sale.state == 'warm' and sale.opens_ms > 0) then
  return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. sale.state}
end

local changes = new_changes()
changes.sale = {state = 'paused'}
changes.events[1] = '["sale.paused",1,' .. now .. ',"' .. by .. '"]'
commit(keys, sale, changes)
return {position(sale), now, 'PAUSED ' .. position(sale)}
