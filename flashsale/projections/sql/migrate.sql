-- lock --
-- One migration at a time, over the whole database; released with the session.
SELECT pg_advisory_lock(7306090420);

-- create_table --
-- dbmate's own table, so that either tool may go on where the other stopped.
CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY);

-- exists --
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- applied --
SELECT version FROM schema_migrations ORDER BY version;

-- record --
-- The row first: a second runner collides here instead of repeating the change.
INSERT INTO schema_migrations (version) VALUES (%(version)s);

-- lock_timeout --
SELECT set_config('lock_timeout', %(ms)s, false);

-- take_leases --
-- Before a contract step: whoever leads a shard leads it no more, and what it still sends writes nothing. To lead again
-- it must look at the schema. The rows of the checkpoints first, then tables: the order in which every writer locks.
UPDATE checkpoint SET holder = NULL, fence = fence + 1, backend_pid = NULL, backend_start = NULL;
