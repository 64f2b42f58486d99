-- The first format. docs/DATA-MODEL.md describes every column.

CREATE TABLE meta (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    applied_seq INTEGER NOT NULL CHECK (applied_seq >= 0),
    code_key    BLOB CHECK (length(code_key) = 16),
    created_at  INTEGER NOT NULL
) STRICT;

INSERT INTO meta (only, applied_seq, created_at)
VALUES (1, 0, CAST(unixepoch('subsec') * 1000000 AS INTEGER));

CREATE TABLE coupons (
    id              INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 268435455),
    revision        INTEGER NOT NULL CHECK (revision >= 1),
    epoch           INTEGER NOT NULL DEFAULT 0,
    quantity        INTEGER CHECK (quantity BETWEEN 1 AND 4294967295),
    deleted         INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    issued          INTEGER NOT NULL DEFAULT 0 CHECK (issued >= 0),
    last_position   INTEGER NOT NULL DEFAULT 0 CHECK (last_position >= issued),
    indexed_through INTEGER NOT NULL DEFAULT 0 CHECK (indexed_through <= last_position),
    redeemed        INTEGER NOT NULL DEFAULT 0 CHECK (redeemed >= 0),
    revoked         INTEGER NOT NULL DEFAULT 0 CHECK (revoked >= 0),
    cancelled       INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    CHECK (quantity IS NULL OR issued <= quantity),
    CHECK (redeemed + revoked <= issued)
) STRICT;

CREATE TABLE coupon_revisions (
    coupon_id  INTEGER NOT NULL REFERENCES coupons (id),
    revision   INTEGER NOT NULL CHECK (revision >= 1),
    coupon     TEXT    NOT NULL,
    issued     INTEGER NOT NULL CHECK (issued >= 0),
    actor      TEXT    NOT NULL,
    revised_at INTEGER NOT NULL,
    PRIMARY KEY (coupon_id, revision)
) STRICT, WITHOUT ROWID;

-- id is coupon_id * 2^32 + position, so that (coupon_id, position) is the key of an append-only B-tree.
-- No foreign key: the counter in coupons is raised in the same transaction and proves that the coupon exists.
CREATE TABLE issued_coupons (
    id              INTEGER PRIMARY KEY,
    user_id         BLOB    NOT NULL,
    issued_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    key_hash        INTEGER,
    coupon_revision INTEGER NOT NULL,
    redeemed_at     INTEGER,
    order_id        TEXT,
    revoked_at      INTEGER,
    coupon_id       INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL,
    position        INTEGER GENERATED ALWAYS AS (id & 4294967295) VIRTUAL
) STRICT;

-- One per user. Filled in folds: it has the positions up to coupons.indexed_through.
CREATE TABLE holders (
    user_id   BLOB    NOT NULL,
    coupon_id INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (user_id, coupon_id)
) STRICT, WITHOUT ROWID;

-- Sums over 4096 positions each, for counting what has expired.
CREATE TABLE issued_blocks (
    coupon_id    INTEGER NOT NULL,
    block        INTEGER NOT NULL,
    held         INTEGER NOT NULL CHECK (held BETWEEN 0 AND 4096),
    unused       INTEGER NOT NULL CHECK (unused BETWEEN 0 AND held),
    first_expiry INTEGER NOT NULL,
    last_expiry  INTEGER NOT NULL,
    PRIMARY KEY (coupon_id, block)
) STRICT, WITHOUT ROWID;

-- Whoever redeems, cancels or revokes changes only the issued coupon: the sums follow.
CREATE TRIGGER issued_coupon_used AFTER UPDATE OF redeemed_at, revoked_at ON issued_coupons
BEGIN
    UPDATE coupons
    SET redeemed  = redeemed + (NEW.redeemed_at IS NOT NULL AND NEW.revoked_at IS NULL)
                             - (OLD.redeemed_at IS NOT NULL AND OLD.revoked_at IS NULL),
        revoked   = revoked + (NEW.revoked_at IS NOT NULL) - (OLD.revoked_at IS NOT NULL),
        cancelled = cancelled + (OLD.redeemed_at IS NOT NULL AND NEW.redeemed_at IS NULL)
    WHERE id = NEW.id >> 32;
    UPDATE issued_blocks
    SET unused = unused + (NEW.redeemed_at IS NULL AND NEW.revoked_at IS NULL)
                        - (OLD.redeemed_at IS NULL AND OLD.revoked_at IS NULL)
    WHERE coupon_id = NEW.id >> 32 AND block = (NEW.id & 4294967295) >> 12;
END;

CREATE TABLE quarantine (
    number     INTEGER PRIMARY KEY,
    seq        INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    coupon_id  INTEGER NOT NULL,
    position   INTEGER,
    user_id    BLOB,
    issued_at  INTEGER,
    expires_at INTEGER,
    key_hash   INTEGER,
    revision   INTEGER,
    coupon     TEXT,
    actor      TEXT
) STRICT;

CREATE INDEX quarantine_by_position ON quarantine (coupon_id, position);

CREATE TABLE command_tokens (
    number     INTEGER PRIMARY KEY,
    scope      BLOB    NOT NULL UNIQUE CHECK (length(scope) = 16),
    payload    BLOB    NOT NULL CHECK (length(payload) = 16),
    coupon_id  INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    issued     INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    FOREIGN KEY (coupon_id, revision) REFERENCES coupon_revisions (coupon_id, revision)
) STRICT;

CREATE INDEX command_tokens_by_time ON command_tokens (decided_at);

CREATE TABLE api_keys (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    secret_hash BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

-- Has a row in a backup only: the digest of everything else in the file.
CREATE TABLE seal (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
