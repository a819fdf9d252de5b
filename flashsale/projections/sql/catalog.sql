-- insert_sale --
INSERT INTO sales (sale_id, title, currency, opens_ms, closes_ms, hold_ms, shards)
VALUES (%(sale_id)s, %(title)s, %(currency)s, %(opens_ms)s, %(closes_ms)s, %(hold_ms)s, %(shards)s)
ON CONFLICT DO NOTHING
RETURNING 1;

-- insert_items --
INSERT INTO sale_items (sale_id, sku, line, title, quantity, unit_price_minor, buyer_limit)
SELECT %(sale_id)s, sku, line, title, quantity, unit_price_minor, buyer_limit
FROM unnest(
    %(sku)s::text[], %(line)s::int[], %(title)s::text[], %(quantity)s::int[], %(unit_price_minor)s::bigint[],
    %(buyer_limit)s::int[]
) AS i (sku, line, title, quantity, unit_price_minor, buyer_limit);

-- insert_checkpoints --
INSERT INTO checkpoint (sale_id, shard)
SELECT %(sale_id)s, shard FROM generate_series(0, %(shards)s - 1) AS shard;

-- insert_projection --
INSERT INTO projection (sale_id, name, version, live_table)
VALUES (%(sale_id)s, %(name)s, %(version)s, %(live_table)s);

-- definitions --
-- Sales with what they sell, oldest first; those that are named, or all: however many, in one statement.
SELECT
    s.sale_id, s.title, s.currency, s.opens_ms, s.closes_ms, s.hold_ms, s.shards,
    i.sku, i.title, i.quantity, i.unit_price_minor, i.buyer_limit
FROM sales s
CROSS JOIN LATERAL (
    SELECT
        array_agg(sku ORDER BY line) AS sku, array_agg(title ORDER BY line) AS title,
        array_agg(quantity ORDER BY line) AS quantity, array_agg(unit_price_minor ORDER BY line) AS unit_price_minor,
        array_agg(buyer_limit ORDER BY line) AS buyer_limit
    FROM sale_items WHERE sale_id = s.sale_id
) i
WHERE %(sale_ids)s::text[] IS NULL OR s.sale_id = ANY(%(sale_ids)s::text[])
ORDER BY s.defined_at, s.sale_id;

-- due --
-- Sales that open by themselves before `until_ms`, do not close before `now_ms`, and were never warmed; soonest first.
SELECT s.sale_id
FROM sales s
JOIN checkpoint c ON c.sale_id = s.sale_id AND c.shard = 0
WHERE s.opens_ms BETWEEN 1 AND %(until_ms)s
  AND (s.closes_ms = 0 OR s.closes_ms > %(now_ms)s)
  AND s.archived_at IS NULL
  AND c.founded_epoch = 0
ORDER BY s.opens_ms, s.sale_id;

-- fences --
-- Every shard with the highest position that its log is known to have reached: applied, or founded and not applied yet.
-- And its origin, once it was founded: before, the log may be that of another definition, stored in another database.
-- `all`: also those of archived sales, which daemons leave alone.
SELECT
    c.sale_id, c.shard, greatest(c.epoch, c.founded_epoch), CASE WHEN c.epoch < c.founded_epoch THEN 1 ELSE c.seq END,
    CASE WHEN c.founded_epoch > 0 THEN s.defined_at END
FROM checkpoint c
JOIN sales s ON s.sale_id = c.sale_id
WHERE %(all)s OR s.archived_at IS NULL
ORDER BY c.sale_id, c.shard;

-- found --
-- Say that a shard's log is about to be founded in this epoch; no row when another epoch was founded meanwhile.
UPDATE checkpoint SET founded_epoch = %(epoch)s
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND founded_epoch = %(before)s
RETURNING 1;

-- founded --
SELECT founded_epoch FROM checkpoint WHERE sale_id = %(sale_id)s AND shard = %(shard)s;

-- origin --
SELECT defined_at FROM sales WHERE sale_id = %(sale_id)s;

-- adopt --
-- The sale was defined before, in a database that is gone: it is that sale, unless a log of it was founded from here.
UPDATE sales s SET defined_at = %(origin)s::timestamptz
WHERE s.sale_id = %(sale_id)s
  AND NOT EXISTS (SELECT 1 FROM checkpoint c WHERE c.sale_id = s.sale_id AND c.founded_epoch > 0);

-- mark_archived --
-- The first time stays: a repeat after a lost reply is the same archiving.
UPDATE sales SET archived_at = CASE WHEN %(archived)s THEN coalesce(archived_at, now()) END
WHERE sale_id = %(sale_id)s;

-- lock_sale --
-- One keeps a definition in step at a time: whoever comes later has looked later.
SELECT 1 FROM sales WHERE sale_id = %(sale_id)s FOR NO KEY UPDATE;

-- update_sale --
-- Keep the definition in step with a reconfigured sale.
UPDATE sales SET opens_ms = %(opens_ms)s, closes_ms = %(closes_ms)s, hold_ms = %(hold_ms)s
WHERE sale_id = %(sale_id)s;

-- update_limits --
-- The same for limits of buyers.
UPDATE sale_items i SET buyer_limit = l.buyer_limit
FROM unnest(%(sku)s::text[], %(buyer_limit)s::int[]) AS l (sku, buyer_limit)
WHERE i.sale_id = %(sale_id)s AND i.sku = l.sku;
