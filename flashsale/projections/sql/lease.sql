-- acquire --
-- Take the lease of at most `limit` shards that nobody leads: never led, given back, a dead session, a silent holder.
-- A session's pid may be used again, so its start time must agree too. A halted shard may be led: its holder looks again.
UPDATE checkpoint c
SET holder = %(holder)s, fence = c.fence + 1, heartbeat_at = clock_timestamp(),
    backend_pid = pg_backend_pid(),
    backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
FROM (
    SELECT f.sale_id, f.shard
    FROM checkpoint f
    WHERE (
        f.holder IS NULL
        OR f.heartbeat_at < clock_timestamp() - %(silent_ms)s * interval '1 millisecond'
        OR NOT EXISTS (
            SELECT 1 FROM pg_stat_activity a WHERE a.pid = f.backend_pid AND a.backend_start = f.backend_start
        )
    )
      AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.sale_id = f.sale_id AND s.archived_at IS NOT NULL)
      AND f.sale_id || ':' || f.shard <> ALL (%(but_not)s::text[])
    ORDER BY f.sale_id, f.shard
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) free
WHERE c.sale_id = free.sale_id AND c.shard = free.shard
RETURNING c.sale_id, c.shard, c.fence, c.epoch, c.seq;

-- seize --
-- Take the lease of one shard, whoever has it: its fence is over, and whatever it still sends writes nothing.
-- The heartbeat is given in advance; a session that dies is seen to be dead all the same.
UPDATE checkpoint
SET holder = %(holder)s, fence = fence + 1,
    heartbeat_at = clock_timestamp() + %(lasts_ms)s * interval '1 millisecond',
    backend_pid = pg_backend_pid(),
    backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
WHERE sale_id = %(sale_id)s AND shard = %(shard)s
RETURNING sale_id, shard, fence, epoch, seq;

-- lock_recovery --
-- One recovery of a shard at a time; the lock ends with the session.
SELECT pg_try_advisory_lock(hashtextextended(%(shard)s, 7306090422));

-- rivals --
-- Other live sessions of a projector of this name, whether it leads a shard yet or not.
SELECT count(*) FROM pg_stat_activity
WHERE application_name = %(application_name)s AND datname = current_database() AND pid <> pg_backend_pid();

-- heartbeat --
-- Say that this session still leads its shards; returns those it does lead, and where each of them stands. A shard of a
-- sale that is being archived is given back: its log is about to go.
UPDATE checkpoint c
SET heartbeat_at = clock_timestamp(), holder = CASE WHEN s.archived_at IS NULL THEN c.holder END
FROM sales s
WHERE c.backend_pid = pg_backend_pid() AND c.holder = %(holder)s AND s.sale_id = c.sale_id
RETURNING c.sale_id, c.shard, c.fence, c.epoch, c.seq, c.holder;

-- release --
-- Give all leases of this session back.
UPDATE checkpoint
SET holder = NULL, backend_pid = NULL, backend_start = NULL
WHERE backend_pid = pg_backend_pid() AND holder = %(holder)s;

-- give_back --
-- Give the lease of one shard back, whatever its halt says.
UPDATE checkpoint SET holder = NULL, backend_pid = NULL, backend_start = NULL
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND fence = %(fence)s;

-- halt --
-- Say why a shard is not applied any more, or that it is again.
UPDATE checkpoint SET halted = %(reason)s
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND fence = %(fence)s AND halted IS DISTINCT FROM %(reason)s;
