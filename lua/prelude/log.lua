-- log: positions in the log, and whether all of it is there.

-- The position of the newest event, or of the n-th event this script is about to write.
local function position(sale, n)
  return string.format('%d-%d', sale.epoch, sale.seq + (n or 0))
end

-- Whether a text is a position, epoch-seq, of numbers that a stream can hold.
local function is_position(text)
  local epoch, seq = string.match(text or '', '^(%d+)%-(%d+)$')
  return epoch and #epoch <= 20 and #seq <= 20
end

-- Whether position `a` comes after position `b`; both as epoch-seq.
local function is_after(a, b)
  local a_epoch, a_seq = string.match(a, '^(%d+)%-(%d+)$')
  local b_epoch, b_seq = string.match(b, '^(%d+)%-(%d+)$')
  a_epoch, a_seq, b_epoch, b_seq = tonumber(a_epoch), tonumber(a_seq), tonumber(b_epoch), tonumber(b_seq)
  return a_epoch > b_epoch or (a_epoch == b_epoch and a_seq > b_seq)
end

-- The id of the newest entry that the log ever had; nil when there is no log, or something else in its place: the
-- second value tells. Any other error is this call's own: who may not look must not take a log for a lost one.
local function newest_id(events_key)
  local info = redis.pcall('XINFO', 'STREAM', events_key)
  if info.err then
    local is_other = string.find(info.err, 'WRONGTYPE') ~= nil
    if not is_other and not string.find(info.err, 'no such key') then error(info) end
    return nil, is_other
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- False when the log's newest entry is behind the counters (its tail was lost): then nothing may be sold.
local function log_is_whole(events_key, sale)
  local newest, is_other = newest_id(events_key)
  if is_other then corrupt('events') end
  if not newest then return false end
  if newest == position(sale) then return true end
  local epoch, seq = string.match(newest, '^(%d+)%-(%d+)$')
  epoch, seq = tonumber(epoch), tonumber(seq)
  if epoch > sale.epoch or (epoch == sale.epoch and seq > sale.seq) then
    corrupt('events: the log holds entries that no script of this sale wrote')
  end
  return false
end

-- A consumer group that has not acknowledged all of `entries`, the oldest of the log, and how many it has not: those
-- that it never got, and those that a consumer, dead or slow, still has in hand. '-' when there is no group at all:
-- then nobody has acknowledged anything. nil when every group has.
local function who_lacks(events_key, entries, up_to)
  local groups = redis.call('XINFO', 'GROUPS', events_key)
  if #groups == 0 and #entries > 0 then return '-', #entries end
  for i = 1, #groups do
    local group = {}
    for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
    local lacking, n = {}, 0
    for _, pending in ipairs(redis.call('XPENDING', events_key, group.name, '-', up_to, 1000)) do
      lacking[pending[1]], n = true, n + 1
    end
    for j = 1, #entries do
      local id = entries[j][1]
      if not lacking[id] and is_after(id, group['last-delivered-id']) then n = n + 1 end
    end
    -- A name may hold anything, an answer may not.
    if n > 0 then return (string.gsub(group.name, '[^%w_.:-]', '?')), n end
  end
  return nil
end
