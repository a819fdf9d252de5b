-- sale: the head of the sale, what it allows at this moment, and its changes of state.

-- Redis's own clock: the only one that decides anything.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The head of the sale, and the word that refuses everything: NOT_LOADED (missing is closed, never empty stock),
-- LOG_REGRESSED (a caller has seen a later event than this log holds: a flush, a failover or a restore lost it) or
-- ARCHIVED (the sale is over, and only Postgres has it). A caller whose fence is of another sale of this id, that of
-- another shop, is stopped before it can halt this one.
local function read_sale(key, fence)
  local fence_epoch, fence_seq, origin = string.match(fence or '', '^(%d+)%-(%d+)(.*)$')
  if not fence_epoch or #fence_epoch > 20 or #fence_seq > 20 then invalid('fence') end
  if origin ~= '' then origin = origin_of(string.match(origin, '^@(.+)$'), 'fence') end
  fence = fence_epoch .. '-' .. fence_seq
  local field = redis.call('HMGET', key, 'state', 'opens_ms', 'closes_ms', 'hold_ms', 'epoch', 'seq', 'lost', 'door',
    'origin')
  if not (field[1] or field[2] or field[5] or field[6]) then
    return {epoch = 0, seq = 0}, fence == '0-0' and 'NOT_LOADED' or 'LOG_REGRESSED'
  end
  if origin ~= '' and field[9] and origin ~= field[9] then
    if not is_origin(field[9]) then corrupt('sale origin') end
    error({err = 'OTHER_SHOP ' .. string.match(key, '{(.+)}') .. ' ' .. field[9] .. ' ' .. origin})
  end
  -- Of an archived sale only state, epoch and seq are left.
  if field[1] == 'archived' then field[2], field[3], field[4] = '0', '0', '0' end
  -- A word: it stands in answers.
  if not string.find(field[1] or '', '^%l+$') or #field[1] > 20 then corrupt('sale state') end
  local sale = {
    state = field[1],
    opens_ms = whole(field[2], 'sale opens_ms'),
    closes_ms = whole(field[3], 'sale closes_ms'),
    hold_ms = whole(field[4], 'sale hold_ms'),
    epoch = whole(field[5], 'sale epoch'),
    seq = whole(field[6], 'sale seq'),
    -- The settings of the waiting room, false when there is none.
    door = field[8],
  }
  fence_epoch, fence_seq = tonumber(fence_epoch), tonumber(fence_seq)
  local is_behind = sale.epoch < fence_epoch or (sale.epoch == fence_epoch and sale.seq < fence_seq)
  if sale.state == 'archived' then return sale, is_behind and 'LOG_REGRESSED' or 'ARCHIVED' end
  if is_behind and not field[7] then
    -- The first caller who can prove the loss halts the sale for all: those who have seen less would sell again what
    -- the lost events had sold. Only `found` ends it.
    field[7] = fence
    redis.call('HSET', key, 'lost', fence)
  end
  return sale, field[7] and 'LOG_REGRESSED' or nil
end

-- The head of the sale for a script that is about to write: the log itself must be whole as well.
local function read_writable_sale(keys, fence)
  local sale, refused = read_sale(keys.sale, fence)
  if not refused and not log_is_whole(keys.events, sale) then refused = 'LOG_REGRESSED' end
  return sale, refused
end

-- What the sale is at this moment: warm, scheduled, open, paused or closed. The clock opens and closes it by itself,
-- and closes what is paused, too. `sale_state` in flashsale/commands/snapshot.py says the same.
local function state_now(sale, now)
  if sale.state == 'closed' or (sale.closes_ms > 0 and now >= sale.closes_ms) then return 'closed' end
  local sells = sale.state == 'open' or (sale.state == 'warm' and sale.opens_ms > 0)
  if not sells then return sale.state end
  return now < sale.opens_ms and 'scheduled' or 'open'
end

-- nil while new reservations are taken; else the word that refuses them.
local function why_closed(sale, now)
  local words = {warm = 'NOT_OPEN', scheduled = 'NOT_OPEN', paused = 'PAUSED', closed = 'CLOSED'}
  local state = state_now(sale, now)
  if state == 'open' then return nil end
  return words[state] or corrupt('sale state')
end

-- One answer for every request of a batch that is refused as a whole.
local function refuse_all(sale, now, word, n)
  local answer = word .. ' ' .. position(sale)
  local reply = {position(sale), now}
  for i = 1, n do reply[i + 2] = answer end
  return reply
end

-- The whole of pause, resume and close: move the sale to `state` if `may_change(sale, now)`, and say so in the log;
-- with `takes_why`, also why, if the caller does. That stands behind the fields: the event means the same without it.
local function change_state(may_change, state, word, event, takes_why)
  local keys = named_keys()
  local fence, by, why = ARGV[1], actor_of(ARGV[2]), takes_why and ARGV[3]
  if #ARGV ~= (why and 3 or 2) then invalid('ARGV: ' .. #ARGV .. ' values') end
  if why then
    local line = string.match(why, '^why:(.+)$') or invalid('why')
    why = ',{"why":"' .. sentence_of(line, 200, 'why') .. '"}'
  else
    why = ''
  end
  local now = now_ms()
  local sale, refused = read_writable_sale(keys, fence)
  if refused then return refuse_all(sale, now, refused, 1) end
  if not may_change(sale, now) then
    return {position(sale), now, 'WRONG_STATE ' .. position(sale) .. ' ' .. state_now(sale, now)}
  end
  local changes = new_changes()
  changes.sale = {state = state}
  changes.events[1] = '["' .. event .. '",1,' .. now .. ',"' .. by .. '"' .. why .. ']'
  commit(keys, sale, changes)
  return {position(sale), now, word .. ' ' .. position(sale)}
end
