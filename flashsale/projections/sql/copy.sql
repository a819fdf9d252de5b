-- move_checkpoint --
-- Goes first: its lock and its fence let one writer through, and only from the place it believes in.
UPDATE checkpoint
SET epoch = %(to_epoch)s, seq = %(to_seq)s, heartbeat_at = clock_timestamp()
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND fence = %(fence)s
  AND epoch = %(from_epoch)s AND seq = %(from_seq)s;

-- events --
-- The archive. A row that it has already is refused, and with it the transaction.
COPY event_log (
    epoch, seq, at_ms, quantity, available, held, sold, returned, hold_until_ms, order_id, buyer, body,
    sale_id, shard, type, version, actor, sku
) FROM STDIN (FORMAT BINARY);

-- orders --
-- The orders that begin in the batch, as they are at its end. One that is there already is refused likewise.
COPY orders (
    epoch, seq, quantity, reserved_ms, hold_until_ms, changed_ms, order_id, buyer, sale_id, shard, sku, status
) FROM STDIN (FORMAT BINARY);

-- effects --
-- What the batch does to orders that began before it, and to stock; how many of the orders it found as they should be.
WITH changed_stock AS (
    SELECT * FROM unnest(
        %(sku)b::text[], %(stock_epoch)b::int[], %(stock_seq)b::bigint[], %(available)b::int[], %(held)b::int[],
        %(sold)b::int[], %(returned)b::int[], %(capacity)b::int[]
    ) AS l (sku, epoch, seq, available, held, sold, returned, capacity)
),
-- as in apply.stock_now --
changed AS (
    UPDATE orders o
    SET status = c.status, epoch = c.epoch, seq = c.seq, changed_ms = c.changed_ms
    FROM unnest(
        %(order_id)b::text[], %(status)b::text[], %(epoch)b::int[], %(seq)b::bigint[], %(changed_ms)b::bigint[]
    ) AS c (order_id, status, epoch, seq, changed_ms)
    WHERE o.sale_id = %(sale_id)s AND o.order_id = c.order_id AND (o.epoch, o.seq) < (c.epoch, c.seq)
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM changed) AS changed,
    EXISTS (
        SELECT 1 FROM parked
        WHERE sale_id = %(sale_id)s AND shard = %(shard)s
          AND (order_id = ANY (%(orders)b::text[]) OR (order_id IS NULL AND sku = ANY (%(sku)b::text[])))
    ) AS is_blocked;
