-- Who may do what in Postgres. As a superuser, in the database of flashsale, which holds nothing else:
--
--     runuser -u postgres -- psql -q -d flashsale -v ON_ERROR_STOP=1 < /etc/flashsale/roles.sql
--
-- before the first `flashsale db migrate`, and again after every migration: grants on a table need the table. Repeat it
-- as often as you like. Roles belong to the whole cluster, all else here to this database. Nobody can log in until you
-- give a role a password (docs/install.md).
--
--   flashsale_owner      owns the tables; nobody logs in as it
--   flashsale_operator   acts as the owner: migrates, defines, replays, mends, settles dead letters
--   flashsale_projector  adds to the archive, changes orders, stock and checkpoints; deletes nothing
--   flashsale_archiver   reads, and notes that a sale was archived
--   flashsale_auditor    reads everything, and notes what a comparison of log, Redis and Postgres found
--   flashsale_sweeper    reads which sales there are, and their fences
--   flashsale_gateway    the same, what is sold, and orders

BEGIN;

-- Two of them at once would collide in the catalogue.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(7306090421); END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['owner', 'operator', 'projector', 'archiver', 'auditor', 'sweeper', 'gateway'] LOOP
        name := 'flashsale_' || name;
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS %s', name,
            CASE WHEN name = 'flashsale_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END
        );
    END LOOP;
END
$$;

-- Else a second run tells of each membership that it is there already.
SET LOCAL client_min_messages = warning;

-- Everything that an operator makes belongs to the owner, from the first statement of a session on.
GRANT flashsale_owner TO flashsale_operator;
ALTER ROLE flashsale_operator SET role = 'flashsale_owner';

-- Who leads a shard is told by whether its session lives, and Postgres hides sessions of other roles: a projector would
-- take a shard from under a recovery. Shows statements of other databases, too: one more reason for a cluster of its own.
GRANT pg_read_all_stats TO flashsale_owner, flashsale_projector, flashsale_archiver, flashsale_auditor;

SET LOCAL client_min_messages = notice;

-- A wrong command of somebody who only reads ends at once; the grants below are what keeps out whoever sets this off.
ALTER ROLE flashsale_auditor SET default_transaction_read_only = on;
ALTER ROLE flashsale_sweeper SET default_transaction_read_only = on;
ALTER ROLE flashsale_gateway SET default_transaction_read_only = on;

-- A runaway program cannot take the connections of the others.
ALTER ROLE flashsale_operator CONNECTION LIMIT 20;
ALTER ROLE flashsale_projector CONNECTION LIMIT 40;
ALTER ROLE flashsale_archiver CONNECTION LIMIT 5;
ALTER ROLE flashsale_auditor CONNECTION LIMIT 20;
ALTER ROLE flashsale_sweeper CONNECTION LIMIT 10;
ALTER ROLE flashsale_gateway CONNECTION LIMIT 100;

DO $$
DECLARE
    name text;
BEGIN
    -- Nobody else connects, and nobody makes temporary tables.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO flashsale_operator, flashsale_projector, flashsale_archiver, '
        'flashsale_auditor, flashsale_sweeper, flashsale_gateway', current_database()
    );
    -- Tables made before there were these roles. Their indexes and sequences go with them.
    FOR name IN
        SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND c.relowner <> 'flashsale_owner'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO flashsale_owner', name);
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO flashsale_owner;
GRANT USAGE ON SCHEMA public TO
    flashsale_projector, flashsale_archiver, flashsale_auditor, flashsale_sweeper, flashsale_gateway;

-- What a role was granted by hand, or by an earlier version of this file, and is not granted below.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM
    PUBLIC, flashsale_projector, flashsale_archiver, flashsale_auditor, flashsale_sweeper, flashsale_gateway;

-- Reading: also of tables to come, such as the partitions of the next sale. Writing goes through the parents, and a
-- partition grants none.
ALTER DEFAULT PRIVILEGES FOR ROLE flashsale_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO flashsale_projector, flashsale_archiver, flashsale_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO flashsale_projector, flashsale_archiver, flashsale_auditor;

DO $$
BEGIN
    IF to_regclass('public.projection') IS NULL THEN
        RAISE NOTICE 'no tables yet: run `flashsale db migrate`, then this file again';
        RETURN;
    END IF;
    IF to_regclass('public.comparison') IS NULL THEN
        RAISE EXCEPTION 'the tables are older than this file: run `flashsale db migrate`, then this file again';
    END IF;
    GRANT SELECT ON schema_migrations, sales, checkpoint TO flashsale_sweeper, flashsale_gateway;
    GRANT SELECT ON sale_items TO flashsale_gateway;
    -- Of sales that are over: Redis has none of them any more.
    GRANT SELECT ON orders TO flashsale_gateway;
    -- How many events wait: `order reserve` says so when it is refused. Not what is in them.
    GRANT SELECT (sale_id, shard, kind) ON parked TO flashsale_gateway;
    GRANT INSERT ON event_log, parked TO flashsale_projector;
    GRANT INSERT, UPDATE ON orders, stock TO flashsale_projector;
    -- Not what `found` and `sale define` write: the epoch, and which shards there are.
    GRANT UPDATE (seq, epoch, fence, holder, heartbeat_at, backend_start, backend_pid, halted)
        ON checkpoint TO flashsale_projector;
    GRANT UPDATE (archived_at) ON sales TO flashsale_archiver;
    GRANT INSERT, UPDATE ON comparison TO flashsale_auditor;
END
$$;

COMMIT;
