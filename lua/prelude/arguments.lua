-- arguments: what a caller asks, each argument by its pattern.

-- Stops the script before any write. The first word is what the client maps to an exception.
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

-- When the definition was stored from which a sale was warmed, to the microsecond: tells sales of one id apart.
local function is_origin(text)
  return text and string.find(text, '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$') ~= nil
end

local function origin_of(text, what)
  if not is_origin(text) then invalid(what) end
  return text
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

-- Order ids at every `width`-th argument after the first `fixed`.
local function ids_of(fixed, width, n)
  local ids = {}
  for i = 1, n do ids[i] = ARGV[fixed + (i - 1) * width + 1] end
  return ids
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
