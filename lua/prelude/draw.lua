-- draw: the draw of the line: places by lot, each given once and found without the others.

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
  return new_draw(keys, ticket_of(n, 'sale drawn'), seed)
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
