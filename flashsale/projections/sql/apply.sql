-- apply_batch --
-- One batch of consecutive events of one shard: archive, orders, stock, dead letters and checkpoint, or nothing.
-- The checkpoint row goes first: its lock and its fence let one writer through, and only from the place it believes in.
-- Orders and stock are fed from the rows the archive did not have, one row a key, keys sorted: a repeat changes nothing.
WITH
-- as in apply.batch --
moved AS (
    UPDATE checkpoint
    SET epoch = %(to_epoch)s, seq = %(to_seq)s, heartbeat_at = clock_timestamp()
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND fence = %(fence)s
      AND epoch = %(from_epoch)s AND seq = %(from_seq)s
    RETURNING 1
),
archived AS (
    INSERT INTO event_log (
        sale_id, shard, epoch, seq, type, version, at_ms, actor, order_id, buyer, sku, quantity,
        available, held, sold, returned, hold_until_ms, body
    )
    SELECT
        %(sale_id)s, %(shard)s, epoch, seq, type, version, at_ms, actor, order_id, buyer, sku, quantity,
        available, held, sold, returned, hold_until_ms, body
    FROM batch
    WHERE EXISTS (SELECT 1 FROM moved)
    ORDER BY epoch, seq
    ON CONFLICT DO NOTHING
    RETURNING epoch, seq, type, at_ms, order_id, buyer, sku, quantity, available, held, sold, returned, hold_until_ms
),
blocked AS MATERIALIZED (
    SELECT order_id, sku FROM parked WHERE sale_id = %(sale_id)s AND shard = %(shard)s
),
blocked_order AS MATERIALIZED (
    SELECT DISTINCT order_id FROM blocked WHERE order_id IS NOT NULL
),
-- A parked stock event withholds its SKU's stock row; orders of the SKU go on.
blocked_sku AS MATERIALIZED (
    SELECT DISTINCT sku FROM blocked WHERE order_id IS NULL AND sku IS NOT NULL
),
withheld AS MATERIALIZED (
    SELECT epoch, seq, order_id, sku
    FROM archived
    WHERE %(error)s::text IS NOT NULL
       OR order_id IN (SELECT order_id FROM blocked_order)
       OR (type LIKE 'stock.%%' AND sku IN (SELECT sku FROM blocked_sku))
),
parked_now AS (
    INSERT INTO parked (sale_id, shard, epoch, seq, kind, order_id, sku, attempts, error_class, error)
    SELECT
        %(sale_id)s, %(shard)s, epoch, seq,
        CASE WHEN %(error)s::text IS NULL THEN 'follower' ELSE 'poison' END,
        order_id, sku, %(attempts)s,
        coalesce(%(error_class)s, 'follower'), coalesce(%(error)s, 'waits for an earlier event that is parked')
    FROM withheld
    RETURNING 1
),
effective AS MATERIALIZED (
    SELECT * FROM archived WHERE (epoch, seq) NOT IN (SELECT epoch, seq FROM withheld)
),
-- as in apply.effects --
SELECT
    (SELECT count(*) FROM moved) AS moved,
    (SELECT count(*) FROM archived) AS archived,
    (SELECT count(*) FROM parked_now) AS parked;

-- forked --
-- The first places where the archive holds another event than the batch does.
SELECT b.epoch, b.seq
FROM unnest(%(epoch)b::int[], %(seq)b::bigint[], %(body)b::bytea[]) AS b (epoch, seq, body)
JOIN event_log e ON e.sale_id = %(sale_id)s AND e.shard = %(shard)s AND e.epoch = b.epoch AND e.seq = b.seq
WHERE e.body <> b.body
ORDER BY b.epoch, b.seq
LIMIT 1;

-- lock_shard --
-- First, in a statement of its own: a writer that waited for another one must see what that one did.
SELECT 1 FROM checkpoint WHERE sale_id = %(sale_id)s AND shard = %(shard)s FOR UPDATE;

