-- pause: take no new reservations for a while; payments, cancellations and refunds go on.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
--       why    text      `why:` and one line for people, 1 to 200 bytes of UTF-8, kept in the log; may be missing
-- Returns  {position, now_ms, answer}: PAUSED position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    sale.paused
-- A warm sale without an opening time is not selling and will not by itself: resume would open it by the back door.
local function may_pause(sale, now)
  local state = state_now(sale, now)
  return state == 'open' or state == 'scheduled'
end

return change_state(may_pause, 'paused', 'PAUSED', 'sale.paused', true)
