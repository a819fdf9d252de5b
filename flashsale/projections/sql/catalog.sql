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

-- update_sale --
-- Keep the definition in step with a reconfigured sale.
UPDATE sales
SET opens_ms = coalesce(%(opens_ms)s, opens_ms), closes_ms = coalesce(%(closes_ms)s, closes_ms),
    hold_ms = coalesce(%(hold_ms)s, hold_ms)
WHERE sale_id = %(sale_id)s;