-- batch --
-- Part of several statements: the rows given.
batch AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(epoch)b::int[], %(seq)b::bigint[], %(type)b::text[], %(version)b::int2[], %(at_ms)b::bigint[],
        %(actor)b::text[], %(order_id)b::text[], %(buyer)b::text[], %(sku)b::text[], %(quantity)b::int[],
        %(available)b::int[], %(held)b::int[], %(sold)b::int[], %(returned)b::int[], %(hold_until_ms)b::bigint[],
        %(body)b::bytea[]
    ) AS b (
        epoch, seq, type, version, at_ms, actor, order_id, buyer, sku, quantity,
        available, held, sold, returned, hold_until_ms, body
    )
),

-- effects --
-- Part of several statements: what the rows `effective` do to stock and orders, and what `blocked_sku` keeps back.
latest_stock AS (
    SELECT DISTINCT ON (sku) sku, epoch, seq, available, held, sold, returned
    FROM effective
    WHERE sku IS NOT NULL AND sku NOT IN (SELECT sku FROM blocked_sku)
    ORDER BY sku, epoch DESC, seq DESC
),
resized AS (
    SELECT DISTINCT ON (sku) sku, available + held + sold + returned AS capacity
    FROM effective
    WHERE type IN ('stock.loaded', 'stock.added', 'stock.removed')
    ORDER BY sku, epoch DESC, seq DESC
),
changed_stock AS (
    SELECT l.*, r.capacity FROM latest_stock l LEFT JOIN resized r ON r.sku = l.sku
),
-- as in apply.stock_now --
latest_order AS (
    SELECT DISTINCT ON (order_id)
        order_id, epoch, seq, type, at_ms, buyer, sku, quantity,
        max(at_ms) FILTER (WHERE type = 'order.reserved') OVER (PARTITION BY order_id) AS reserved_ms,
        max(hold_until_ms) OVER (PARTITION BY order_id) AS hold_until_ms
    FROM effective
    WHERE order_id IS NOT NULL
    ORDER BY order_id, epoch DESC, seq DESC
),
orders_now AS (
    INSERT INTO orders AS o (
        sale_id, shard, order_id, buyer, sku, quantity, status, epoch, seq, reserved_ms, hold_until_ms, changed_ms
    )
    SELECT
        %(sale_id)s, %(shard)s, l.order_id, l.buyer, l.sku, l.quantity,
        CASE l.type WHEN 'order.reserved' THEN 'held' ELSE substr(l.type, 7) END,
        l.epoch, l.seq,
        coalesce(l.reserved_ms, before.reserved_ms), coalesce(l.hold_until_ms, before.hold_until_ms), l.at_ms
    FROM latest_order l
    LEFT JOIN orders before
        ON l.reserved_ms IS NULL AND before.sale_id = %(sale_id)s AND before.order_id = l.order_id
    ORDER BY l.order_id
    ON CONFLICT (sale_id, order_id) DO UPDATE SET
        status = excluded.status, epoch = excluded.epoch, seq = excluded.seq, changed_ms = excluded.changed_ms
    WHERE (o.epoch, o.seq) < (excluded.epoch, excluded.seq)
)

-- stock_now --
-- Part of several statements: `changed_stock`, one row a SKU, into the table. Capacity is null where it stays.
stock_now AS (
    INSERT INTO stock AS s (sale_id, shard, sku, epoch, seq, available, held, sold, returned, capacity)
    SELECT
        %(sale_id)s, %(shard)s, l.sku, l.epoch, l.seq, l.available, l.held, l.sold, l.returned,
        coalesce(l.capacity, before.capacity)
    FROM changed_stock l
    LEFT JOIN stock before ON before.sale_id = %(sale_id)s AND before.sku = l.sku
    -- Checks come before conflicts: an older event must not be measured against a newer capacity.
    WHERE before.sku IS NULL OR (before.epoch, before.seq) < (l.epoch, l.seq)
    ORDER BY l.sku
    ON CONFLICT (sale_id, sku) DO UPDATE SET
        epoch = excluded.epoch, seq = excluded.seq, available = excluded.available, held = excluded.held,
        sold = excluded.sold, returned = excluded.returned, capacity = excluded.capacity
    WHERE (s.epoch, s.seq) < (excluded.epoch, excluded.seq)
),
