-- compared --
-- A comparison came to its end; what was missed before it is over.
INSERT INTO comparison (sale_id, shard, compared_at, compared_by, epoch, seq, differences, told)
VALUES (
    %(sale_id)s, %(shard)s, clock_timestamp(), %(by)s, %(epoch)s, %(seq)s, %(differences)s, %(told)s::text[]
)
ON CONFLICT (sale_id, shard) DO UPDATE SET
    compared_at = excluded.compared_at, compared_by = excluded.compared_by, epoch = excluded.epoch,
    seq = excluded.seq, differences = excluded.differences, told = excluded.told,
    missed_at = NULL, missed_by = NULL, missed = NULL;

-- missed --
-- One was tried, and nothing could be compared: what was found before stays.
INSERT INTO comparison (sale_id, shard, missed_at, missed_by, missed)
VALUES (%(sale_id)s, %(shard)s, clock_timestamp(), %(by)s, %(why)s)
ON CONFLICT (sale_id, shard) DO UPDATE SET
    missed_at = excluded.missed_at, missed_by = excluded.missed_by, missed = excluded.missed;

-- every --
SELECT
    sale_id, shard,
    (extract(epoch FROM compared_at) * 1000)::bigint, compared_by, epoch, seq, differences, told,
    (extract(epoch FROM missed_at) * 1000)::bigint, missed_by, missed
FROM comparison
WHERE %(sale_id)s::text IS NULL OR sale_id = %(sale_id)s
ORDER BY sale_id, shard;
