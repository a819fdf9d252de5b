-- changes: all that a script has decided, written at once.
--
-- A script decides first and writes last: Redis does not undo a script that stops half way. So everything that can
-- fail (a malformed argument, a key of the wrong type, a corrupt value, a log that is behind) is found before `commit`,
-- and `commit` writes counters first and events last: what went wrong between them would under-sell, never oversell.

-- What a batch is about to write, collected while it decides. `places` are the positions of the events, as texts, for a
-- script that needs them anyway.
local function new_changes()
  return {events = {}, places = {}, stock = {}, orders = {}, units = {}, hold = {}, unhold = {}, sale = {}}
end

-- Writes it all: counters, orders, buyers, holds, then the events, then nothing. `keys` has the six keys by name, and
-- that of the passes where `changes.passes` names buyers who use theirs.
-- Reads of buyers and holds that would raise WRONGTYPE come first, while nothing is written yet.
local function commit(keys, sale, changes)
  redis.call('HLEN', keys.buyers)
  redis.call('ZCARD', keys.holds)
  local stock = {}
  for sku, s in pairs(changes.stock) do
    stock[sku] = string.format('%d %d %d %d %d', s.available, s.held, s.sold, s.returned, s.limit)
  end
  changes.sale.seq = sale.seq + #changes.events
  write_fields(keys.sale, changes.sale)
  write_fields(keys.stock, stock)
  write_fields(keys.orders, changes.orders)
  write_fields(keys.buyers, changes.units)
  if #changes.hold > 0 then redis.call('ZADD', keys.holds, unpack(changes.hold)) end
  if #changes.unhold > 0 then redis.call('ZREM', keys.holds, unpack(changes.unhold)) end
  if changes.passes then redis.call('ZREM', keys.passes, unpack(changes.passes)) end
  local events, places = changes.events, changes.places
  for i = 1, #events do
    redis.call('XADD', keys.events, places[i] or position(sale, i), 'e', events[i])
  end
  sale.seq = changes.sale.seq
end
