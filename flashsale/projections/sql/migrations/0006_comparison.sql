-- migrate:up

-- What `reconcile` found when it last held log, Redis and Postgres against each other. One row a shard, rewritten each
-- time, so it does not grow.
CREATE TABLE comparison (
    compared_at  timestamptz,                   -- when one last came to its end; null: none has yet
    missed_at    timestamptz,                   -- when one was tried after that, and nothing could be compared
    seq          bigint,                        -- where in the log it was compared
    differences  bigint,
    epoch        integer,
    shard        smallint    NOT NULL,
    sale_id      text        NOT NULL REFERENCES sales,
    compared_by  text,
    missed_by    text,
    missed       text,                          -- why nothing could be compared
    told         text[]      NOT NULL DEFAULT '{}',  -- the first differences, a sentence each
    PRIMARY KEY (sale_id, shard),
    CONSTRAINT it_was_compared_or_missed CHECK (compared_at IS NOT NULL OR missed_at IS NOT NULL),
    CONSTRAINT a_comparison_is_whole CHECK (
        num_nulls(compared_at, seq, differences, epoch, compared_by) IN (0, 5)
    ),
    CONSTRAINT a_miss_is_whole CHECK (num_nulls(missed_at, missed_by, missed) IN (0, 3))
) WITH (fillfactor = 50);

-- migrate:down

DROP TABLE comparison;
