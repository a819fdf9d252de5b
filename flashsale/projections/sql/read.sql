-- checkpoints --
-- Where every shard stands, and who leads it.
SELECT
    c.sale_id, c.shard, c.epoch, c.seq, c.founded_epoch, c.fence, c.halted,
    CASE WHEN a.pid IS NOT NULL THEN c.holder END AS holder,
    -- A recovery gives its heartbeat in advance. greatest() would make 0 of none.
    CASE WHEN c.heartbeat_at IS NOT NULL
        THEN greatest(0, (extract(epoch FROM clock_timestamp() - c.heartbeat_at) * 1000)::bigint)
    END AS heartbeat_age_ms,
    (
        SELECT count(*) FROM parked p
        WHERE p.sale_id = c.sale_id AND p.shard = c.shard AND p.kind <> 'discarded'
    ) AS parked,
    s.archived_at IS NOT NULL AS archived,
    CASE WHEN c.founded_epoch > 0 THEN s.defined_at END
FROM checkpoint c
JOIN sales s ON s.sale_id = c.sale_id
LEFT JOIN pg_stat_activity a ON a.pid = c.backend_pid AND a.backend_start = c.backend_start
WHERE %(sale_id)s::text IS NULL OR c.sale_id = %(sale_id)s
ORDER BY c.sale_id, c.shard;

-- hold_tables --
-- In the order of apply.sql. Nobody but `replay`, which swaps partitions, is kept out.
LOCK TABLE ONLY stock, ONLY orders IN ACCESS SHARE MODE;

-- stock --
SELECT sku, available, held, sold, returned, capacity
FROM stock WHERE sale_id = %(sale_id)s AND shard = %(shard)s ORDER BY sku;

-- orders --
SELECT order_id, buyer, sku, quantity, status, reserved_ms, hold_until_ms, changed_ms, epoch, seq
FROM orders WHERE sale_id = %(sale_id)s AND shard = %(shard)s ORDER BY order_id;

-- order --
SELECT order_id, buyer, sku, quantity, status, reserved_ms, hold_until_ms, changed_ms, epoch, seq
FROM orders WHERE sale_id = %(sale_id)s AND order_id = %(order_id)s;

-- order_counts --
SELECT status, count(*) AS orders, coalesce(sum(quantity), 0)::bigint AS units
FROM orders WHERE sale_id = %(sale_id)s GROUP BY status ORDER BY status;

-- order_events --
SELECT epoch, seq, body FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND order_id = %(order_id)s
ORDER BY epoch, seq;

-- events --
-- Archived events after a position, in order.
SELECT epoch, seq, body FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND (epoch, seq) > (%(epoch)s, %(seq)s)
ORDER BY epoch, seq
LIMIT %(limit)s;

-- events_before --
-- The newest archived events before a position, newest first.
SELECT epoch, seq, body FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND (epoch, seq) < (%(epoch)s, %(seq)s)
ORDER BY epoch DESC, seq DESC
LIMIT %(limit)s;

-- latest_event --
-- The newest archived event of one type.
SELECT epoch, seq, body FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND type = %(type)s
ORDER BY epoch DESC, seq DESC
LIMIT 1;

-- acts --
-- The newest archived events of a sale that concern no order, newest first.
SELECT epoch, seq, body FROM event_log
WHERE sale_id = %(sale_id)s AND order_id IS NULL
ORDER BY epoch DESC, seq DESC, shard
LIMIT %(limit)s;

-- orders_of --
-- The newest orders of one buyer in one sale. Reads all orders of the sale: every order that is applied would pay for
-- an index of buyers, and few people ask (docs/decisions/0011-no-index-of-buyers.md).
SELECT order_id, buyer, sku, quantity, status, reserved_ms, hold_until_ms, changed_ms, epoch, seq
FROM orders WHERE sale_id = %(sale_id)s AND buyer = %(buyer)s
ORDER BY reserved_ms DESC, order_id
LIMIT %(limit)s;

-- archived_count --
SELECT count(*) FROM event_log WHERE sale_id = %(sale_id)s AND shard = %(shard)s;

-- withheld --
-- The events of one shard whose effect is kept back.
SELECT epoch, seq, order_id, sku FROM parked WHERE sale_id = %(sale_id)s AND shard = %(shard)s ORDER BY epoch, seq;

-- server_settings --
-- What decides whether this server may be written to, whether its disk can be trusted, and who gets in.
SELECT
    pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('synchronous_commit'), current_setting('data_checksums'),
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    current_setting('listen_addresses'), current_setting('default_transaction_read_only');

-- projectors --
-- Every projector that is connected, whether it leads a shard or not, and when it last said that it lives.
SELECT
    substr(a.application_name, length('flashsale projector ') + 1) AS name,
    count(c.sale_id) AS shards,
    (extract(epoch FROM clock_timestamp() - max(c.heartbeat_at)) * 1000)::bigint AS heartbeat_age_ms
FROM pg_stat_activity a
LEFT JOIN checkpoint c ON c.backend_pid = a.pid AND c.backend_start = a.backend_start AND c.holder IS NOT NULL
WHERE a.datname = current_database() AND a.application_name LIKE 'flashsale projector %%'
GROUP BY a.pid, a.application_name
ORDER BY a.application_name, a.pid;
