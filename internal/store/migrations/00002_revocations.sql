-- +goose Up
-- Logins that are over before their time, until that time. expires_at is milliseconds since 1970.
CREATE TABLE revocations (
    id         TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE revocations;
