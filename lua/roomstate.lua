-- roomstate: the waiting room's settings and counters at one moment.
--
-- KEYS  sale room line seen passes
-- ARGV  none
-- Returns  {position, now_ms, door, drawn, tickets, serving, active, in_line, called}; door and drawn as the head of
--          the sale has them, empty where it has none; called: people who were, and have not come yet
-- Flags    no-writes
-- Emits    nothing
local keys = line_keys()
if #ARGV ~= 0 then invalid('ARGV: ' .. #ARGV .. ' values') end

local now = now_ms()
local sale = read_sale(keys.sale, '0-0')
if not sale.door then return {position(sale), now, '', '', 0, 0, 0, 0, 0} end
local room = read_room(keys, draw_of(keys))
return {
  position(sale), now, sale.door, redis.call('HGET', keys.sale, 'drawn') or '', room.tickets, room.serving,
  active_of(keys, now), redis.call('HLEN', keys.line), room.called + room.called_before,
}
