-- close: end a sale for good; open orders may still be paid, cancelled or refunded.
--
-- KEYS  sale stock orders buyers holds events
-- ARGV  fence  position  the highest epoch-seq the caller has seen
--       by     text      who asks, kept in the log
-- Returns  {position, now_ms, answer}: CLOSED position | WRONG_STATE position state
--          NOT_LOADED position | LOG_REGRESSED position
-- Flags    allow-oom: frees or settles, so it must work when memory is full
-- Emits    sale.closed
-- A sale that its clock closed may be closed once more, for good: its closing time cannot be moved any more then.
local function may_close(sale)
  return sale.state == 'warm' or sale.state == 'open' or sale.state == 'paused'
end

return change_state(may_close, 'closed', 'CLOSED', 'sale.closed')
