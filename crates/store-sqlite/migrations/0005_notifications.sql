-- The fifth format: what is to be told, and what the clock has made of issued coupons. docs/DATA-MODEL.md describes
-- every column.

-- No constraints here: they would be tested against every row there is, and these columns are empty in all of them.
ALTER TABLE issued_coupons ADD COLUMN expiry_noted_at INTEGER;
ALTER TABLE issued_coupons ADD COLUMN reminded_days INTEGER;

-- From when a job has something to do in the block; 0: it has to look; NULL: nothing.
ALTER TABLE issued_blocks ADD COLUMN expiry_due INTEGER DEFAULT 0;
ALTER TABLE issued_blocks ADD COLUMN reminder_due INTEGER DEFAULT 0;

-- The reminders that reminder_due was worked out for.
ALTER TABLE meta ADD COLUMN reminders TEXT NOT NULL DEFAULT '';

-- How far issues have been announced. What was issued before there was anybody to tell is not told.
CREATE TABLE announcements (
    coupon_id INTEGER PRIMARY KEY,
    through   INTEGER NOT NULL
) STRICT;

INSERT INTO announcements (coupon_id, through) SELECT id, last_position FROM coupons;

-- subject is issued_coupons.id, of sold-out the id that the last position has; detail is the number of a step or the
-- days of a reminder, else 0. What it tells is read from where it happened.
CREATE TABLE notifications (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    subject INTEGER NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind IN ('issued', 'expiring', 'redeemed', 'redemption-cancelled', 'expired',
                                             'revoked', 'sold-out')),
    detail  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    new_at  INTEGER,
    done_at INTEGER,
    UNIQUE (subject, kind, detail)
) STRICT;

CREATE INDEX notifications_new ON notifications (new_at) WHERE new_at IS NOT NULL;
CREATE INDEX notifications_done ON notifications (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE notification_deliveries (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    notification INTEGER NOT NULL REFERENCES notifications (number),
    channel      TEXT    NOT NULL,
    recipient    TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead', 'undeliverable')),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    due_at       INTEGER,
    status       INTEGER,
    report       TEXT    NOT NULL,
    UNIQUE (notification, channel, recipient),
    CHECK ((due_at IS NULL) = (state <> 'waiting'))
) STRICT;

CREATE INDEX notification_deliveries_due ON notification_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notification_deliveries_failed ON notification_deliveries (state, number)
    WHERE state IN ('dead', 'undeliverable');

CREATE TABLE jobs (
    name         TEXT NOT NULL PRIMARY KEY,
    owner        TEXT,
    leased_until INTEGER,
    began_at     INTEGER,
    ended_at     INTEGER,
    done         INTEGER,
    error        TEXT,
    CHECK ((owner IS NULL) = (leased_until IS NULL)),
    CHECK ((began_at IS NULL) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
