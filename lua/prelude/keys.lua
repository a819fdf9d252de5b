-- keys: KEYS by their names; of two sales, of two shards or in another order they are refused.

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

-- The whole of KEYS of a script that asks nothing of the stock: the head of the sale, and its waiting room.
local function line_keys()
  if #KEYS ~= 5 then invalid('KEYS') end
  return keys_of({'sale', 'room', 'line', 'seen', 'passes'}, 1, tag_of_keys())
end
