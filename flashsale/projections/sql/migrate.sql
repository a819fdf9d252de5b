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
