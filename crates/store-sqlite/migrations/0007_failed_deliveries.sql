-- The seventh format: notifications that came to nobody are dead letters until somebody has looked after them.
-- docs/DATA-MODEL.md describes every column.

-- The last number that a failed delivery was shown under.
ALTER TABLE meta ADD COLUMN last_letter INTEGER NOT NULL DEFAULT 0;

-- Written anew, because a state more may stand in a column that says which may.
CREATE TABLE deliveries_of_format_7 (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    notification INTEGER NOT NULL REFERENCES notifications (number),
    channel      TEXT    NOT NULL,
    recipient    TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead', 'undeliverable', 'dismissed')),
    attempts     INTEGER NOT NULL CHECK (attempts >= 0),
    due_at       INTEGER,
    status       INTEGER,
    report       TEXT    NOT NULL,
    letter       INTEGER,
    UNIQUE (notification, channel, recipient),
    CHECK ((due_at IS NULL) = (state <> 'waiting')),
    CHECK (letter IS NULL OR state IN ('dead', 'undeliverable'))
) STRICT;

INSERT INTO deliveries_of_format_7
    (number, notification, channel, recipient, state, attempts, due_at, status, report)
SELECT number, notification, channel, recipient, state, attempts, due_at, status, report
FROM notification_deliveries ORDER BY number;

-- Numbers are never used again, also those of what was forgotten.
DELETE FROM sqlite_sequence WHERE name = 'deliveries_of_format_7';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'deliveries_of_format_7', seq FROM sqlite_sequence WHERE name = 'notification_deliveries';

DROP TABLE notification_deliveries;
ALTER TABLE deliveries_of_format_7 RENAME TO notification_deliveries;

CREATE INDEX notification_deliveries_due ON notification_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notification_deliveries_failed ON notification_deliveries (state, number)
    WHERE state IN ('dead', 'undeliverable');
CREATE INDEX notification_deliveries_letters ON notification_deliveries (channel, letter, number)
    WHERE state IN ('dead', 'undeliverable');

-- What nobody has seen is not forgotten.
UPDATE notifications SET done_at = NULL
WHERE number IN (SELECT notification FROM notification_deliveries WHERE state IN ('dead', 'undeliverable'));
