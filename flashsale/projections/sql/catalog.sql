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

-- sale --
SELECT sale_id, title, currency, opens_ms, closes_ms, hold_ms, shards FROM sales WHERE sale_id = %(sale_id)s;

-- items --
SELECT sku, title, quantity, unit_price_minor, buyer_limit
FROM sale_items WHERE sale_id = %(sale_id)s ORDER BY line;

-- sales --
SELECT sale_id, title, currency, opens_ms, closes_ms, hold_ms, shards FROM sales ORDER BY defined_at, sale_id;

-- shards --
-- Every shard with the position up to which it is applied: the fence a new client begins with.
SELECT sale_id, shard, epoch, seq FROM checkpoint ORDER BY sale_id, shard;

-- running_shards --
-- The shards that a sweeper looks after.
SELECT c.sale_id, c.shard, c.epoch, c.seq
FROM checkpoint c
JOIN sales s ON s.sale_id = c.sale_id
WHERE s.archived_at IS NULL
ORDER BY c.sale_id, c.shard;

-- mark_archived --
-- The first time stays: a repeat after a lost reply is the same archiving.
UPDATE sales SET archived_at = CASE WHEN %(archived)s THEN coalesce(archived_at, now()) END
WHERE sale_id = %(sale_id)s;

-- update_sale --
-- Keep the definition in step with a reconfigured sale.
UPDATE sales
SET opens_ms = coalesce(%(opens_ms)s, opens_ms), closes_ms = coalesce(%(closes_ms)s, closes_ms),
    hold_ms = coalesce(%(hold_ms)s, hold_ms)
WHERE sale_id = %(sale_id)s;
