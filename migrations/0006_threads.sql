-- What messages have told that later ones continue.
CREATE TABLE threads (
    id       TEXT PRIMARY KEY,                      -- by which later messages speak of it
    body     TEXT NOT NULL,                         -- JSON: the event, with what was told of it since
    heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX threads_by_time ON threads (heard_at);

-- Events that came before the one they continue.
CREATE TABLE orphans (
    seq      INTEGER PRIMARY KEY,
    thread   TEXT NOT NULL,                         -- threads.id that they wait for
    identity TEXT NOT NULL,
    message  INTEGER,                               -- messages.seq
    body     TEXT NOT NULL,                         -- JSON
    heard_at INTEGER NOT NULL,
    UNIQUE (thread, identity)
) STRICT;
CREATE INDEX orphans_by_time ON orphans (heard_at);
