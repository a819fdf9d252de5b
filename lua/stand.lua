-- stand: how buyers stand in the line, without joining it and without a sign of life; many in one step.
--
-- KEYS  sale room line seen passes
-- ARGV  fence  position  not compared: nothing is promised
--       by     text      who asks; nothing keeps it
--       then for each request, 1 to 1000 of them:
--       buyer  text
-- Returns  {position, now_ms, answer ...}: ADMITTED position expires_ms | WAITING position ticket place
--          NOT_FOUND position | NO_ROOM position | CLOSED position
--          NOT_LOADED position | LOG_REGRESSED position
-- Flags    no-writes
-- Emits    nothing
local keys = line_keys()
local buyers = buyers_of()

local now = now_ms()
local sale, refused = read_sale(keys.sale, '0-0')
local no_line = why_no_line(sale, refused)
if no_line then return refuse_all(sale, now, no_line, #buyers) end

local door = door_of(sale.door)
local alike = told_to_all(sale, door, state_now(sale, now), now, #buyers)
if alike then return alike end

local at, draw = position(sale), draw_of(keys)
local tickets, expire = line_of(keys, buyers), redis.call('ZMSCORE', keys.passes, unpack(buyers))
local reply = {at, now}
for i = 1, #buyers do
  local ticket, expires_ms = tickets[buyers[i]], expire[i] and tonumber(expire[i])
  if expires_ms and expires_ms > now then
    reply[i + 2] = 'ADMITTED ' .. at .. ' ' .. string.format('%d', expires_ms)
  elseif ticket then
    reply[i + 2] = waiting(at, door, draw, ticket)
  else
    reply[i + 2] = 'NOT_FOUND ' .. at
  end
end
return reply
