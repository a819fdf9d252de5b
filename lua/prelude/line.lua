-- line: the line of the waiting room: who stands in it, who was seen, who may pass.

-- A ticket, or how many there are: `seen` is addressed by them, and no script gives more than 2^24.
local function ticket_of(text, what)
  local ticket = whole(text, what)
  if ticket > 16777216 then corrupt(what) end
  return ticket
end

-- The tickets of those of the buyers who are in the line, {buyer → ticket}, and what they are called there, in order:
-- 12 bytes of the SHA-1, so that a long name takes no more memory than a short one.
local function line_of(keys, buyers)
  local names, tickets = {}, {}
  for i = 1, #buyers do
    local hash = redis.sha1hex(buyers[i])
    names[i] = struct.pack('>I4I4I4', tonumber(string.sub(hash, 1, 8), 16), tonumber(string.sub(hash, 9, 16), 16),
      tonumber(string.sub(hash, 17, 24), 16))
  end
  local found = redis.call('HMGET', keys.line, unpack(names))
  for i = 1, #buyers do
    if found[i] then tickets[buyers[i]] = ticket_of(found[i], 'line ' .. buyers[i]) end
  end
  return tickets, names
end

-- Why nobody can be told of a place. A halted sale keeps its line: it has nothing to do with what the log lost.
local function why_no_line(sale, refused)
  if sale.door then return nil end
  return refused or 'NO_ROOM'
end

-- The settings as they were set, and the commitment.
local function door_of(text)
  local mode, rate, active, pass_ttl, leave_after, shuffle, commitment, message =
    string.match(text, '^(%l[%l-]+) (%d+) (%d+) (%d+) (%d+) ([01]) (%x+) (.*)$')
  if not mode then corrupt('sale door') end
  local leave_after_ms = whole(leave_after, 'sale door')
  return {
    mode = mode, rate_per_s = whole(rate, 'sale door'), active_max = whole(active, 'sale door'),
    pass_ttl_ms = whole(pass_ttl, 'sale door'), leave_after_ms = leave_after_ms,
    leave_after_s = math.ceil(leave_after_ms / 1000), shuffle = shuffle == '1', commitment = commitment,
    message = message,
  }
end

-- The reply where everybody is told the same, whether they wait or not; nil where it depends on who asks.
local function told_to_all(sale, door, state, now, n)
  if state == 'closed' then return refuse_all(sale, now, 'CLOSED', n) end
  if door.mode ~= 'pass-through' then return nil end
  -- No pass is demanded, so none is kept; and whoever waits keeps the place, should there be a line again.
  local reply = {position(sale), now}
  local answer = string.format('ADMITTED %s %d', position(sale), now + door.pass_ttl_ms)
  for i = 1, n do reply[i + 2] = answer end
  return reply
end

-- A number of the room's record; false where it has none yet.
local function room_number(text, what)
  return text and whole(text, 'room ' .. what)
end

-- The counters of the room. Where Redis has lost them, tickets go on behind those that were drawn.
local function read_room(keys, draw)
  local field = redis.call('HMGET', keys.room, 'start_s', 'heard_s', 'tickets', 'serving', 'called', 'called_before')
  local first = draw and draw.n or 0
  return {
    start_s = room_number(field[1], 'start_s'),
    heard_s = room_number(field[2], 'heard_s'),
    tickets = math.max(first, field[3] and ticket_of(field[3], 'room tickets') or 0),
    serving = field[4] and ticket_of(field[4], 'room serving') or first,
    -- People called and not come yet, of this quarter of a minute and of the one before.
    called = room_number(field[5], 'called') or 0,
    called_before = room_number(field[6], 'called_before') or 0,
  }
end

-- Sets the room's own clock, by which signs of life are counted: `second`, as it stands in `seen`, where 0 is: never,
-- or gone. When nobody at all was heard for longer than anybody who is there is silent, no person has left: gateways, a
-- network or Redis were away, or the clock was set. That time is left out: from `begins_s` on it runs, once one is. A
-- clock that is behind the age of the room itself, as that of a machine without one, makes nobody older either.
local function set_second(room, door, now)
  local now_s = math.floor(now / 1000)
  room.start_s = room.start_s or now_s
  local silent_s = now_s - (room.heard_s or now_s)
  local left_out_s = (silent_s < 0 or silent_s > door.leave_after_s / 2) and silent_s or 0
  room.second = math.max(1, now_s - room.start_s - left_out_s + 1)
  room.heard_s, room.begins_s = now_s, math.max(0, room.start_s + left_out_s)
end

-- What stands in `seen` of many tickets.
local function seen_of(keys, tickets)
  if #tickets == 0 then return {} end
  local words = {}
  for i = 1, #tickets do
    words[3 * i - 2], words[3 * i - 1], words[3 * i] = 'GET', 'u32', '#' .. tickets[i]
  end
  return redis.call('BITFIELD', keys.seen, unpack(words))
end

-- Sets what stands in `seen` of many tickets: {ticket → second}.
local function write_seen(keys, seconds)
  local words = {}
  for ticket, second in pairs(seconds) do
    local n = #words
    words[n + 1], words[n + 2], words[n + 3], words[n + 4] = 'SET', 'u32', '#' .. ticket, second
  end
  if #words > 0 then redis.call('BITFIELD', keys.seen, unpack(words)) end
end

-- People with a pass that has not expired.
local function active_of(keys, now)
  return redis.call('ZCOUNT', keys.passes, '(' .. now, '+inf')
end

-- The answer to somebody in the line. Before the draw there is no place to be told of.
local function waiting(at, door, draw, ticket)
  local place = (draw or not door.shuffle) and place_of(draw, ticket) or '-'
  return 'WAITING ' .. at .. ' ' .. ticket .. ' ' .. place
end
