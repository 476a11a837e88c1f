-- What came in. A message is here before its broker is told to forget it.
CREATE TABLE messages (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: events point at it
    id               TEXT NOT NULL UNIQUE,
    digest           TEXT NOT NULL,                 -- of topic and body as they came
    source           TEXT NOT NULL,
    topic            TEXT NOT NULL,
    received_at      INTEGER NOT NULL,              -- milliseconds since 1970, as everywhere
    state            TEXT NOT NULL,                 -- read | ignored | dead
    reason           TEXT,                          -- why ignored or dead
    content_type     TEXT,
    content_encoding TEXT,
    headers          TEXT NOT NULL,                 -- JSON
    body             BLOB NOT NULL                  -- as it came; secrets named by its topic redacted
) STRICT;
CREATE INDEX messages_by_state ON messages (state, received_at);

-- What happened, and what the rules said to it.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    identity    TEXT NOT NULL,
    message     INTEGER,                            -- messages.seq; none when an executor was asked
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL,                      -- JSON
    decision    TEXT NOT NULL                       -- JSON
) STRICT;
CREATE INDEX events_by_identity ON events (identity);
CREATE INDEX events_by_subject ON events (subject, seq);
CREATE INDEX events_by_message ON events (message);
CREATE INDEX events_by_time ON events (at);

-- Proposals as they were last heard of.
CREATE TABLE subjects (
    id       TEXT PRIMARY KEY,
    is_open  INTEGER NOT NULL,
    body     TEXT NOT NULL,                         -- JSON
    heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id         TEXT PRIMARY KEY,
    subject    TEXT NOT NULL,
    revision   TEXT NOT NULL,
    rule       TEXT NOT NULL,
    connection TEXT NOT NULL,
    job        TEXT NOT NULL,
    number     INTEGER,
    is_done    INTEGER NOT NULL,
    state      TEXT NOT NULL,                       -- ordered | queued | running | a verdict
    ordered_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    body       TEXT NOT NULL                        -- JSON, whole
) STRICT;
CREATE INDEX runs_by_subject ON runs (subject, rule, ordered_at);
CREATE INDEX runs_open_by_job ON runs (job) WHERE is_done = 0;
CREATE INDEX runs_by_build ON runs (job, number) WHERE number IS NOT NULL;
CREATE INDEX runs_by_time ON runs (changed_at) WHERE is_done = 1;

-- What is to be done, is being done, and was done.
CREATE TABLE actions (
    seq        INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    lane       TEXT NOT NULL,
    slot       TEXT,
    connection TEXT NOT NULL,
    kind       TEXT NOT NULL,
    run        TEXT,
    event      INTEGER NOT NULL,                    -- events.seq: what caused it
    body       TEXT NOT NULL,                       -- JSON
    state      TEXT NOT NULL,                       -- waiting | claimed | done | buried | superseded
    attempts   INTEGER NOT NULL DEFAULT 0,          -- tries whose end is not known or was bad
    rounds     INTEGER NOT NULL DEFAULT 0,          -- how often it was put off without fault
    due_at     INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    error      TEXT
) STRICT;
CREATE INDEX actions_waiting ON actions (connection, due_at, seq) WHERE state = 'waiting';
CREATE INDEX actions_in_lane ON actions (lane, seq) WHERE state IN ('waiting', 'claimed');
CREATE INDEX actions_in_slot ON actions (slot) WHERE state = 'waiting';
CREATE INDEX actions_by_run ON actions (run);
CREATE INDEX actions_by_event ON actions (event);
CREATE INDEX actions_by_state ON actions (state, changed_at);

-- Messages that were handed to us directly and wait to be read.
CREATE TABLE inbox (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT,
    topic            TEXT NOT NULL,
    content_type     TEXT,
    content_encoding TEXT,
    headers          TEXT NOT NULL,
    body             BLOB NOT NULL,
    received_at      INTEGER NOT NULL
) STRICT;

-- The last verdict of jobs that nobody ordered here.
CREATE TABLE jobs (
    instance TEXT NOT NULL,
    job      TEXT NOT NULL,
    number   INTEGER NOT NULL,
    verdict  TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    PRIMARY KEY (instance, job)
) STRICT, WITHOUT ROWID;
