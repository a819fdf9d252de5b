-- prelude: what every script shares; the loader puts it in front of each.
--
-- A script decides first and writes last: Redis does not undo a script that stops half way. So everything that can
-- fail (a malformed argument, a key of the wrong type, a corrupt value, a log that is behind) is found before `commit`,
-- and `commit` writes counters first and events last: what went wrong between them would under-sell, never oversell.
--
-- Numbers: `..` prints integers of 1e14 and more as 1e+14, so one of more than 13 digits is never believed.
-- Milliseconds have 13 until the year 2286, a seq stays far below, quantities are bounded by pattern. Where many are
-- printed it is by `%d`: `..` treats each as a fraction, which takes far longer.

-- Stops the script before any write. The first word is what the client maps to an exception.
local function corrupt(what)
  error({err = 'KEY_CORRUPT ' .. what})
end

local function invalid(what)
  error({err = 'INVALID_ARGUMENT ' .. what})
end

-- tonumber() alone accepts nan, 0x10, 1e3 and " 5 ".
local function quantity_of(text, what)
  if not text or not string.find(text, '^[1-9]%d?%d?%d?%d?%d?$') then invalid(what) end
  return tonumber(text)
end

-- 0 up to 13 digits: milliseconds, limits, counts.
local function count_of(text, what)
  if not text or not string.find(text, '^%d+$') or #text > 13 then invalid(what) end
  return tonumber(text)
end

-- The same characters as flashsale/ids.py: nothing that could break a record, a field or the JSON of an event.
-- `others` are the ones allowed after a first letter or digit, besides letters and digits.
local function is_id(text, others, length_max)
  return #text <= length_max and string.find(text, '^%w[%w' .. others .. ']*$') ~= nil
end

local function actor_of(text)
  if not text or not is_id(text, '._:@/+-', 64) then invalid('by') end
  return text
end

-- One line that somebody wrote for people, as it stands in JSON. What is no character of UTF-8, or would need an escape
-- of its own, is refused: nobody could read the event.
local function sentence_of(text, bytes_max, what)
  if text == '' or #text > bytes_max or string.find(text, '%c') then invalid(what) end
  local rest = text
  for _, characters in ipairs({
    '[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '\237[\128-\159][\128-\191]',
    '[\225-\236\238\239][\128-\191][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]',
    '[\241-\243][\128-\191][\128-\191][\128-\191]', '\244[\128-\143][\128-\191][\128-\191]',
  }) do
    rest = string.gsub(rest, characters, ' ')
  end
  if string.find(rest, '[\128-\255]') then invalid(what) end
  return (string.gsub(text, '[\\"]', '\\%0'))
end

-- Redis's own clock: the only one that decides anything.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Up to 13 digits: no script wrote more, and one more would be printed as 1e+14 in an event that nobody can read.
local function whole(text, what)
  if not text or not string.find(text, '^%d+$') or #text > 13 then corrupt(what) end
  return tonumber(text)
end

-- The head of the sale, and the word that refuses everything: NOT_LOADED (missing is closed, never empty stock),
-- LOG_REGRESSED (a caller has seen a later event than this log holds: a flush, a failover or a restore lost it) or
-- ARCHIVED (the sale is over, and only Postgres has it).
local function read_sale(key, fence)
  local fence_epoch, fence_seq = string.match(fence or '', '^(%d+)%-(%d+)$')
  if not fence_epoch or #fence_epoch > 20 or #fence_seq > 20 then invalid('fence') end
  local field = redis.call('HMGET', key, 'state', 'opens_ms', 'closes_ms', 'hold_ms', 'epoch', 'seq', 'lost', 'door')
  if not (field[1] or field[2] or field[5] or field[6]) then
    return {epoch = 0, seq = 0}, fence == '0-0' and 'NOT_LOADED' or 'LOG_REGRESSED'
  end
  -- Of an archived sale only state, epoch and seq are left.
  if field[1] == 'archived' then field[2], field[3], field[4] = '0', '0', '0' end
  -- A word: it stands in answers.
  if not string.find(field[1] or '', '^%l+$') or #field[1] > 20 then corrupt('sale state') end
  local sale = {
    state = field[1],
    opens_ms = whole(field[2], 'sale opens_ms'),
    closes_ms = whole(field[3], 'sale closes_ms'),
    hold_ms = whole(field[4], 'sale hold_ms'),
    epoch = whole(field[5], 'sale epoch'),
    seq = whole(field[6], 'sale seq'),
    -- The settings of the waiting room, false when there is none.
    door = field[8],
  }
  fence_epoch, fence_seq = tonumber(fence_epoch), tonumber(fence_seq)
  local is_behind = sale.epoch < fence_epoch or (sale.epoch == fence_epoch and sale.seq < fence_seq)
  if sale.state == 'archived' then return sale, is_behind and 'LOG_REGRESSED' or 'ARCHIVED' end
  if is_behind and not field[7] then
    -- The first caller who can prove the loss halts the sale for all: those who have seen less would sell again what
    -- the lost events had sold. Only `found` ends it.
    field[7] = fence
    redis.call('HSET', key, 'lost', fence)
  end
  return sale, field[7] and 'LOG_REGRESSED' or nil
