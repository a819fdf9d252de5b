-- events: the JSON of the events of orders.

-- ',available,held,sold,returned' after the step: every event carries them, so any reader can check the whole log.
local function counters(stock)
  return string.format(',%d,%d,%d,%d', stock.available, stock.held, stock.sold, stock.returned)
end

-- How the JSON of an order event begins: the same for all of a kind in a batch.
local function event_head(name, version, now, by)
  return '["' .. name .. '",' .. version .. ',' .. now .. ',"' .. by .. '","'
end

-- The JSON of an order event, without its closing bracket.
local function order_event(head, id, buyer, sku, quantity, stock)
  return head .. id .. '","' .. buyer .. '","' .. sku .. '",' .. quantity .. counters(stock)
end

-- The JSON of an event with the trace id of the i-th request behind its fields, if that has one.
local function traced(body, traces, i)
  local trace = string.sub(traces, 32 * i - 31, 32 * i)
  if not string.find(trace, '[^0]') then return body end
  return string.sub(body, 1, -2) .. ',{"trace":"' .. trace .. '"}]'
end
