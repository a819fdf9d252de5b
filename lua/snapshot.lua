-- snapshot: the whole hot state at one position, or its small part.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  part  text  counters: sale and stock; all: also orders, buyers and holds (blocks Redis 1 ms per 1000 orders)
-- Returns  {position, now_ms, sale, stock, log_position, order_count, hold_count [, orders, buyers, holds]}; hashes as
--          field, value ...; holds as order id, hold_until_ms ...; position 0-0 when the sale is not loaded
-- Flags    no-writes
-- Emits    nothing
local keys = named_keys()
local part = ARGV[1]
if #ARGV ~= 1 or (part ~= 'counters' and part ~= 'all') then invalid('part') end

local sale = read_sale(keys.sale, '0-0')
local log_position = newest_id(keys.events) or '0-0'
local reply = {
  position(sale), now_ms(), redis.call('HGETALL', keys.sale), redis.call('HGETALL', keys.stock), log_position,
  redis.call('HLEN', keys.orders), redis.call('ZCARD', keys.holds),
}
if part == 'all' then
  reply[8] = redis.call('HGETALL', keys.orders)
  reply[9] = redis.call('HGETALL', keys.buyers)
  reply[10] = redis.call('ZRANGE', keys.holds, 0, -1, 'WITHSCORES')
end
return reply
