-- +goose Up
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

CREATE TABLE agents (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    public_key      BLOB NOT NULL UNIQUE,
    labels          TEXT NOT NULL,
    version         TEXT NOT NULL,
    sources         TEXT NOT NULL,
    enrolled_at     BIGINT NOT NULL,
    last_seen       BIGINT NOT NULL,
    clock_offset_ms BIGINT NOT NULL
);

-- Times are milliseconds since 1970. body is the session as the API shows it.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    status     TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    since_ms   BIGINT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX sessions_by_status ON sessions (status, started_at);

CREATE TABLE session_agents (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    agent_id   TEXT NOT NULL,
    epoch      BIGINT NOT NULL DEFAULT 0,
    refused    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (session_id, agent_id)
);
CREATE INDEX session_agents_by_agent ON session_agents (agent_id);

-- +goose Down
DROP TABLE session_agents;
DROP TABLE sessions;
DROP TABLE agents;
DROP TABLE secrets;
