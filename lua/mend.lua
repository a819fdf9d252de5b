-- mend: put records of the hot state back to what the log says, while the sale goes on.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence   position  the highest epoch-seq the caller has seen
--       by      text      who asks; nothing keeps it, no event is written
--       read    position  up to where the caller has read the log
--       mended  int       mends before this one, as the caller's snapshot had it
--       then for each record, 1 to 1000 of them; a value is `=text`, or `-` for none:
--       kind    text      order, units, owned, hold, setting, limit, stock or counters
--       key     text      order id, `buyer SKU`, field of the sale, or SKU
--       guard   value     hold: the order's record; else -
--       from    value     what stands there; counters and owned: -
--       to      value     what shall stand there; counters: the change `=+a +h +s +r`; owned: of a buyer's units `=+n`
-- Returns  {position, now_ms, answer ...}: MENDED position | DONE position, it stands there already
--          CHANGED position    it is no longer what the caller saw
--          BELOW_ZERO position    the counters would not allow it
--          STALE position    somebody mended, or founded the log anew, meanwhile
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    nothing
--
-- Every other script moves record and log by the same step. So a record that differs from the log and is still what the
-- caller saw was not touched since, and counters differ by the same amount until somebody mends them: `mended` counts.
local keys = named_keys()
local fence = ARGV[1]
actor_of(ARGV[2])
local read = is_position(ARGV[3]) and ARGV[3] or invalid('read')
local mended = count_of(ARGV[4], 'mended')
local n = request_count(4, 5)

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if not refused then
  local before = whole(redis.call('HGET', keys.sale, 'mended') or '0', 'sale mended')
  -- A log that was founded anew counts its mends anew, and its counters do not differ as those that were seen.
  if before ~= mended or tonumber(string.match(read, '^%d+')) ~= sale.epoch then refused = 'STALE' end
end
if refused then return refuse_all(sale, now, refused, n) end

local function value_of(text, what)
  if text == '-' then return nil end
  if not text or string.sub(text, 1, 1) ~= '=' then invalid(what) end
  return string.sub(text, 2)
end

local function follows(entry)
  local epoch, seq = string.match(read, '^(%d+)%-(%d+)$')
  return entry and entry[1] == epoch .. '-' .. string.format('%.0f', seq + 1)
end

-- Whether a person may have changed a setting since the caller read the log: a setting has no mark of its own.
local was_operated
local function operated()
  if was_operated == nil then
    local entries = redis.call('XRANGE', keys.events, '(' .. read, '+', 'COUNT', 1001)
    -- More than a glance, or events that were trimmed meanwhile: it cannot be said.
    was_operated = #entries > 1000 or (read ~= position(sale) and not follows(entries[1]))
    for i = 1, #entries do
      local body = entries[i][2][2]
      if string.find(body, '^%["sale%.') or string.find(body, '^%["stock%.') then was_operated = true end
    end
  end
  return was_operated
end

local changes, stock, no_stock = new_changes(), {}, {}

-- The text of a SKU's record as it will be, false for none.
local function stock_text(sku)
  if stock[sku] == nil then stock[sku] = redis.call('HGET', keys.stock, sku) end
  return stock[sku]
end

local function set_stock(sku, text)
  stock[sku] = text or false
  changes.stock[sku] = text and stock_of(text, sku) or nil
  no_stock[sku] = not text and 0 or nil
end

-- One record by compare and set; `write` is given the new text, or nil.
local function swap(current, from, to, write)
  if current == to then return 'DONE' end
  if current ~= from then return 'CHANGED' end
  write(to)
  return 'MENDED'
end

local mend = {}

function mend.order(id, _, from, to)
  return swap(changes.orders[id] or redis.call('HGET', keys.orders, id) or nil, from, to, function(text)
    if text then order_of(text, id) end
    changes.orders[id] = text or 0
  end)
end

function mend.units(holder, _, from, to)
  return swap(redis.call('HGET', keys.buyers, holder) or nil, from, to, function(text)
    changes.units[holder] = text and whole(text, 'units') or 0
  end)
end

function mend.owned(holder, _, _, to)
  if not to or not string.find(to, '^[+-]%d+$') or #to > 14 then invalid('to') end
  local left = whole(redis.call('HGET', keys.buyers, holder) or '0', 'buyers ' .. holder) + to
  if left < 0 then return 'BELOW_ZERO' end
  changes.units[holder] = left
  return 'MENDED'
end

-- The order's record is what tells that no script touched it: a missing hold leaves no trace of its own.
function mend.hold(id, guard, from, to)
  local record = changes.orders[id]
  if record == nil then record = redis.call('HGET', keys.orders, id) end
  if (record and record ~= 0 and record or nil) ~= guard then return 'CHANGED' end
  local score = redis.call('ZSCORE', keys.holds, id)
  return swap(score or nil, from, to, function(text)
    if text then
      changes.hold[#changes.hold + 1] = count_of(text, 'to')
      changes.hold[#changes.hold + 1] = id
    else
      changes.unhold[#changes.unhold + 1] = id
    end
  end)
end

local SETTINGS = {state = true, opens_ms = true, closes_ms = true, hold_ms = true}
-- A sale may have none.
local OPTIONAL = {door = true, drawn = true}

function mend.setting(field, _, from, to)
  if not (SETTINGS[field] or OPTIONAL[field] or string.find(field, '^request:')) then invalid('key') end
  if operated() then return 'CHANGED' end
  return swap(redis.call('HGET', keys.sale, field) or nil, from, to, function(text)
    if SETTINGS[field] and not text then invalid('to') end
    changes.sale[field] = text or 0
  end)
end

function mend.limit(sku, _, from, to)
  local counted, limit = string.match(stock_text(sku) or '', '^(%d+ %d+ %d+ %d+) (%d+)$')
  if not counted or operated() then return 'CHANGED' end
  return swap(limit, from, to, function(text) set_stock(sku, counted .. ' ' .. count_of(text, 'to')) end)
end

-- A record that is missing or cannot be read: no script moves it, so it may be set as a whole.
function mend.stock(sku, _, from, to)
  return swap(stock_text(sku) or nil, from, to, function(text) set_stock(sku, text) end)
end

function mend.counters(sku, _, _, to)
  local a, h, s, r = string.match(to or '', '^([+-]%d+) ([+-]%d+) ([+-]%d+) ([+-]%d+)$')
  if not a or #to > 60 then invalid('to') end
  local now_there = stock_of(stock_text(sku), sku)
  if not now_there then return 'CHANGED' end
  local moved = {now_there.available + a, now_there.held + h, now_there.sold + s, now_there.returned + r}
  for i = 1, 4 do
    if moved[i] < 0 or moved[i] > 1e13 then return 'BELOW_ZERO' end
    moved[i] = string.format('%.0f', moved[i])
  end
  set_stock(sku, table.concat(moved, ' ') .. ' ' .. now_there.limit)
  return 'MENDED'
end

local reply, writes = {'', now}, false
for i = 1, n do
  local a = 5 * i
  local decide = mend[ARGV[a]] or invalid('kind')
  local guard, from, to = value_of(ARGV[a + 2], 'guard'), value_of(ARGV[a + 3], 'from'), value_of(ARGV[a + 4], 'to')
  local word = decide(ARGV[a + 1], guard, from, to)
  writes = writes or word == 'MENDED'
  reply[i + 2] = word .. ' ' .. position(sale)
end
if writes then
  changes.sale.mended = mended + 1
  commit(keys, sale, changes)
  write_fields(keys.stock, no_stock)
end
reply[1] = position(sale)
return reply
