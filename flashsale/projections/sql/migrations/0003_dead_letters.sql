-- migrate:up

-- A discarded event stays parked: its effect is withheld for good, and later events of its order wait behind it.
ALTER TABLE parked
    DROP CONSTRAINT kind_is_known,
    ADD CONSTRAINT kind_is_known CHECK (kind IN ('poison', 'follower', 'discarded'));

-- Serves `dead-letter retry`: all that is parked of one order. A hash, because a damaged order id may be of any length.
CREATE INDEX parked_of_order ON parked USING hash (order_id);

-- What people did with dead letters. Only ever added to.
CREATE TABLE dead_letter_audit (
    audit_id     bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    seq          bigint      NOT NULL,
    epoch        integer     NOT NULL,
    shard        smallint    NOT NULL,
    sale_id      text        NOT NULL,
    action       text        NOT NULL,
    error_class  text        NOT NULL,  -- why it was parked at the time
    error        text        NOT NULL,
    reason       text,                  -- why it was discarded
    actor        text        NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT action_is_known CHECK (action IN ('retried', 'discarded')),
    CONSTRAINT a_discard_has_a_reason CHECK (action <> 'discarded' OR reason <> '')
);

-- Serves `dead-letter show`: what was done with one event.
CREATE INDEX dead_letter_audit_of_event ON dead_letter_audit (sale_id, shard, epoch, seq);

-- migrate:down

DROP TABLE dead_letter_audit;
DROP INDEX parked_of_order;
UPDATE parked SET kind = 'poison' WHERE kind = 'discarded';
ALTER TABLE parked
    DROP CONSTRAINT kind_is_known,
    ADD CONSTRAINT kind_is_known CHECK (kind IN ('poison', 'follower'));
