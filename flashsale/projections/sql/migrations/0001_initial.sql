-- migrate:up

-- What is sold: written by `sale define`, read by `sale warm`. Never changed by a projector.
CREATE TABLE sales (
    sale_id     text        PRIMARY KEY,
    title       text        NOT NULL,
    currency    text        NOT NULL,
    opens_ms    bigint      NOT NULL,  -- 0: a person opens it
    closes_ms   bigint      NOT NULL,  -- 0: a person closes it
    hold_ms     bigint      NOT NULL,
    shards      smallint    NOT NULL DEFAULT 1,
    defined_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT currency_is_three_letters CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT closes_after_it_opens CHECK (closes_ms = 0 OR closes_ms > opens_ms),
    CONSTRAINT hold_is_positive CHECK (hold_ms > 0)
);

CREATE TABLE sale_items (
    sale_id           text    NOT NULL REFERENCES sales,
    sku               text    NOT NULL,
    line              integer NOT NULL,  -- order in the definition
    title             text    NOT NULL,
    quantity          integer NOT NULL,
    unit_price_minor  bigint  NOT NULL,
    buyer_limit       integer NOT NULL,  -- units one buyer may hold or own; 0: no limit
    PRIMARY KEY (sale_id, sku),
    CONSTRAINT quantity_is_positive CHECK (quantity > 0),
    CONSTRAINT price_is_not_negative CHECK (unit_price_minor >= 0),
    CONSTRAINT limit_is_not_negative CHECK (buyer_limit >= 0)
);

-- The archive: every event of every log, byte for byte, and the memory by which a repeat is recognised.
-- One partition a sale, so that a finished sale can be detached, dumped and dropped.
CREATE TABLE event_log (
    seq            bigint   NOT NULL,
    at_ms          bigint,
    hold_until_ms  bigint,
    epoch          integer  NOT NULL,
    quantity       integer,
    available      integer,
    held           integer,
    sold           integer,
    returned       integer,
    shard          smallint NOT NULL,
    version        smallint,
    sale_id        text     NOT NULL,
    type           text     NOT NULL,  -- '' when the entry could not be decoded
    actor          text,
    order_id       text,
    buyer          text,
    sku            text,
    body           bytea    NOT NULL,
    PRIMARY KEY (sale_id, shard, epoch, seq)
) PARTITION BY LIST (sale_id);

CREATE TABLE orders (
    reserved_ms    bigint   NOT NULL,
    hold_until_ms  bigint   NOT NULL,
    changed_ms     bigint   NOT NULL,
    seq            bigint   NOT NULL,  -- of the event that changed it last
    epoch          integer  NOT NULL,
    quantity       integer  NOT NULL,
    shard          smallint NOT NULL,
    sale_id        text     NOT NULL,
    order_id       text     NOT NULL,
    buyer          text     NOT NULL,
    sku            text     NOT NULL,
    status         text     NOT NULL,
    PRIMARY KEY (sale_id, order_id),
    CONSTRAINT quantity_is_positive CHECK (quantity > 0),
    CONSTRAINT status_is_known CHECK (
        status IN ('held', 'confirmed', 'cancelled', 'expired', 'refund_due', 'refunded')
    )
) WITH (fillfactor = 80);

-- One row a SKU, rewritten with every batch: half-empty pages keep those updates in place.
CREATE TABLE stock (
    seq        bigint   NOT NULL,  -- of the event that changed it last
    epoch      integer  NOT NULL,
    available  integer  NOT NULL,
    held       integer  NOT NULL,
    sold       integer  NOT NULL,
    returned   integer  NOT NULL,
    capacity   integer  NOT NULL,  -- moved by stock events only
    shard      smallint NOT NULL,
    sale_id    text     NOT NULL,
    sku        text     NOT NULL,
    PRIMARY KEY (sale_id, sku),
    CONSTRAINT never_oversold CHECK (available >= 0),
    CONSTRAINT held_is_not_negative CHECK (held >= 0),
    CONSTRAINT sold_is_not_negative CHECK (sold >= 0),
    CONSTRAINT returned_is_not_negative CHECK (returned >= 0),
    CONSTRAINT no_unit_is_lost CHECK (available + held + sold + returned = capacity)
) WITH (fillfactor = 50);

-- The truth about what is applied: every event up to (epoch, seq), without a gap. And who may move it.
CREATE TABLE checkpoint (
    seq             bigint   NOT NULL DEFAULT 0,
    fence           bigint   NOT NULL DEFAULT 0,  -- +1 with every change of the holder; a late holder moves nothing
    heartbeat_at    timestamptz,
    backend_start   timestamptz,                  -- of the holder's session: with its pid it names one process
    backend_pid     integer,
    epoch           integer  NOT NULL DEFAULT 0,
    shard           smallint NOT NULL,
    sale_id         text     NOT NULL REFERENCES sales,
    holder          text,                         -- name of the projector that holds the shard's lease
    halted          text,                         -- why nothing is applied any more; null while all is well
    PRIMARY KEY (sale_id, shard)
) WITH (fillfactor = 50);

-- Dead letters. The event itself is in event_log; here stands that its effect is withheld, and why.
CREATE TABLE parked (
    seq          bigint      NOT NULL,
    epoch        integer     NOT NULL,
    attempts     integer     NOT NULL,
    shard        smallint    NOT NULL,
    sale_id      text        NOT NULL,
    kind         text        NOT NULL,
    order_id     text,
    sku          text,
    error_class  text        NOT NULL,
    error        text        NOT NULL,
    first_at     timestamptz NOT NULL DEFAULT now(),
    last_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sale_id, shard, epoch, seq),
    CONSTRAINT kind_is_known CHECK (kind IN ('poison', 'follower'))
);

-- migrate:down

DROP TABLE parked, checkpoint, stock, orders, event_log, sale_items, sales;
