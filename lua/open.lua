-- open: let a warm sale sell, now or from its opening time on.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       now    text      1: open at once, whatever the opening time says; 0: keep the opening time
-- Returns  {position, now_ms, answer}: OPENED position opens_ms | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.opened
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 3 then invalid('ARGV: ' .. #ARGV .. ' values') end
local at_once = ARGV[3]
if at_once ~= '0' and at_once ~= '1' then invalid('now') end

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end
local state = state_now(sale, now)
if sale.state ~= 'warm' or state == 'closed' then
  return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. state}
end

local changes = new_changes()
local opens_ms = sale.opens_ms
if opens_ms == 0 or (at_once == '1' and opens_ms > now) then opens_ms = now end
changes.sale = {state = 'open', opens_ms = opens_ms}
changes.events[1] = '["sale.opened",1,' .. now .. ',"' .. by .. '",' .. opens_ms .. ']'
commit(keys, sale, changes)
return {position(sale), now, 'OPENED ' .. position(sale) .. ' ' .. opens_ms}
