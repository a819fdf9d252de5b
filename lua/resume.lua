-- resume: let a paused sale sell again, within its window.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
-- Returns  {position, now_ms, answer}: RESUMED position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.resumed
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 2 then invalid('ARGV: ' .. #ARGV .. ' values') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end
if sale.state ~= 'paused' then
  return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. sale.state}
end

local changes = new_changes()
changes.sale = {state = 'open'}
changes.events[1] = '["sale.resumed",1,' .. now .. ',"' .. by .. '"]'
commit(keys, sale, changes)
return {position(sale), now, 'RESUMED ' .. position(sale)}
