-- migrate:up

-- The epoch in which the shard's log was founded last: 1 when it was warmed, one more each time it was recovered; 0 before.
-- Written before Redis is: a Redis that lacks this epoch has lost the log, even if no event of it was ever applied here.
ALTER TABLE checkpoint ADD COLUMN founded_epoch integer NOT NULL DEFAULT 0;
UPDATE checkpoint SET founded_epoch = epoch;

-- migrate:down

ALTER TABLE checkpoint DROP COLUMN founded_epoch;
