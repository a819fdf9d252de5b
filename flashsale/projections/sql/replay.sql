-- lock_sale --
-- One replay a sale at a time; released with the session, also when its process was killed.
SELECT pg_advisory_lock(hashtextextended(%(sale_id)s, 7306090421));

-- unlock_sale --
SELECT pg_advisory_unlock(hashtextextended(%(sale_id)s, 7306090421));

-- live --
-- The tables that hold projections now, and the version of the code that built each.
SELECT sale_id, name, live_table, version FROM projection
WHERE %(sale_id)s::text IS NULL OR sale_id = %(sale_id)s
ORDER BY sale_id, name;

-- make_live --
UPDATE projection SET live_table = %(live_table)s, version = %(version)s
WHERE sale_id = %(sale_id)s AND name = %(name)s;

-- runs --
SELECT run, sale_id, mode, state, until, restarts, (extract(epoch FROM started_at) * 1000)::bigint
FROM replay
WHERE %(sale_id)s::text IS NULL OR sale_id = %(sale_id)s
ORDER BY sale_id, run;

-- run_tables --
SELECT name, version, new_table, old_table, old_version FROM replay_table WHERE run = %(run)s;

-- run_shards --
SELECT shard, epoch, seq, until_epoch, until_seq FROM replay_shard WHERE run = %(run)s ORDER BY shard;

-- insert_run --
INSERT INTO replay (sale_id, mode, until) VALUES (%(sale_id)s, %(mode)s, %(until)s) RETURNING run;

-- insert_table --
INSERT INTO replay_table (run, name, version, new_table)
VALUES (%(run)s, %(name)s, %(version)s, %(new_table)s);

-- insert_shard --
INSERT INTO replay_shard (run, shard, until_epoch, until_seq)
VALUES (%(run)s, %(shard)s, %(until_epoch)s, %(until_seq)s);

-- set_state --
UPDATE replay SET state = %(state)s, changed_at = clock_timestamp() WHERE run = %(run)s;

-- delete_run --
DELETE FROM replay WHERE run = %(run)s;

-- begin_again --
WITH counted AS (
    UPDATE replay SET state = 'building', restarts = restarts + 1, changed_at = clock_timestamp() WHERE run = %(run)s
)
UPDATE replay_shard SET epoch = 0, seq = 0, withheld = '' WHERE run = %(run)s;

-- replaced --
-- Remember what the swap took away.
UPDATE replay_table SET old_table = %(old_table)s, old_version = %(old_version)s
WHERE run = %(run)s AND name = %(name)s;

-- move --
-- A rebuild has reached a position; the dead letters up to there are what it was built without.
UPDATE replay_shard
SET epoch = %(to_epoch)s, seq = %(to_seq)s,
    withheld = (
        SELECT coalesce(md5(string_agg(epoch || '-' || seq, ' ' ORDER BY epoch, seq)), '')
        FROM parked
        WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND (epoch, seq) <= (%(to_epoch)s, %(to_seq)s)
    )
WHERE run = %(run)s AND shard = %(shard)s;

-- out_of_date --
-- Shards in which the dead letters up to the place that was reached are others than they were then.
SELECT r.shard
FROM replay_shard r
WHERE r.run = %(run)s AND r.withheld <> (
    SELECT coalesce(md5(string_agg(p.epoch || '-' || p.seq, ' ' ORDER BY p.epoch, p.seq)), '')
    FROM parked p
    WHERE p.sale_id = %(sale_id)s AND p.shard = r.shard AND (p.epoch, p.seq) <= (r.epoch, r.seq)
);

-- lock_checkpoints --
-- Keeps the projectors of a sale from their next batch; returns where each shard stands.
SELECT shard, epoch, seq FROM checkpoint WHERE sale_id = %(sale_id)s ORDER BY shard FOR UPDATE;
