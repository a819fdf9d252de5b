-- migrate:up

-- When `sale archive` began to remove the sale from Redis. From then on no projector leads its shards, and that its log
-- is gone is no loss. Null while it runs.
ALTER TABLE sales ADD COLUMN archived_at timestamptz;

-- migrate:down

ALTER TABLE sales DROP COLUMN archived_at;
