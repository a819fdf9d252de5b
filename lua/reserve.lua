-- reserve: hold units for buyers while stock lasts; many requests in one atomic step.
--
-- KEYS  sale stock orders buyers holds events passes
-- ARGV  fence     position  the highest epoch-seq the caller has seen
--       by        text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order     text      order id; it is the identity of the request
--       buyer     text
--       sku       text
--       quantity  int       1 to 999999
--       traces    text      once, at the end; may be missing: the trace ids of all, see `order_requests`
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          RESERVED position hold_until_ms [status]   status only when the order existed: the same answer again
--          SOLD_OUT position available | LIMIT position units | UNKNOWN_SKU position | CONFLICT position
--          NO_PASS position    the sale has a waiting room, and the buyer no pass; one is used with each new order
--          NOT_OPEN position opens_ms | PAUSED position | CLOSED position
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    order.reserved
local keys = named_keys({'passes'})
local fence, by = ARGV[1], actor_of(ARGV[2])
local n, traces = order_requests(4)

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
if refused then return refuse_all(sale, now, refused, n) end

-- A batch is long, and most of its time went into making texts and throwing them away. So a text goes on as it came,
-- what stays the same is joined once, and numbers are printed by `%d`.
local argv, find, format = ARGV, string.find, string.format

local ids, quantities, skus, seen = {}, {}, {}, {}
for i = 1, n do
  local a = 4 * i - 1
  ids[i] = argv[a]
  local sku, asked = argv[a + 2], argv[a + 3]
  quantities[asked] = quantities[asked] or quantity_of(asked, 'quantity')
  if not seen[sku] then
    seen[sku] = true
    skus[#skus + 1] = sku
  end
end
-- The record of the i-th request's order, false when it is new.
local records = redis.call('HMGET', keys.orders, unpack(ids))
local closed = why_closed(sale, now)
local stock = {}
if not closed then
  for sku, text in pairs(read_fields(keys.stock, skus)) do stock[sku] = stock_of(text, sku) end
end

-- Only requests that could still win need the buyer's units: a sold-out batch ends with two reads.
local wanted, holders = {}, {}
for i = 1, n do
  local a = 4 * i - 1
  local left = stock[argv[a + 2]]
  if left and not records[i] and left.available >= quantities[argv[a + 3]] then
    holders[i] = argv[a + 1] .. ' ' .. argv[a + 2]
    wanted[#wanted + 1] = holders[i]
  end
end
local units = {}
if #wanted > 0 then
  if not log_is_whole(keys.events, sale) then return refuse_all(sale, now, 'LOG_REGRESSED', n) end
  for field, text in pairs(read_fields(keys.buyers, wanted)) do units[field] = whole(text, 'buyers ' .. field) end
end

-- The buyers of these requests who have a pass, where the sale demands one; nil where it does not.
local passes
if sale.door and #wanted > 0 and not find(sale.door, '^pass%-through ') then
  local askers = {}
  for _, holder in pairs(holders) do askers[#askers + 1] = string.match(holder, '^%S*') end
  local expire = redis.call('ZMSCORE', keys.passes, unpack(askers))
  passes = {}
  for i = 1, #askers do passes[askers[i]] = expire[i] and tonumber(expire[i]) > now or nil end
end

local changes = new_changes()
local events, places, orders, hold = changes.events, changes.places, changes.orders, changes.hold
local accepted, used = 0, {}
local reply = {'', now}
local until_ms = format('%d', now + sale.hold_ms)
local head = event_head('order.reserved', 1, now, by)
local place, over_limit = sale.epoch .. '-%d', 'LIMIT ' .. sale.epoch .. '-%d %d'
-- How the JSON of an event ends: a reservation moves neither what is sold nor what was returned.
local tails = {}
for sku, left in pairs(stock) do tails[sku] = ',' .. left.sold .. ',' .. left.returned .. ',' .. until_ms .. ']' end
local sold_out, sold_out_at = {}, {}

local function repeated(record, id, buyer, sku, quantity)
  local order = order_of(record, id)
  if order.buyer ~= buyer or order.sku ~= sku or order.quantity ~= quantity then
    return 'CONFLICT ' .. position(sale, accepted)
  end
  return 'RESERVED ' .. order.reserved_at .. ' ' .. order.hold_until_ms .. ' ' .. order.status
end

-- `asked` is the quantity as it came; `mine` are the units that the buyer has already.
local function accept(id, buyer, sku, asked, left, holder, mine)
  -- The same as %w, but cheaper than it: Lua asks the C library about every letter of a %w.
  if not (find(id, '^%d%d?%d?%-[0-9a-zA-Z_-]+$') and #id <= 52 and #buyer <= 128 and
      find(buyer, '^%w[0-9a-zA-Z._@+-]*$')) then
    invalid('order ' .. #reply - 1 .. ' of the batch: order id or buyer')
  end
  local quantity = quantities[asked]
  left.available = left.available - quantity
  left.held = left.held + quantity
  units[holder] = mine + quantity
  accepted = accepted + 1
  local at = format(place, sale.seq + accepted)
  -- What `order_event` makes, in one piece.
  events[accepted] = head .. id .. '","' .. buyer .. '","' .. sku .. '",' .. asked ..
    format(',%d,%d', left.available, left.held) .. tails[sku]
  places[accepted] = at
  orders[id] = 'held ' .. sku .. ' ' .. asked .. ' ' .. buyer .. ' ' .. until_ms .. ' ' .. at
  changes.stock[sku] = left
  changes.units[holder] = mine == 0 and asked or mine + quantity
  hold[2 * accepted - 1], hold[2 * accepted] = until_ms, id
  return 'RESERVED ' .. at .. ' ' .. until_ms
end

for i = 1, n do
  local a = 4 * i - 1
  local id, buyer, sku, asked = ids[i], argv[a + 1], argv[a + 2], argv[a + 3]
  local quantity, left = quantities[asked], stock[sku]
  -- An order may stand twice in the batch.
  local record = records[i] or orders[id]
  local answer
  if record then
    answer = repeated(record, id, buyer, sku, quantity)
  elseif closed then
    answer = closed .. ' ' .. position(sale)
    if closed == 'NOT_OPEN' then answer = answer .. ' ' .. sale.opens_ms end
  elseif not left then
    answer = 'UNKNOWN_SKU ' .. position(sale, accepted)
  elseif left.available < quantity then
    -- The same words for everyone refused between two events: build them once.
    if sold_out_at[sku] ~= accepted then
      sold_out_at[sku] = accepted
      sold_out[sku] = 'SOLD_OUT ' .. position(sale, accepted) .. ' ' .. left.available
    end
    answer = sold_out[sku]
  else
    -- Stock only goes down in a batch, so whoever can win here could win when the holders were read.
    local holder = holders[i]
    local mine = units[holder] or 0
    if passes and not passes[buyer] then
      answer = 'NO_PASS ' .. position(sale, accepted)
    elseif left.limit > 0 and mine + quantity > left.limit then
      answer = format(over_limit, sale.seq + accepted, mine)
    else
      answer = accept(id, buyer, sku, asked, left, holder, mine)
      if passes then passes[buyer], used[#used + 1] = nil, buyer end
      if traces then events[accepted] = traced(events[accepted], traces, i) end
    end
  end
  reply[i + 2] = answer
end

if #used > 0 then changes.passes = used end
if accepted > 0 then commit(keys, sale, changes) end
reply[1] = position(sale)
return reply
