-- Patch series by what tells their versions, where each version has an id of its own.
CREATE TABLE series (
    subject  TEXT PRIMARY KEY,
    name     TEXT NOT NULL,                         -- hash of author and title
    change   TEXT,                                  -- hash of change-id
    version  INTEGER NOT NULL,
    base     TEXT,                                  -- the branch of the upstream it was put upon
    heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX series_by_name ON series (name);
CREATE INDEX series_by_change ON series (change) WHERE change IS NOT NULL;
CREATE INDEX series_by_time ON series (heard_at);

-- Which run puts the series of a mail on a branch, for others that depend on it.
CREATE TABLE letters (
    tree     TEXT NOT NULL,
    msgid    TEXT NOT NULL,
    run      TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    PRIMARY KEY (tree, msgid)
) STRICT, WITHOUT ROWID;
CREATE INDEX letters_by_time ON letters (heard_at);

-- The run that has to end before people are told of this one.
ALTER TABLE runs ADD COLUMN awaits TEXT;
CREATE INDEX runs_by_awaits ON runs (awaits) WHERE awaits IS NOT NULL;
