-- groups_of_errors --
-- Parked events by what is wrong with them; each with the followers that wait behind events of its order or SKU.
-- A follower counts for the first event of its order or SKU; one whose first event is gone stands for itself.
WITH letters AS (
    SELECT
        sale_id, shard, epoch, seq, kind, error_class, error, attempts, first_at, last_at,
        row_number() OVER of_order AS place,
        count(*) FILTER (WHERE kind = 'follower') OVER of_order AS followers,
        count(*) FILTER (WHERE kind = 'poison') OVER of_order AS poisons
    FROM (SELECT *, CASE WHEN order_id IS NULL THEN coalesce(sku, epoch || '-' || seq) END AS other FROM parked) p
    WHERE %(sale_id)s::text IS NULL OR sale_id = %(sale_id)s
    WINDOW of_order AS (
        PARTITION BY sale_id, shard, order_id, other ORDER BY epoch, seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
SELECT
    sale_id, shard, kind, error_class, error, count(*) AS events,
    coalesce(sum(followers) FILTER (WHERE kind = 'poison' AND place = 1), 0)::bigint AS followers,
    max(attempts) AS attempts,
    (extract(epoch FROM min(first_at)) * 1000)::bigint AS first_ms,
    (extract(epoch FROM max(last_at)) * 1000)::bigint AS last_ms,
    (array_agg(epoch ORDER BY epoch, seq))[1] AS epoch,
    (array_agg(seq ORDER BY epoch, seq))[1] AS seq
FROM letters
WHERE kind <> 'follower' OR poisons = 0
GROUP BY sale_id, shard, kind, error_class, error
ORDER BY sale_id, shard, kind = 'discarded', epoch, seq
LIMIT %(limit)s;

-- letter --
-- One parked event.
SELECT
    p.kind, p.order_id, p.sku, p.error_class, p.error, p.attempts,
    (extract(epoch FROM p.first_at) * 1000)::bigint, (extract(epoch FROM p.last_at) * 1000)::bigint, e.body
FROM parked p
JOIN event_log e USING (sale_id, shard, epoch, seq)
WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND p.epoch = %(epoch)s AND p.seq = %(seq)s;

-- parked_between --
-- What is parked between two positions, both included.
SELECT epoch, seq, order_id, error_class, error
FROM parked
WHERE sale_id = %(sale_id)s AND shard = %(shard)s
  AND (epoch, seq) BETWEEN (%(first_epoch)s, %(first_seq)s) AND (%(last_epoch)s, %(last_seq)s);

-- audit --
-- What was done with one event.
SELECT action, error_class, error, reason, actor, (extract(epoch FROM at) * 1000)::bigint
FROM dead_letter_audit
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s AND seq = %(seq)s
ORDER BY audit_id;

-- lines --
-- What may be retried: the first place of each order, of each SKU's stock events, and of every other event.
-- Stock first: an order's counters are measured against the capacity that these give.
SELECT order_id, stock_sku, epoch, seq
FROM (
    SELECT DISTINCT ON (order_id, stock_sku, other) order_id, stock_sku, epoch, seq
    FROM (
        SELECT
            order_id, epoch, seq, CASE WHEN order_id IS NULL THEN sku END AS stock_sku,
            CASE WHEN order_id IS NULL AND sku IS NULL THEN epoch || '-' || seq END AS other
        FROM parked
        WHERE sale_id = %(sale_id)s AND shard = %(shard)s
          AND CASE
              WHEN %(seq)s::bigint IS NOT NULL THEN epoch = %(epoch)s AND seq = %(seq)s
              ELSE kind <> 'discarded' AND (%(error_class)s::text IS NULL OR error_class = %(error_class)s)
          END
    ) chosen
    ORDER BY order_id, stock_sku, other, epoch, seq
) lines
ORDER BY order_id IS NOT NULL, epoch, seq
LIMIT %(limit)s;

-- line --
-- All that is parked of one order, of the stock of one SKU, or one event alone; in order.
SELECT p.epoch, p.seq, p.kind, e.body
FROM parked p
JOIN event_log e USING (sale_id, shard, epoch, seq)
WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s
  AND (
      p.order_id = %(order_id)s
      OR (p.order_id IS NULL AND p.sku = %(stock_sku)s)
      OR (p.epoch = %(epoch)s AND p.seq = %(seq)s)
  )
ORDER BY p.epoch, p.seq
LIMIT %(limit)s;

-- unnamed --
-- Parked events of which it is not known to what order or SKU they belong; of those discarded, only the chosen one.
SELECT p.epoch, p.seq, e.body
FROM parked p
JOIN event_log e USING (sale_id, shard, epoch, seq)
WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND p.order_id IS NULL AND p.sku IS NULL
  AND (p.kind <> 'discarded' OR (p.epoch = %(chosen_epoch)s AND p.seq = %(chosen_seq)s))
  AND (p.epoch, p.seq) > (%(epoch)s, %(seq)s)
ORDER BY p.epoch, p.seq
LIMIT %(limit)s;

-- name --
-- Note to what an event belongs that could not be read when it was parked.
WITH
-- as in apply.batch --
-- as in dead_letters.reread --
named AS (
    UPDATE parked p
    SET order_id = b.order_id, sku = b.sku
    FROM batch b
    WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND p.epoch = b.epoch AND p.seq = b.seq
)
SELECT 1;

-- reread --
-- Part of several statements: copy what the bodies say now to where it is looked up. Bodies never change.
archived_now AS (
    UPDATE event_log e
    SET type = b.type, version = b.version, at_ms = b.at_ms, actor = b.actor, order_id = b.order_id, buyer = b.buyer,
        sku = b.sku, quantity = b.quantity, available = b.available, held = b.held, sold = b.sold,
        returned = b.returned, hold_until_ms = b.hold_until_ms
    FROM batch b
    WHERE e.sale_id = %(sale_id)s AND e.shard = %(shard)s AND e.epoch = b.epoch AND e.seq = b.seq
      AND (
          e.type, e.version, e.at_ms, e.actor, e.order_id, e.buyer, e.sku, e.quantity,
          e.available, e.held, e.sold, e.returned, e.hold_until_ms
      ) IS DISTINCT FROM (
          b.type, b.version, b.at_ms, b.actor, b.order_id, b.buyer, b.sku, b.quantity,
          b.available, b.held, b.sold, b.returned, b.hold_until_ms
      )
),

-- retry --
-- Apply one parked event as the projector would have, whatever the archive and the checkpoint have seen.
WITH
-- as in apply.batch --
-- as in dead_letters.reread --
freed AS (
    DELETE FROM parked p
    USING batch b
    WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND p.epoch = b.epoch AND p.seq = b.seq
    RETURNING p.epoch, p.seq, p.error_class, p.error
),
audited AS (
    INSERT INTO dead_letter_audit (sale_id, shard, epoch, seq, action, error_class, error, actor)
    SELECT %(sale_id)s, %(shard)s, epoch, seq, 'retried', error_class, error, %(by)s
    FROM freed
),
blocked_sku AS MATERIALIZED (
    SELECT DISTINCT sku FROM parked
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND order_id IS NULL AND sku IS NOT NULL
),
effective AS MATERIALIZED (SELECT * FROM batch),
-- as in apply.effects --
SELECT 1;

-- release_stock --
-- Once nothing of a SKU's stock is parked any more: its row is what the newest event says that is in effect.
INSERT INTO stock AS s (sale_id, shard, sku, epoch, seq, available, held, sold, returned, capacity)
SELECT
    %(sale_id)s, %(shard)s, %(stock_sku)s, newest.epoch, newest.seq,
    newest.available, newest.held, newest.sold, newest.returned, resized.capacity
FROM (
    SELECT e.epoch, e.seq, e.available, e.held, e.sold, e.returned
    FROM event_log e
    LEFT JOIN parked p USING (sale_id, shard, epoch, seq)
    WHERE e.sale_id = %(sale_id)s AND e.shard = %(shard)s AND e.sku = %(stock_sku)s AND p.seq IS NULL
    ORDER BY e.epoch DESC, e.seq DESC
    LIMIT 1
) newest
CROSS JOIN (
    SELECT e.available + e.held + e.sold + e.returned AS capacity
    FROM event_log e
    LEFT JOIN parked p USING (sale_id, shard, epoch, seq)
    WHERE e.sale_id = %(sale_id)s AND e.shard = %(shard)s AND e.sku = %(stock_sku)s AND p.seq IS NULL
      AND e.type IN ('stock.loaded', 'stock.added', 'stock.removed')
    ORDER BY e.epoch DESC, e.seq DESC
    LIMIT 1
) resized
WHERE NOT EXISTS (
    SELECT 1 FROM parked
    WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND order_id IS NULL AND sku = %(stock_sku)s
)
ON CONFLICT (sale_id, sku) DO UPDATE SET
    epoch = excluded.epoch, seq = excluded.seq, available = excluded.available, held = excluded.held,
    sold = excluded.sold, returned = excluded.returned, capacity = excluded.capacity;

-- refused_again --
-- It stays parked, and those behind it with it. What was discarded stays so.
UPDATE parked
SET kind = CASE kind WHEN 'discarded' THEN kind ELSE 'poison' END,
    attempts = attempts + 1, last_at = clock_timestamp(), error_class = %(error_class)s, error = %(error)s
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND epoch = %(epoch)s AND seq = %(seq)s;

-- discard --
-- One parked event and those of its order, or of its SKU's stock, that came later.
WITH discarded AS (
    UPDATE parked p
    SET kind = 'discarded'
    FROM parked chosen
    WHERE chosen.sale_id = %(sale_id)s AND chosen.shard = %(shard)s
      AND chosen.epoch = %(epoch)s AND chosen.seq = %(seq)s
      AND p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND p.kind <> 'discarded'
      AND (p.epoch, p.seq) >= (chosen.epoch, chosen.seq)
      AND (
          p.order_id = chosen.order_id
          OR (p.order_id IS NULL AND chosen.order_id IS NULL AND p.sku = chosen.sku)
          OR (p.epoch, p.seq) = (chosen.epoch, chosen.seq)
      )
    RETURNING p.epoch, p.seq, p.error_class, p.error
),
audited AS (
    INSERT INTO dead_letter_audit (sale_id, shard, epoch, seq, action, error_class, error, reason, actor)
    SELECT %(sale_id)s, %(shard)s, epoch, seq, 'discarded', error_class, error, %(reason)s, %(by)s
    FROM discarded
    ORDER BY epoch, seq
)
SELECT epoch, seq FROM discarded ORDER BY epoch, seq;

-- followers --
-- What waits behind one parked event.
SELECT p.epoch, p.seq, p.kind, e.type
FROM parked chosen
JOIN parked p
    ON p.sale_id = chosen.sale_id AND p.shard = chosen.shard AND (p.epoch, p.seq) > (chosen.epoch, chosen.seq)
    AND (p.order_id = chosen.order_id OR (p.order_id IS NULL AND chosen.order_id IS NULL AND p.sku = chosen.sku))
JOIN event_log e
    ON e.sale_id = p.sale_id AND e.shard = p.shard AND e.epoch = p.epoch AND e.seq = p.seq
WHERE chosen.sale_id = %(sale_id)s AND chosen.shard = %(shard)s
  AND chosen.epoch = %(epoch)s AND chosen.seq = %(seq)s
ORDER BY p.epoch, p.seq
LIMIT %(limit)s;

-- unpublished --
-- Parked events behind a place, in order: what the stream of dead letters does not have yet.
SELECT p.epoch, p.seq, p.error_class, p.error, e.body
FROM parked p
JOIN event_log e USING (sale_id, shard, epoch, seq)
WHERE p.sale_id = %(sale_id)s AND p.shard = %(shard)s AND (p.epoch, p.seq) > (%(epoch)s, %(seq)s)
ORDER BY p.epoch, p.seq
LIMIT %(limit)s;
