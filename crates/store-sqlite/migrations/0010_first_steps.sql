-- The tenth format: the first step after an issue is appended. docs/DATA-MODEL.md describes every column.

-- Coupons are redeemed in no order, so each redemption changed two pages anywhere, of the issued coupon and of its history
-- (docs/decisions/0019). Most have one step for good: it is appended here and found through issued_coupons.first_step.
-- Further steps, and the first ones of earlier formats, are in redemption_history.
ALTER TABLE issued_coupons ADD COLUMN first_step INTEGER;

CREATE TABLE first_steps (
    id              INTEGER PRIMARY KEY,
    issued_coupon   INTEGER NOT NULL,
    step            TEXT    NOT NULL CHECK (step = 'redeemed' OR step = 'revoked'),
    at              INTEGER NOT NULL,
    actor           TEXT,
    order_id        TEXT,
    order_amount    INTEGER CHECK (order_amount BETWEEN 0 AND 9007199254740991),
    discount_amount INTEGER CHECK (discount_amount BETWEEN 0 AND order_amount),
    CHECK ((order_id IS NULL) = (step = 'revoked')),
    CHECK ((order_amount IS NULL) = (step = 'revoked'))
) STRICT;

-- The same as redemption_tokens without its foreign key, which could only lead to one of the two tables. Verify looks for
-- the steps instead.
CREATE TABLE answered_tokens (
    scope         BLOB    NOT NULL PRIMARY KEY CHECK (length(scope) = 16),
    payload       BLOB    NOT NULL CHECK (length(payload) = 16),
    issued_coupon INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    decided_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO answered_tokens SELECT scope, payload, issued_coupon, number, decided_at FROM redemption_tokens;
DROP TABLE redemption_tokens;
ALTER TABLE answered_tokens RENAME TO redemption_tokens;
CREATE INDEX redemption_tokens_by_time ON redemption_tokens (decided_at);
