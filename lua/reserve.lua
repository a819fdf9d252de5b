-- reserve: hold units for buyers while stock lasts; many requests in one atomic step.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence     position  the highest epoch-seq the caller has seen
--       by        text      who asks, kept in the log
--       then for each request, 1 to 1000 of them:
--       order     text      order id; it is the identity of the request
--       buyer     text
--       sku       text
--       quantity  int       1 to 999999
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          RESERVED position hold_until_ms [status]   status only when the order existed: the same answer again
--          SOLD_OUT position available | LIMIT position units | UNKNOWN_SKU position | CONFLICT position
--          NOT_OPEN position opens_ms | PAUSED position | CLOSED position
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    order.reserved
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local n = request_count(2, 4)

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
if refused then return refuse_all(sale, now, refused, n) end

local ids, skus, seen = {}, {}, {}
for i = 1, n do
  local a = 4 * i - 1
  ids[i] = ARGV[a]
  local sku = ARGV[a + 2]
  quantity_of(ARGV[a + 3], 'quantity')
  if not seen[sku] then
    seen[sku] = true
    skus[#skus + 1] = sku
  end
end
local known = read_fields(keys.orders, ids)
local closed = why_closed(sale, now)
local stock = {}
if not closed then
  for sku, text in pairs(read_fields(keys.stock, skus)) do stock[sku] = stock_of(text, sku) end
end

-- Only requests that could still win need the buyer's units: a sold-out batch ends with two reads.
local wanted = {}
for i = 1, n do
  local a = 4 * i - 1
  local left = stock[ARGV[a + 2]]
  if left and not known[ids[i]] and left.available >= tonumber(ARGV[a + 3]) then
    wanted[#wanted + 1] = ARGV[a + 1] .. ' ' .. ARGV[a + 2]
  end
end
local units = {}
if #wanted > 0 then
  if not log_is_whole(keys.events, sale) then return refuse_all(sale, now, 'LOG_REGRESSED', n) end
  for field, text in pairs(read_fields(keys.buyers, wanted)) do units[field] = whole(text, 'buyers ' .. field) end
end

local changes = new_changes()
local reply = {'', now}
-- Lua prints a number anew each time it is joined to a text: what stays the same in a batch is printed once.
local until_ms = tostring(now + sale.hold_ms)
local head, epoch = event_head('order.reserved', 1, now, by), sale.epoch .. '-'
local sold_out, sold_out_at = {}, {}

local function repeated(record, id, buyer, sku, quantity)
  local order = order_of(record, id)
  if order.buyer ~= buyer or order.sku ~= sku or order.quantity ~= quantity then
    return 'CONFLICT ' .. position(sale, #changes.events)
  end
  return 'RESERVED ' .. order.reserved_at .. ' ' .. order.hold_until_ms .. ' ' .. order.status
end

local function accept(id, buyer, sku, quantity, left, holder, mine)
  if not (string.find(id, '^%d%d?%d?%-[%w_-]+$') and #id <= 52 and #buyer <= 128 and
      string.find(buyer, '^%w[%w._@+-]*$')) then
    invalid('order ' .. #reply - 1 .. ' of the batch: order id or buyer')
  end
  left.available = left.available - quantity
  left.held = left.held + quantity
  units[holder] = mine + quantity
  local events, hold = changes.events, changes.hold
  local nth = #events + 1
  events[nth] = order_event(head, id, buyer, sku, quantity, left) .. ',' .. until_ms .. ']'
  local at = epoch .. (sale.seq + nth)
  local text = 'held ' .. sku .. ' ' .. quantity .. ' ' .. buyer .. ' ' .. until_ms .. ' ' .. at
  known[id], changes.orders[id] = text, text
  changes.stock[sku] = left
  changes.units[holder] = mine + quantity
  hold[2 * nth - 1], hold[2 * nth] = until_ms, id
  return 'RESERVED ' .. at .. ' ' .. until_ms
end

for i = 1, n do
  local a = 4 * i - 1
  local id, buyer, sku, quantity = ids[i], ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3])
  local left = stock[sku]
  local answer
  if known[id] then
    answer = repeated(known[id], id, buyer, sku, quantity)
  elseif closed then
    answer = closed .. ' ' .. position(sale)
    if closed == 'NOT_OPEN' then answer = answer .. ' ' .. sale.opens_ms end
  elseif not left then
    answer = 'UNKNOWN_SKU ' .. position(sale, #changes.events)
  elseif left.available < quantity then
    -- The same words for everyone refused between two events: build them once.
    if sold_out_at[sku] ~= #changes.events then
      sold_out_at[sku] = #changes.events
      sold_out[sku] = 'SOLD_OUT ' .. position(sale, #changes.events) .. ' ' .. left.available
    end
    answer = sold_out[sku]
  else
    local holder = buyer .. ' ' .. sku
    local mine = units[holder] or 0
    if left.limit > 0 and mine + quantity > left.limit then
      answer = 'LIMIT ' .. position(sale, #changes.events) .. ' ' .. mine
    else
      answer = accept(id, buyer, sku, quantity, left, holder, mine)
    end
  end
  reply[i + 2] = answer
end

if #changes.events > 0 then commit(keys, sale, changes) end
reply[1] = position(sale)
return reply
