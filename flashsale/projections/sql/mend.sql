-- archive --
-- Archived events with every column that was decoded from them.
SELECT
    epoch, seq, body,
    type, version, at_ms, actor, order_id, buyer, sku, quantity, available, held, sold, returned, hold_until_ms
FROM event_log
WHERE sale_id = %(sale_id)s AND shard = %(shard)s
  AND (epoch, seq) > (%(epoch)s, %(seq)s) AND (epoch, seq) <= (%(to_epoch)s, %(to_seq)s)
ORDER BY epoch, seq
LIMIT %(limit)s;

-- lock --
-- Keep the projector out until the transaction ends, and see where it stands.
SELECT epoch, seq FROM checkpoint WHERE sale_id = %(sale_id)s AND shard = %(shard)s FOR UPDATE;

-- put_event --
-- An archived event as its bytes have it.
INSERT INTO event_log AS e (
    sale_id, shard, epoch, seq, type, version, at_ms, actor, order_id, buyer, sku, quantity,
    available, held, sold, returned, hold_until_ms, body
)
VALUES (
    %(sale_id)s, %(shard)s, %(epoch)s, %(seq)s, %(type)s, %(version)s, %(at_ms)s, %(actor)s, %(order_id)s, %(buyer)s,
    %(sku)s, %(quantity)s, %(available)s, %(held)s, %(sold)s, %(returned)s, %(hold_until_ms)s, %(body)b
)
ON CONFLICT (sale_id, shard, epoch, seq) DO UPDATE SET
    type = excluded.type, version = excluded.version, at_ms = excluded.at_ms, actor = excluded.actor,
    order_id = excluded.order_id, buyer = excluded.buyer, sku = excluded.sku, quantity = excluded.quantity,
    available = excluded.available, held = excluded.held, sold = excluded.sold, returned = excluded.returned,
    hold_until_ms = excluded.hold_until_ms, body = excluded.body;

-- put_order --
INSERT INTO orders (
    sale_id, shard, order_id, buyer, sku, quantity, status, epoch, seq, reserved_ms, hold_until_ms, changed_ms
)
VALUES (
    %(sale_id)s, %(shard)s, %(order_id)s, %(buyer)s, %(sku)s, %(quantity)s, %(status)s, %(epoch)s, %(seq)s,
    %(reserved_ms)s, %(hold_until_ms)s, %(changed_ms)s
)
ON CONFLICT (sale_id, order_id) DO UPDATE SET
    shard = excluded.shard, buyer = excluded.buyer, sku = excluded.sku, quantity = excluded.quantity,
    status = excluded.status, epoch = excluded.epoch, seq = excluded.seq, reserved_ms = excluded.reserved_ms,
    hold_until_ms = excluded.hold_until_ms, changed_ms = excluded.changed_ms;

-- drop_order --
DELETE FROM orders WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND order_id = %(order_id)s;

-- put_stock --
INSERT INTO stock (sale_id, shard, sku, epoch, seq, available, held, sold, returned, capacity)
VALUES (
    %(sale_id)s, %(shard)s, %(sku)s, %(epoch)s, %(seq)s, %(available)s, %(held)s, %(sold)s, %(returned)s, %(capacity)s
)
ON CONFLICT (sale_id, sku) DO UPDATE SET
    shard = excluded.shard, epoch = excluded.epoch, seq = excluded.seq, available = excluded.available,
    held = excluded.held, sold = excluded.sold, returned = excluded.returned, capacity = excluded.capacity;

-- drop_stock --
DELETE FROM stock WHERE sale_id = %(sale_id)s AND shard = %(shard)s AND sku = %(sku)s;
