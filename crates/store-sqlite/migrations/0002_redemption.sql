-- The second format: what becomes of an issued coupon after its issue. docs/DATA-MODEL.md describes every column.

-- No constraints here: they would be tested against every row there is, and these columns are empty in all of them.
ALTER TABLE issued_coupons ADD COLUMN order_amount INTEGER;
ALTER TABLE issued_coupons ADD COLUMN discount_amount INTEGER;
ALTER TABLE issued_coupons ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;

-- issued_coupon is issued_coupons.id. Each step is written in the transaction that changes that row.
CREATE TABLE redemption_history (
    issued_coupon   INTEGER NOT NULL,
    number          INTEGER NOT NULL CHECK (number >= 1),
    step            TEXT    NOT NULL CHECK (step IN ('redeemed', 'cancelled', 'revoked')),
    at              INTEGER NOT NULL,
    actor           TEXT,
    order_id        TEXT,
    order_amount    INTEGER CHECK (order_amount BETWEEN 0 AND 9007199254740991),
    discount_amount INTEGER CHECK (discount_amount BETWEEN 0 AND order_amount),
    PRIMARY KEY (issued_coupon, number),
    CHECK ((order_id IS NULL) = (step = 'revoked')),
    CHECK ((order_amount IS NULL) = (step <> 'redeemed'))
) STRICT, WITHOUT ROWID;

CREATE TABLE redemption_tokens (
    scope         BLOB    NOT NULL PRIMARY KEY CHECK (length(scope) = 16),
    payload       BLOB    NOT NULL CHECK (length(payload) = 16),
    issued_coupon INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    decided_at    INTEGER NOT NULL,
    FOREIGN KEY (issued_coupon, number) REFERENCES redemption_history (issued_coupon, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX redemption_tokens_by_time ON redemption_tokens (decided_at);