end

-- What the sale is at this moment: warm, scheduled, open, paused or closed. The clock opens and closes it by itself,
-- and closes what is paused, too. `sale_state` in flashsale/commands/snapshot.py says the same.
local function state_now(sale, now)
  if sale.state == 'closed' or (sale.closes_ms > 0 and now >= sale.closes_ms) then return 'closed' end
  local sells = sale.state == 'open' or (sale.state == 'warm' and sale.opens_ms > 0)
  if not sells then return sale.state end
  return now < sale.opens_ms and 'scheduled' or 'open'
end

-- nil while new reservations are taken; else the word that refuses them.
local function why_closed(sale, now)
  local words = {warm = 'NOT_OPEN', scheduled = 'NOT_OPEN', paused = 'PAUSED', closed = 'CLOSED'}
  local state = state_now(sale, now)
  if state == 'open' then return nil end
  return words[state] or corrupt('sale state')
end

-- The position of the newest event, or of the n-th event this script is about to write.
local function position(sale, n)
  return string.format('%d-%d', sale.epoch, sale.seq + (n or 0))
end

local function stock_of(text, sku)
  if not text then return nil end
  local available, held, sold, returned, limit = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  -- 13 digits each, as for `whole`.
  if not available or available + held + sold + returned >= 1e13 or #limit > 13 then corrupt('stock ' .. sku) end
  return {
    available = tonumber(available), held = tonumber(held), sold = tonumber(sold),
    returned = tonumber(returned), limit = tonumber(limit),
  }
end

-- ',available,held,sold,returned' after the step: every event carries them, so any reader can check the whole log.
local function counters(stock)
  return string.format(',%d,%d,%d,%d', stock.available, stock.held, stock.sold, stock.returned)
end

local function order_of(text, id)
  if not text then return nil end
  local status, sku, quantity, buyer, hold_until_ms, reserved_at, changed_at, how =
    string.match(text, '^(%l[%l_]+) (%S+) (%d+) (%S+) (%d+) (%d+%-%d+) ?(%S*) ?(%l*)$')
  if not status or #quantity > 6 then corrupt('orders ' .. id) end
  return {
    id = id, status = status, sku = sku, quantity = tonumber(quantity), buyer = buyer,
    hold_until_ms = hold_until_ms, reserved_at = reserved_at, changed_at = changed_at, how = how,
  }
end

-- {field → value} of the named fields that exist, in one call.
local function read_fields(key, fields)
  local found = {}
  if #fields == 0 then return found end
  local values = redis.call('HMGET', key, unpack(fields))
  for i = 1, #fields do
    -- Lua keeps room in the table for a field that is set to nil, too.
    if values[i] then found[fields[i]] = values[i] end
  end
  return found
end

-- How the JSON of an order event begins: the same for all of a kind in a batch.
local function event_head(name, version, now, by)
  return '["' .. name .. '",' .. version .. ',' .. now .. ',"' .. by .. '","'
end

-- The JSON of an order event, without its closing bracket.
local function order_event(head, id, buyer, sku, quantity, stock)
  return head .. id .. '","' .. buyer .. '","' .. sku .. '",' .. quantity .. counters(stock)
