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
-- An insert, though nothing shall be inserted: unlike an update, it looks up each row by its key whatever the planner
-- believes. What was missing is seen by the time of its reservation.
changed AS (
    INSERT INTO orders AS o (
        sale_id, shard, order_id, buyer, sku, quantity, status, epoch, seq, reserved_ms, hold_until_ms, changed_ms
    )
    SELECT
        %(sale_id)s, %(shard)s, order_id, buyer, order_sku, quantity, status, epoch, seq, -1, -1, changed_ms
    FROM unnest(
        %(epoch)b::int[], %(seq)b::bigint[], %(quantity)b::int[], %(changed_ms)b::bigint[],
        %(order_id)b::text[], %(buyer)b::text[], %(order_sku)b::text[], %(status)b::text[]
    ) AS c (epoch, seq, quantity, changed_ms, order_id, buyer, order_sku, status)
    ON CONFLICT (sale_id, order_id) DO UPDATE SET
        status = excluded.status, epoch = excluded.epoch, seq = excluded.seq, changed_ms = excluded.changed_ms
    WHERE (o.epoch, o.seq) < (excluded.epoch, excluded.seq)
    RETURNING o.reserved_ms
)
SELECT
    (SELECT count(*) FROM changed WHERE reserved_ms >= 0) AS changed,
    EXISTS (SELECT 1 FROM parked WHERE sale_id = %(sale_id)s AND shard = %(shard)s) AS has_parked;

-- blocked --
-- Whether anything that the batch touches waits behind a dead letter.
SELECT EXISTS (
    SELECT 1 FROM parked
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s
      AND (order_id = ANY (%(order_ids)b::text[]) OR (order_id IS NULL AND sku = ANY (%(skus)b::text[])))
);
