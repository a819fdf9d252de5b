-- join: take a place in the line, or keep it, and get the pass of who was called; many buyers in one atomic step.
--
-- KEYS  sale room line seen passes
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks; nothing keeps it
--       then for each request, 1 to 1000 of them:
--       buyer  text
-- Returns  {position, now_ms, answer ...}, an answer is one of
--          ADMITTED position expires_ms    has a pass
--          WAITING position ticket place   place: - before the draw
--          NO_ROOM position | ROOM_FULL position | CLOSED position
--          NOT_LOADED position | LOG_REGRESSED position    where there is no room to be told of
-- Emits    nothing
local keys = line_keys()
local fence, buyers = ARGV[1], buyers_of()
local n = #buyers

local now = now_ms()
local sale, refused = read_sale(keys.sale, fence)
local no_line = why_no_line(sale, refused)
if no_line then return refuse_all(sale, now, no_line, n) end
local at, state, door = position(sale), state_now(sale, now), door_of(sale.door)
local alike = told_to_all(sale, door, state, now, n)
if alike then return alike end
local reply = {at, now}

-- The bits of `seen` are addressed by tickets: more would not fit into a string.
local TICKETS_MAX = 16777216
local draw = draw_of(keys)
local room = read_room(keys, draw)
set_second(room, door, now)
local tickets, names = line_of(keys, buyers)
local passes, expire = {}, redis.call('ZMSCORE', keys.passes, unpack(buyers))
for i = 1, n do
  local expires_ms = expire[i] and tonumber(expire[i])
  if expires_ms and expires_ms > now then passes[buyers[i]] = expires_ms end
end

-- Only for those who were called it matters how long they were away.
local called, tickets_called, asked = {}, {}, {}
for buyer, ticket in pairs(tickets) do
  if (draw or not door.shuffle) and place_of(draw, ticket) < room.serving then
    asked[#asked + 1], tickets_called[#tickets_called + 1] = buyer, ticket
  end
end
for i, second in ipairs(seen_of(keys, tickets_called)) do
  called[asked[i]] = second > 0 and room.second - second <= door.leave_after_s and 'present' or 'away'
end
local gives = state == 'open' and door.mode == 'open' and not refused
local free = gives and next(called) and door.active_max - active_of(keys, now) or 0

local line, gone, given, seconds, come = {}, {}, {}, {}, 0
for i = 1, n do
  local buyer = buyers[i]
  local ticket, answer = tickets[buyer]
  if passes[buyer] then
    answer = 'ADMITTED ' .. at .. ' ' .. string.format('%d', passes[buyer])
  elseif ticket and called[buyer] == 'present' and free > 0 then
    local expires_ms = now + door.pass_ttl_ms
    free, come = free - 1, come + 1
    passes[buyer], tickets[buyer] = expires_ms, nil
    given[#given + 1], given[#given + 2], gone[#gone + 1] = string.format('%d', expires_ms), buyer, names[i]
    answer = 'ADMITTED ' .. at .. ' ' .. string.format('%d', expires_ms)
  elseif (not ticket or called[buyer] == 'away') and room.tickets >= TICKETS_MAX then
    answer = 'ROOM_FULL ' .. at
  else
    if not ticket or called[buyer] == 'away' then
      ticket, room.tickets = room.tickets, room.tickets + 1
      tickets[buyer], called[buyer] = ticket, nil
      line[#line + 1], line[#line + 2] = names[i], ticket
    end
    seconds[ticket] = room.second
    answer = waiting(at, door, draw, ticket)
  end
  reply[i + 2] = answer
end

-- Before anything is written: a server may not allow a string to be so long, and a key may be of another type.
redis.call('BITFIELD', keys.seen, 'GET', 'u32', '#' .. math.max(0, room.tickets - 1))
if #line > 0 then redis.call('HSET', keys.line, unpack(line)) end
write_seen(keys, seconds)
if come > 0 then
  redis.call('ZADD', keys.passes, unpack(given))
  redis.call('HDEL', keys.line, unpack(gone))
  local earlier = math.min(come, room.called_before)
  room.called_before, room.called = room.called_before - earlier, math.max(0, room.called - come + earlier)
end
redis.call('HSET', keys.room, 'start_s', room.begins_s, 'heard_s', room.heard_s, 'tickets', room.tickets,
  'serving', room.serving, 'called', room.called, 'called_before', room.called_before)
return reply