end

-- False when the log's newest entry is behind the counters (its tail was lost): then nothing may be sold.
local function log_is_whole(events_key, sale)
  local info = redis.pcall('XINFO', 'STREAM', events_key)
  if info.err then
    if string.find(info.err, 'WRONGTYPE') then corrupt('events') end
    return false
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      if info[i + 1] == position(sale) then return true end
      local epoch, seq = string.match(info[i + 1], '^(%d+)%-(%d+)$')
      epoch, seq = tonumber(epoch), tonumber(seq)
      if epoch > sale.epoch or (epoch == sale.epoch and seq > sale.seq) then
        corrupt('events: the log holds entries that no script of this sale wrote')
      end
    end
  end
  return false
end

-- Whether a text is a position, epoch-seq, of numbers that a stream can hold.
local function is_position(text)
  local epoch, seq = string.match(text or '', '^(%d+)%-(%d+)$')
  return epoch and #epoch <= 20 and #seq <= 20
end

-- Whether position `a` comes after position `b`; both as epoch-seq.
local function is_after(a, b)
  local a_epoch, a_seq = string.match(a, '^(%d+)%-(%d+)$')
  local b_epoch, b_seq = string.match(b, '^(%d+)%-(%d+)$')
  a_epoch, a_seq, b_epoch, b_seq = tonumber(a_epoch), tonumber(a_seq), tonumber(b_epoch), tonumber(b_seq)
  return a_epoch > b_epoch or (a_epoch == b_epoch and a_seq > b_seq)
end

-- A consumer group that has not acknowledged all of `entries`, the oldest of the log, and how many it has not: those
-- that it never got, and those that a consumer, dead or slow, still has in hand. '-' when there is no group at all:
-- then nobody has acknowledged anything. nil when every group has.
local function who_lacks(events_key, entries, up_to)
  local groups = redis.call('XINFO', 'GROUPS', events_key)
  if #groups == 0 and #entries > 0 then return '-', #entries end
  for i = 1, #groups do
    local group = {}
    for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
    local lacking, n = {}, 0
    for _, pending in ipairs(redis.call('XPENDING', events_key, group.name, '-', up_to, 1000)) do
      lacking[pending[1]], n = true, n + 1
    end
    for j = 1, #entries do
      local id = entries[j][1]
      if not lacking[id] and is_after(id, group['last-delivered-id']) then n = n + 1 end
    end
    -- A name may hold anything, an answer may not.
    if n > 0 then return (string.gsub(group.name, '[^%w_.:-]', '?')), n end
  end
  return nil
end

-- What a batch is about to write, collected while it decides. `places` are the positions of the events, as texts, for a
-- script that needs them anyway.
local function new_changes()
  return {events = {}, places = {}, stock = {}, orders = {}, units = {}, hold = {}, unhold = {}, sale = {}}
end

