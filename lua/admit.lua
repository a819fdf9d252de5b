-- admit: call those whose turn it is. Called by the doorman of every gateway, about once a second.
--
-- KEYS  sale stock orders buyers holds events room seen passes
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log with the draw
--       share  int       of the rate, in thousandths: 0 to 1000
-- Returns  {position, now_ms, answer}: CALLED position serving count
--          HELD position why    warm, scheduled, paused, closed, queue-all, pass-through or no-stock
--          NO_ROOM position | NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.line_drawn
--
-- The rate is kept by Redis's clock and `served_ms`, the moment up to which it was given out: more doormen, or one who
-- asks more often, call nobody earlier. Whoever is called gets the pass with the next sign of life.
local keys = named_keys({'room', 'seen', 'passes'})
local fence, by = ARGV[1], actor_of(ARGV[2])
if #ARGV ~= 3 then invalid('ARGV: ' .. #ARGV .. ' values') end
local share = count_of(ARGV[3], 'share')
if share > 1000 then invalid('share') end

-- What is not given out within this time is lost: after a silence nobody is let in in a crowd.
local ELAPSED_MAX_MS = 2000
-- Where most have left, so many tickets are looked at in one call. Redis serves nobody else meanwhile.
local LOOKS_MAX, LOOKS_AT_ONCE = 2000, 500
-- Passes that ended, taken away in one call; the next one goes on, and nobody counts them meanwhile. More than a call
-- can call people, so they do not pile up. A hundred thousand at once take 35 to 65 ms, a million up to a second.
local ENDED_MAX = 3000
local QUARTER_MS = 15000

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
if refused then return refuse_all(sale, now, refused, 1) end
if not sale.door then return refuse_all(sale, now, 'NO_ROOM', 1) end
local state = state_now(sale, now)
if state ~= 'open' then return {position(sale), now, 'HELD ' .. position(sale) .. ' ' .. state} end

local door, draw = door_of(sale.door), draw_of(keys)
local room = read_room(keys, draw)
set_second(room, door, now)
local field = redis.call('HMGET', keys.room, 'served_ms', 'carry', 'called_ms', 'seed', 'commitment')
local served_ms, carry = room_number(field[1], 'served_ms') or 0, room_number(field[2], 'carry') or 0
local called_ms = room_number(field[3], 'called_ms') or 0
local changes = new_changes()
if not draw then
  if not log_is_whole(keys.events, sale) then return refuse_all(sale, now, 'LOG_REGRESSED', 1) end
  -- A seed that is not the one that was committed to is none; then the order of joining is all that is left.
  local seed = field[5] == door.commitment and field[4] or ''
  if string.find(seed, '[^%da-f]') then corrupt('room seed') end
  draw = new_draw(keys, seed ~= '' and door.shuffle and room.tickets or 0, seed)
  changes.sale = {drawn = draw.n .. ' ' .. seed}
  changes.events[1] = '["sale.line_drawn",1,' .. now .. ',"' .. by .. '",' .. draw.n .. ',"' .. seed .. '"]'
  served_ms = now - 1000
  -- What `shuffled` reads: 4 hashes for each number up to the root of n, once, instead of 4 for each sign of life.
  local bytes = {}
  for round = 1, 4 do
    for half = 0, draw.side - 1 do
      local value = hashed(draw, round, half)
      bytes[#bytes + 1] = string.char(math.floor(value / 256), value % 256)
    end
  end
  draw.rounds = table.concat(bytes)
end

local function why_held()
  if door.mode ~= 'open' then return door.mode end
  local stock = redis.call('HGETALL', keys.stock)
  for i = 1, #stock, 2 do
    if stock_of(stock[i + 1], stock[i]).available > 0 then return nil end
  end
  return 'no-stock'
end

-- Calls up to `budget` people who are there, from `serving` on; returns how many, and whether there was nobody left.
local function walk(budget)
  local count, looks, place = 0, 0, room.serving
  while count < budget and looks < LOOKS_MAX and place < room.tickets do
    local tickets = {}
    -- As many as would do if all were there, and some more: most of the time it is one look.
    for i = 0, math.min(LOOKS_AT_ONCE, budget - count + 20, LOOKS_MAX - looks, room.tickets - place) - 1 do
      tickets[i + 1] = ticket_at(draw, place + i)
    end
    for _, second in ipairs(seen_of(keys, tickets)) do
      if count == budget then break end
      place, looks = place + 1, looks + 1
      if second > 0 and room.second - second <= door.leave_after_s then count = count + 1 end
    end
  end
  room.serving = place
  return count, looks < LOOKS_MAX
end

local why = why_held()
local active, count = active_of(keys, now), 0
redis.call('STRLEN', keys.seen)
if #changes.events > 0 then commit(keys, sale, changes) end
if not why then
  -- A clock that was set back: the time until then is not waited for.
  local elapsed_ms = served_ms > now and 0 or math.min(now - served_ms, ELAPSED_MAX_MS)
  -- Thousandths of a person: so many a second are so many thousandths a millisecond.
  local earned = carry + math.floor(door.rate_per_s * elapsed_ms * share / 1000)
  if now - called_ms >= 2 * QUARTER_MS or called_ms > now then
    room.called, room.called_before, called_ms = 0, 0, now
  elseif now - called_ms >= QUARTER_MS then
    room.called, room.called_before, called_ms = 0, room.called, called_ms + QUARTER_MS
  end
  local free = math.max(0, door.active_max - active - room.called - room.called_before)
  local all
  count, all = walk(math.min(math.floor(earned / 1000), free))
  room.called = room.called + count
  -- What is due to people who were not looked at yet is kept for them; what nobody wanted is not.
  carry = all and earned % 1000 or math.min(earned - 1000 * count, door.rate_per_s * ELAPSED_MAX_MS)
  served_ms = now
  local ended = math.min(redis.call('ZCOUNT', keys.passes, '-inf', now), ENDED_MAX)
  if ended > 0 then redis.call('ZREMRANGEBYRANK', keys.passes, 0, ended - 1) end
end
if not why or #changes.events > 0 then
  redis.call('HSET', keys.room, 'start_s', room.start_s, 'tickets', room.tickets, 'serving', room.serving,
    'called', room.called, 'called_before', room.called_before, 'called_ms', called_ms, 'served_ms', served_ms,
    'carry', carry)
  if #changes.events > 0 then redis.call('HSET', keys.room, rounds_of(draw), draw.rounds) end
end
local at = position(sale)
if why then return {at, now, 'HELD ' .. at .. ' ' .. why} end
return {at, now, 'CALLED ' .. at .. ' ' .. room.serving .. ' ' .. count}
