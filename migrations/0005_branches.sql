-- Branches that were pushed, until they are taken away again.
CREATE TABLE branches (
    tree      TEXT NOT NULL,
    name      TEXT NOT NULL,
    sha       TEXT NOT NULL,
    subject   TEXT NOT NULL,
    pushed_at INTEGER NOT NULL,
    PRIMARY KEY (tree, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX branches_by_time ON branches (tree, pushed_at);
