-- How far something has come that looks outside from time to time.
CREATE TABLE cursors (
    name  TEXT PRIMARY KEY,                         -- who/where, such as reconcile/forge.main/signalbox
    value TEXT NOT NULL,                            -- theirs to read
    at    INTEGER NOT NULL                          -- when it was last written
) STRICT, WITHOUT ROWID;
