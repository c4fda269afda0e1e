-- +goose Up
CREATE TABLE idempotency_keys (
    route text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL, -- a hash
    status bigint NOT NULL,
    header text NOT NULL, -- JSON
    body bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (route, key)
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

-- The key by which cursors are signed is the same for all copies of the service. A UUID has 122 random bits.
CREATE TABLE cursor_keys (key bytea NOT NULL);
INSERT INTO cursor_keys VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- +goose Down
DROP TABLE cursor_keys;
DROP TABLE idempotency_keys;
