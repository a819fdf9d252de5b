-- records: what Redis holds, field by field.
--
-- Numbers: `..` prints integers of 1e14 and more as 1e+14, so one of more than 13 digits is never believed.
-- Milliseconds have 13 until the year 2286, a seq stays far below, quantities are bounded by pattern. Where many are
-- printed it is by `%d`: `..` treats each as a fraction, which takes far longer.

-- Stops the script before any write. The first word is what the client maps to an exception.
local function corrupt(what)
  error({err = 'KEY_CORRUPT ' .. what})
end

-- Up to 13 digits: no script wrote more, and one more would be printed as 1e+14 in an event that nobody can read.
local function whole(text, what)
  if not text or not string.find(text, '^%d+$') or #text > 13 then corrupt(what) end
  return tonumber(text)
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
