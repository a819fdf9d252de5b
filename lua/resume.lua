-- resume: let a paused sale sell again, within its window.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
-- Returns  {position, now_ms, answer}: RESUMED position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Emits    sale.resumed
local function may_resume(sale, now)
  return state_now(sale, now) == 'paused'
end

return change_state(may_resume, 'open', 'RESUMED', 'sale.resumed')
