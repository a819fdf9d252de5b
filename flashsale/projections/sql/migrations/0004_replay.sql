-- migrate:up

-- One partition a sale, as event_log has: a sale's tables can be built anew beside the live ones and take their place.
ALTER TABLE orders RENAME TO orders_before;
ALTER INDEX orders_pkey RENAME TO orders_before_pkey;
CREATE TABLE orders (LIKE orders_before INCLUDING ALL) PARTITION BY LIST (sale_id);

ALTER TABLE stock RENAME TO stock_before;
ALTER INDEX stock_pkey RENAME TO stock_before_pkey;
CREATE TABLE stock (LIKE stock_before INCLUDING ALL) PARTITION BY LIST (sale_id);

-- Which table holds a sale's projection now, and which version of the code built it.
CREATE TABLE projection (
    version     integer  NOT NULL,
    sale_id     text     NOT NULL REFERENCES sales,
    name        text     NOT NULL,
    live_table  text     NOT NULL,
    PRIMARY KEY (sale_id, name),
    CONSTRAINT name_is_known CHECK (name IN ('orders', 'stock'))
);

-- The constraint says of each partition what ATTACH would otherwise read it for, under a lock that stops everybody.
DO $$
DECLARE
    sale text;
    name text;
BEGIN
    FOR sale IN SELECT sale_id FROM sales LOOP
        FOREACH name IN ARRAY ARRAY['orders', 'stock'] LOOP
            EXECUTE format(
                'CREATE TABLE %I (LIKE %I INCLUDING ALL, CONSTRAINT of_one_sale CHECK (sale_id = %L)) WITH (fillfactor = %s)',
                name || '_' || sale, name, sale, CASE name WHEN 'orders' THEN 80 ELSE 50 END
            );
            EXECUTE format(
                'INSERT INTO %I SELECT * FROM %I WHERE sale_id = %L', name || '_' || sale, name || '_before', sale
            );
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%L)', name, name || '_' || sale, sale
            );
            INSERT INTO projection (version, sale_id, name, live_table) VALUES (1, sale, name, name || '_' || sale);
        END LOOP;
    END LOOP;
END
$$;

DROP TABLE orders_before, stock_before;

-- A rebuild under way, or one whose tables are still there. Gone with `replay finish` or `replay rollback`.
CREATE TABLE replay (
    started_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    run         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restarts    integer     NOT NULL DEFAULT 0,  -- a dead letter was settled behind the place it had reached
    sale_id     text        NOT NULL REFERENCES sales,
    mode        text        NOT NULL,
    state       text        NOT NULL DEFAULT 'building',
    until       text,                            -- what was asked for; null: the live tables' place
    CONSTRAINT one_of_a_kind UNIQUE (sale_id, mode),
    CONSTRAINT mode_is_known CHECK (mode IN ('swap', 'verify', 'until')),
    CONSTRAINT state_is_known CHECK (state IN ('building', 'built', 'swapped', 'kept')),
    CONSTRAINT a_moment_is_given CHECK ((mode = 'until') = (until IS NOT NULL)),
    CONSTRAINT name_of_a_table_fits CHECK (run < 1000000)
);

CREATE TABLE replay_table (
    run               integer NOT NULL REFERENCES replay ON DELETE CASCADE,
    version           integer NOT NULL,
    name              text    NOT NULL,
    new_table         text    NOT NULL,
    old_table         text,  -- the one it replaced, until `replay finish`
    old_version       integer,
    PRIMARY KEY (run, name)
);

-- How far a rebuild is: every event up to (epoch, seq) is in its new tables; after the swap, in the old ones.
CREATE TABLE replay_shard (
    seq          bigint   NOT NULL DEFAULT 0,
    until_seq    bigint,
    run          integer  NOT NULL REFERENCES replay ON DELETE CASCADE,
    epoch        integer  NOT NULL DEFAULT 0,
    until_epoch  integer,
    shard        smallint NOT NULL,
    withheld     text     NOT NULL DEFAULT '',  -- digest of the dead letters up to there
    PRIMARY KEY (run, shard)
) WITH (fillfactor = 50);

-- migrate:down

DO $$
DECLARE
    beside text;
BEGIN
    FOR beside IN
        SELECT new_table FROM replay_table UNION SELECT old_table FROM replay_table WHERE old_table IS NOT NULL
        EXCEPT SELECT live_table FROM projection
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', beside);
    END LOOP;
END
$$;

DROP TABLE replay_shard, replay_table, replay, projection;

ALTER TABLE orders RENAME TO orders_by_sale;
ALTER INDEX orders_pkey RENAME TO orders_by_sale_pkey;
CREATE TABLE orders (LIKE orders_by_sale INCLUDING ALL) WITH (fillfactor = 80);
INSERT INTO orders SELECT * FROM orders_by_sale;

ALTER TABLE stock RENAME TO stock_by_sale;
ALTER INDEX stock_pkey RENAME TO stock_by_sale_pkey;
CREATE TABLE stock (LIKE stock_by_sale INCLUDING ALL) WITH (fillfactor = 50);
INSERT INTO stock SELECT * FROM stock_by_sale;

DROP TABLE orders_by_sale, stock_by_sale;
