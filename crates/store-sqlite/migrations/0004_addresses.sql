-- Where notifications go: the shop's endpoints, and how people are reached. docs/DATA-MODEL.md describes every column.

-- AUTOINCREMENT: the id of a deleted webhook is not given again.
CREATE TABLE webhooks (
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 2147483647),
    revision        INTEGER NOT NULL CHECK (revision >= 1),
    url             TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    kinds           TEXT    NOT NULL,
    secret          BLOB    NOT NULL CHECK (length(secret) = 32),
    previous_secret BLOB CHECK (length(previous_secret) = 32),
    previous_until  INTEGER,
    disabled_at     INTEGER,
    disabled_reason TEXT CHECK (disabled_reason IN ('by-hand', 'gone')),
    created_at      INTEGER NOT NULL,
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) STRICT;

CREATE TABLE contacts (
    user_id  BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) BETWEEN 1 AND 128),
    email    TEXT NOT NULL,
    name     TEXT,
    language TEXT CHECK (language IN ('en', 'ko'))
) STRICT, WITHOUT ROWID;
