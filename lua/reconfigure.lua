-- reconfigure: change the window, the hold or the limits of a sale that is not closed for good.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       opens_ms   int   or - to leave it as it is; likewise the next two
--       closes_ms  int
--       hold_ms    int   for orders reserved from now on
--       then for each SKU whose limit changes, 0 to 1000 of them:
--       sku        text
--       limit      int   0: no limit
-- Returns  {position, now_ms, answer}: RECONFIGURED position | WRONG_STATE position state | UNKNOWN_SKU position
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.reconfigured
local keys = named_keys()
local fence, by = ARGV[1], actor_of(ARGV[2])
local n = #ARGV == 5 and 0 or request_count(5, 2)

local now = now_ms()
local sale, refused = read_writable_sale(keys, fence)
if refused then return refuse_all(sale, now, refused, 1) end
-- Not `state_now`: what the clock closed may be given a later closing time. What a person closed is closed for good.
if sale.state == 'closed' then return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' closed'} end

local opens_ms = ARGV[3] == '-' and sale.opens_ms or count_of(ARGV[3], 'opens_ms')
local closes_ms = ARGV[4] == '-' and sale.closes_ms or count_of(ARGV[4], 'closes_ms')
local hold_ms = ARGV[5] == '-' and sale.hold_ms or count_of(ARGV[5], 'hold_ms')
if hold_ms < 1 then invalid('hold_ms') end
if closes_ms > 0 and closes_ms <= opens_ms then invalid('closes_ms') end

local changes = new_changes()
local skus, limits = {}, {}
for i = 1, n do skus[i] = ARGV[2 * i + 4] end
local texts = read_fields(keys.stock, skus)
for i = 1, n do
  local sku, limit = skus[i], count_of(ARGV[2 * i + 5], 'limit')
  local stock = stock_of(texts[sku], sku)
  if not stock then return {position(sale), now, 'UNKNOWN_SKU ' .. position(sale)} end
  if changes.stock[sku] then invalid('sku') end
  stock.limit = limit
  changes.stock[sku] = stock
  limits[i] = '["' .. sku .. '",' .. limit .. ']'
end

changes.sale = {opens_ms = tostring(opens_ms), closes_ms = tostring(closes_ms), hold_ms = hold_ms}
changes.events[1] = '["sale.reconfigured",1,' .. now .. ',"' .. by .. '",' .. opens_ms .. ',' .. closes_ms .. ',' ..
  hold_ms .. ',[' .. table.concat(limits, ',') .. ']]'
commit(keys, sale, changes)
return {position(sale), now, 'RECONFIGURED ' .. position(sale)}