local function write_fields(key, fields)
  local flat, gone = {}, {}
  for field, value in pairs(fields) do
    if value == 0 then
      gone[#gone + 1] = field
    else
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
  end
  if #flat > 0 then redis.call('HSET', key, unpack(flat)) end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

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

-- The head of the sale for a script that is about to write: the log itself must be whole as well.
local function read_writable_sale(keys, fence)
  local sale, refused = read_sale(keys.sale, fence)
  if not refused and not log_is_whole(keys.events, sale) then refused = 'LOG_REGRESSED' end
  return sale, refused
end

-- Order ids at every `width`-th argument after the first `fixed`.
local function ids_of(fixed, width, n)
  local ids = {}
  for i = 1, n do ids[i] = ARGV[fixed + (i - 1) * width + 1] end
  return ids
end

-- Whether a request may touch this order: a foreign buyer gets the answer of an unknown order.
local function is_owner(order, buyer)
  return order and (buyer == '-' or buyer == order.buyer)
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

-- One answer for every request of a batch that is refused as a whole.
local function refuse_all(sale, now, word, n)
  local answer = word .. ' ' .. position(sale)
  local reply = {position(sale), now}
  for i = 1, n do reply[i + 2] = answer end
  return reply
end

-- Keys by name, the n-th of KEYS being the first. Keys of two shards, or in another order, would sell the stock of the
-- one into the log of the other: only Redis Cluster refuses that by itself.
local function keys_of(names, n, tag)
  local keys = {}
  for i, name in ipairs(names) do
    keys[name] = KEYS[n + i - 1]
    if keys[name] ~= tag .. ':' .. name then invalid('KEYS') end
  end
  return keys
end

local function keys_of_shard(n, tag)
  return keys_of({'sale', 'stock', 'orders', 'buyers', 'holds', 'events'}, n, tag)
end

local function tag_of_keys()
  return string.match(KEYS[1] or '', '^(fs:{[^{}]+}):sale$') or invalid('KEYS')
end

-- All of KEYS: the six of a shard, and after them those of its waiting room that are named.
local function named_keys(others)
  if #KEYS ~= 6 + (others and #others or 0) then invalid('KEYS') end
  local tag = tag_of_keys()
  local keys = keys_of_shard(1, tag)
  if others then
    for name, key in pairs(keys_of(others, 7, tag)) do keys[name] = key end
  end
  return keys
end

-- How many requests of `width` arguments follow the first `fixed`. Bounded: unpack() has a limit, Redis must not block.
local function request_count(fixed, width)
  local n = (#ARGV - fixed) / width
  if n < 1 or n > 1000 or n ~= math.floor(n) then invalid('ARGV: ' .. #ARGV .. ' values') end
  return n
end

-- How many requests about orders follow fence and actor, and the trace ids of all of them, nil when none has one: one
-- last argument, 32 hexadecimal digits for each request, zeros for a request without. So those who trace nothing send,
-- and Redis reads, not a byte more.
local function order_requests(width)
  local traces = (#ARGV - 2) % width == 1 and ARGV[#ARGV] or nil
  local n = request_count(traces and 3 or 2, width)
  if traces and (#traces ~= 32 * n or string.find(traces, '[^%da-f]')) then invalid('trace ids') end
  return n, traces
end

-- The JSON of an event with the trace id of the i-th request behind its fields, if that has one.
local function traced(body, traces, i)
  local trace = string.sub(traces, 32 * i - 31, 32 * i)
  if not string.find(trace, '[^0]') then return body end
  return string.sub(body, 1, -2) .. ',{"trace":"' .. trace .. '"}]'
end

-- The whole of pause, resume and close: move the sale to `state` if `may_change(sale, now)`, and say so in the log;
-- with `takes_why`, also why, if the caller does. That stands behind the fields: the event means the same without it.
local function change_state(may_change, state, word, event, takes_why)
  local keys = named_keys()
  local fence, by, why = ARGV[1], actor_of(ARGV[2]), takes_why and ARGV[3]
  if #ARGV ~= (why and 3 or 2) then invalid('ARGV: ' .. #ARGV .. ' values') end
  if why then
    local line = string.match(why, '^why:(.+)$') or invalid('why')
    why = ',{"why":"' .. sentence_of(line, 200, 'why') .. '"}'
  else
    why = ''
  end
  local now = now_ms()
  local sale, refused = read_writable_sale(keys, fence)
  if refused then return refuse_all(sale, now, refused, 1) end
  if not may_change(sale, now) then
    return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. state_now(sale, now)}
  end
  local changes = new_changes()
  changes.sale = {state = state}
  changes.events[1] = '["' .. event .. '",1,' .. now .. ',"' .. by .. '"' .. why .. ']'
  commit(keys, sale, changes)
  return {position(sale), now, word .. ' ' .. position(sale)}
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

-- The answer to a request that the order's status does not allow.
local function wrong_state(batch, order)
  return 'WRONG_STATE ' .. position(batch.sale, #batch.changes.events) .. ' ' .. order.status
end

-- The whole of KEYS of a script that asks nothing of the stock: the head of the sale, and its waiting room.
local function line_keys()
  if #KEYS ~= 5 then invalid('KEYS') end
  return keys_of({'sale', 'room', 'line', 'seen', 'passes'}, 1, tag_of_keys())
end

-- The buyers of a batch, after fence and actor.
local function buyers_of()
  actor_of(ARGV[2])
  local buyers = {}
  for i = 1, request_count(2, 1) do
    local buyer = ARGV[i + 2]
    if #buyer > 128 or not string.find(buyer, '^[0-9a-zA-Z][0-9a-zA-Z._@+-]*$') then invalid('buyer') end
    buyers[i] = buyer
  end
  return buyers
end

-- The tickets of those of the buyers who are in the line, {buyer → ticket}, and what they are called there, in order:
-- 12 bytes of the SHA-1, so that a long name takes no more memory than a short one.
local function line_of(keys, buyers)
  local names, tickets = {}, {}
  for i = 1, #buyers do
    local hash = redis.sha1hex(buyers[i])
    names[i] = struct.pack('>I4I4I4', tonumber(string.sub(hash, 1, 8), 16), tonumber(string.sub(hash, 9, 16), 16),
      tonumber(string.sub(hash, 17, 24), 16))
  end
  local found = redis.call('HMGET', keys.line, unpack(names))
  for i = 1, #buyers do
    if found[i] then tickets[buyers[i]] = whole(found[i], 'line ' .. buyers[i]) end
  end
  return tickets, names
end

-- Why nobody can be told of a place. A halted sale keeps its line: it has nothing to do with what the log lost.
local function why_no_line(sale, refused)
  if sale.door then return nil end
  return refused or 'NO_ROOM'
end

-- The settings that scripts go by; the commitment and the message are for people.
local function door_of(text)
  local mode, rate, active, pass_ttl, leave_after, shuffle, commitment =
    string.match(text, '^(%l[%l-]+) (%d+) (%d+) (%d+) (%d+) ([01]) (%x+) ')
  if not mode then corrupt('sale door') end
  return {
    mode = mode, rate_per_s = whole(rate, 'sale door'), active_max = whole(active, 'sale door'),
    pass_ttl_ms = whole(pass_ttl, 'sale door'), leave_after_s = math.ceil(whole(leave_after, 'sale door') / 1000),
    shuffle = shuffle == '1', commitment = commitment,
  }
end

-- The reply where everybody is told the same, whether they wait or not; nil where it depends on who asks.
local function told_to_all(sale, door, state, now, n)
  if state == 'closed' then return refuse_all(sale, now, 'CLOSED', n) end
  if door.mode ~= 'pass-through' then return nil end
  -- No pass is demanded, so none is kept; and whoever waits keeps the place, should there be a line again.
  local reply = {position(sale), now}
  local answer = string.format('ADMITTED %s %d', position(sale), now + door.pass_ttl_ms)
  for i = 1, n do reply[i + 2] = answer end
  return reply
end

-- A draw: tickets below n have their places by lot. Without a seed, which Redis may have lost before, n is 0.
local function new_draw(keys, n, seed)
  local sale = string.match(keys.sale, '^fs:{([^:]+):') or invalid('KEYS')
  return {
    n = n, side = math.ceil(math.sqrt(n)), key = redis.sha1hex(seed .. ':' .. sale .. ':' .. n), room = keys.room,
  }
end

-- The draw that the head of the sale holds; nil before it.
local function draw_of(keys)
  local text = redis.call('HGET', keys.sale, 'drawn')
  if not text then return nil end
  local n, seed = string.match(text, '^(%d+) (%x*)$')
  return new_draw(keys, whole(n, 'sale drawn'), seed)
end

-- The round function of the shuffle: 52 bits of SHA-1, which numbers of Lua hold exactly.
local function hashed(draw, round, half)
  return tonumber(string.sub(redis.sha1hex(draw.key .. ':' .. round .. ':' .. half), 1, 13), 16) % draw.side
end

-- The field of the room's record that holds the values of `hashed`. The log may come to tell of another draw than the
-- one that Redis made: then this is another field.
local function rounds_of(draw)
  return 'rounds:' .. draw.key
end

-- The same, from the table that was made at the draw if Redis still has it: a hash takes longer than all the rest of
-- a sign of life.
local function shuffled(draw, round, half)
  if draw.rounds == nil then
    draw.rounds = redis.call('HGET', draw.room, rounds_of(draw))
    if draw.rounds and #draw.rounds ~= 8 * draw.side then corrupt('room rounds') end
  end
  if not draw.rounds then return hashed(draw, round, half) end
  local at = 2 * ((round - 1) * draw.side + half) + 1
  local high, low = string.byte(draw.rounds, at, at + 1)
  return (256 * high + low) % draw.side
end

-- The place of a ticket. A Feistel network of four rounds permutes side x side numbers, and is walked until it comes to
-- one below n: so every place is given once, and a place is found without the others. flashsale/room/shuffle.py is the
-- same, for everybody who wants to check.
local function place_of(draw, ticket)
  if not draw or ticket >= draw.n then return ticket end
  local at = ticket
  repeat
    local left, right = math.floor(at / draw.side), at % draw.side
    for round = 1, 4 do left, right = right, (left + shuffled(draw, round, right)) % draw.side end
    at = left * draw.side + right
  until at < draw.n
  return at
end

-- The ticket that has a place: the same way back.
local function ticket_at(draw, place)
  if place >= draw.n then return place end
  local at = place
  repeat
    local left, right = math.floor(at / draw.side), at % draw.side
    for round = 4, 1, -1 do left, right = (right - shuffled(draw, round, left)) % draw.side, left end
    at = left * draw.side + right
  until at < draw.n
  return at
end

-- A number of the room's record; false where it has none yet.
local function room_number(text, what)
  return text and whole(text, 'room ' .. what)
end

-- The counters of the room. Where Redis has lost them, tickets go on behind those that were drawn.
local function read_room(keys, draw)
  local field = redis.call('HMGET', keys.room, 'start_s', 'heard_s', 'tickets', 'serving', 'called', 'called_before')
  local first = draw and draw.n or 0
  return {
    start_s = room_number(field[1], 'start_s'),
    heard_s = room_number(field[2], 'heard_s'),
    tickets = math.max(first, room_number(field[3], 'tickets') or 0),
    serving = room_number(field[4], 'serving') or first,
    -- People called and not come yet, of this quarter of a minute and of the one before.
    called = room_number(field[5], 'called') or 0,
    called_before = room_number(field[6], 'called_before') or 0,
  }
end

-- Sets the room's own clock, by which signs of life are counted: `second`, as it stands in `seen`, where 0 is: never,
-- or gone. When nobody at all was heard for longer than anybody who is there is silent, no person has left: gateways, a
-- network or Redis were away, or the clock was set. That time is left out: from `begins_s` on it runs, once one is.
local function set_second(room, door, now)
  local now_s = math.floor(now / 1000)
  room.start_s = room.start_s or now_s
  local silent_s = now_s - (room.heard_s or now_s)
  local left_out_s = (silent_s < 0 or silent_s > door.leave_after_s / 2) and silent_s or 0
  room.second = math.max(1, now_s - room.start_s - left_out_s + 1)
  room.heard_s, room.begins_s = now_s, room.start_s + left_out_s
end

-- What stands in `seen` of many tickets.
local function seen_of(keys, tickets)
  if #tickets == 0 then return {} end
  local words = {}
  for i = 1, #tickets do
    words[3 * i - 2], words[3 * i - 1], words[3 * i] = 'GET', 'u32', '#' .. tickets[i]
  end
  return redis.call('BITFIELD', keys.seen, unpack(words))
end

-- Sets what stands in `seen` of many tickets: {ticket → second}.
local function write_seen(keys, seconds)
  local words = {}
  for ticket, second in pairs(seconds) do
    local n = #words
    words[n + 1], words[n + 2], words[n + 3], words[n + 4] = 'SET', 'u32', '#' .. ticket, second
  end
  if #words > 0 then redis.call('BITFIELD', keys.seen, unpack(words)) end
end

-- People with a pass that has not expired.
local function active_of(keys, now)
  return redis.call('ZCOUNT', keys.passes, '(' .. now, '+inf')
end

-- The answer to somebody in the line. Before the draw there is no place to be told of.
local function waiting(at, door, draw, ticket)
  local place = (draw or not door.shuffle) and place_of(draw, ticket) or '-'
  return 'WAITING ' .. at .. ' ' .. ticket .. ' ' .. place
end
