-- The third format: who did what, and keys that end. docs/DATA-MODEL.md describes every column.

-- Rows are neither changed nor removed. One of a revision says by its number what it was before and after; the rest say
-- it themselves.
CREATE TABLE audit_log (
    number      INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    request_id  TEXT,
    action      TEXT    NOT NULL,
    coupon_id   INTEGER,
    revision    INTEGER,
    position    INTEGER,
    key_id      TEXT,
    cloned_from INTEGER,
    before_json TEXT,
    after_json  TEXT,
    UNIQUE (coupon_id, revision),
    FOREIGN KEY (coupon_id, revision) REFERENCES coupon_revisions (coupon_id, revision),
    CHECK ((revision IS NULL) = (after_json IS NOT NULL)),
    CHECK (coupon_id IS NOT NULL OR (revision IS NULL AND position IS NULL))
) STRICT;

CREATE INDEX audit_log_by_time ON audit_log (at);
CREATE INDEX audit_log_by_coupon ON audit_log (coupon_id, at);
CREATE INDEX audit_log_by_actor ON audit_log (actor, at);
CREATE INDEX audit_log_by_action ON audit_log (action, at);

-- What was done before the log was kept, as far as the revisions tell.
INSERT INTO audit_log (at, actor, action, coupon_id, revision)
SELECT revised_at, actor, CASE revision WHEN 1 THEN 'coupon.created' ELSE 'coupon.changed' END, coupon_id, revision
FROM coupon_revisions ORDER BY revised_at, coupon_id, revision;

ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
