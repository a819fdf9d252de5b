-- orders_chunk --
-- The orders of one range of the archive into a table of one sale, as apply.sql would have left them. An order begins
-- with its reservation, so what has none in the range is there already; if not, the table lacked it before.
WITH latest AS MATERIALIZED (
    SELECT DISTINCT ON (order_id COLLATE "C")
        order_id, seq, type, at_ms, buyer, sku, quantity,
        max(at_ms) FILTER (WHERE type = 'order.reserved') OVER (PARTITION BY order_id COLLATE "C") AS reserved_ms,
        max(hold_until_ms) OVER (PARTITION BY order_id COLLATE "C") AS hold_until_ms
    FROM event_log e
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s
      AND epoch = %(epoch)s AND seq > %(from_seq)s AND seq <= %(to_seq)s
      AND order_id IS NOT NULL
      AND NOT EXISTS (
          SELECT 1 FROM parked p
          WHERE p.sale_id = e.sale_id AND p.shard = e.shard AND p.epoch = e.epoch AND p.seq = e.seq
      )
    ORDER BY order_id COLLATE "C", seq DESC
),
new_now AS (
    INSERT INTO {table} (
        sale_id, shard, order_id, buyer, sku, quantity, status, epoch, seq, reserved_ms, hold_until_ms, changed_ms
    )
    SELECT
        %(sale_id)s, %(shard)s, order_id, buyer, sku, quantity,
        CASE type WHEN 'order.reserved' THEN 'held' ELSE substr(type, 7) END,
        %(epoch)s, seq, reserved_ms, hold_until_ms, at_ms
    FROM latest
    WHERE reserved_ms IS NOT NULL
    ON CONFLICT (sale_id, order_id) DO UPDATE SET
        status = excluded.status, epoch = excluded.epoch, seq = excluded.seq, changed_ms = excluded.changed_ms
)
UPDATE {table} o
SET status = substr(l.type, 7), epoch = %(epoch)s, seq = l.seq, changed_ms = l.at_ms
FROM latest l
WHERE l.reserved_ms IS NULL AND o.sale_id = %(sale_id)s AND o.order_id = l.order_id;

-- stock_chunk --
-- The counters at the end of one range of the archive. A parked stock event withholds its SKU's row from there on.
WITH blocked AS MATERIALIZED (
    SELECT DISTINCT ON (sku) sku, epoch, seq
    FROM parked
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND order_id IS NULL AND sku IS NOT NULL
    ORDER BY sku, epoch, seq
),
latest AS MATERIALIZED (
    SELECT
        e.sku, max(e.seq) AS seq,
        max(e.seq) FILTER (WHERE e.type IN ('stock.loaded', 'stock.added', 'stock.removed')) AS resized_seq
    FROM event_log e
    LEFT JOIN blocked b ON b.sku = e.sku
    WHERE e.sale_id = %(sale_id)s AND e.shard = %(shard)s
      AND e.epoch = %(epoch)s AND e.seq > %(from_seq)s AND e.seq <= %(to_seq)s
      AND e.sku IS NOT NULL
      AND (b.sku IS NULL OR (e.epoch, e.seq) < (b.epoch, b.seq))
      AND NOT EXISTS (
          SELECT 1 FROM parked p
          WHERE p.sale_id = e.sale_id AND p.shard = e.shard AND p.epoch = e.epoch AND p.seq = e.seq
      )
    GROUP BY e.sku
)
INSERT INTO {table} (sale_id, shard, sku, epoch, seq, available, held, sold, returned, capacity)
SELECT
    %(sale_id)s, %(shard)s, l.sku, %(epoch)s, l.seq, e.available, e.held, e.sold, e.returned,
    coalesce(r.capacity, before.capacity)
FROM latest l
-- LIMIT keeps the planner from reading the whole archive for the rows of a few SKUs.
CROSS JOIN LATERAL (
    SELECT available, held, sold, returned FROM event_log
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s AND seq = l.seq
    LIMIT 1
) e
LEFT JOIN LATERAL (
    SELECT available + held + sold + returned AS capacity FROM event_log
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s AND seq = l.resized_seq
    LIMIT 1
) r ON true
LEFT JOIN {table} before ON before.sale_id = %(sale_id)s AND before.sku = l.sku
WHERE r.capacity IS NOT NULL OR before.sku IS NOT NULL
ON CONFLICT (sale_id, sku) DO UPDATE SET
    epoch = excluded.epoch, seq = excluded.seq, available = excluded.available, held = excluded.held,
    sold = excluded.sold, returned = excluded.returned, capacity = excluded.capacity;

-- orders_differences --
-- Rows in which two tables of one sale differ, and how many there are; only the first of them with what they say.
SELECT count(*) OVER (), coalesce(l.order_id, n.order_id) AS key, to_jsonb(l), to_jsonb(n)
FROM {live} l
FULL JOIN {new} n ON n.order_id = l.order_id
WHERE l.* IS DISTINCT FROM n.*
ORDER BY key
LIMIT %(limit)s;

-- stock_differences --
-- The same for SKUs.
SELECT count(*) OVER (), coalesce(l.sku, n.sku) AS key, to_jsonb(l), to_jsonb(n)
FROM {live} l
FULL JOIN {new} n ON n.sku = l.sku
WHERE l.* IS DISTINCT FROM n.*
ORDER BY key
LIMIT %(limit)s;

-- stock_content --
-- What a state hash is made of, in its order.
SELECT sku, available, held, sold, returned, capacity FROM {table} ORDER BY sku COLLATE "C";

-- orders_content --
-- The same of the orders.
SELECT order_id, status, sku, quantity, buyer, hold_until_ms FROM {table} ORDER BY order_id COLLATE "C";

-- order_totals --
SELECT status, count(*), sum(quantity)::bigint FROM {table} GROUP BY status ORDER BY status;

-- archived_between --
-- How many events the archive holds in a range of one epoch, and where that epoch ends.
SELECT
    (
        SELECT count(*) FROM event_log
        WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s
          AND seq > %(from_seq)s AND seq <= %(to_seq)s
    ),
    (SELECT max(seq) FROM event_log WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s);

-- archived_up_to --
SELECT count(*) FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND (epoch, seq) <= (%(epoch)s, %(seq)s);

-- archive_at --
-- The last position before the first event that is later than a time; no row: nothing is later.
SELECT b.epoch, b.seq
FROM (
    SELECT epoch, seq FROM event_log
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND at_ms > %(at_ms)s
    ORDER BY epoch, seq LIMIT 1
) later
LEFT JOIN LATERAL (
    SELECT epoch, seq FROM event_log
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND (epoch, seq) < (later.epoch, later.seq)
    ORDER BY epoch DESC, seq DESC LIMIT 1
) b ON true;

-- kinds --
-- What a sale's archive holds of what could be decoded; where Postgres refused the values, there is no version.
SELECT DISTINCT type, version FROM event_log
WHERE sale_id = %(sale_id)s AND version IS NOT NULL
ORDER BY type, version;
