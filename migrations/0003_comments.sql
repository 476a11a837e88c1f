-- The commands that comments were last known to have: by them it is known what an edit adds.
CREATE TABLE comments (
    id       TEXT PRIMARY KEY,                      -- subject and the forge's id of the comment
    commands TEXT NOT NULL,                         -- JSON
    heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX comments_by_time ON comments (heard_at);
