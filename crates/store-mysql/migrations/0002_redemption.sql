-- What becomes of an issued coupon after its issue. docs/DATA-MODEL.md says what each column means.
-- Columns at the end and with a default: both engines add them without touching a row.

ALTER TABLE issued_coupons
    ADD COLUMN steps INT UNSIGNED NOT NULL DEFAULT 0,
    ADD COLUMN last_step_at BIGINT NULL;

CREATE TABLE redemption_history (
    coupon_id INT UNSIGNED NOT NULL,
    position INT UNSIGNED NOT NULL,
    number INT UNSIGNED NOT NULL,
    step VARCHAR(16) NOT NULL,
    at BIGINT NOT NULL,
    actor VARCHAR(255) NULL,
    order_id VARBINARY(128) NULL,
    order_amount BIGINT UNSIGNED NULL,
    discount_amount BIGINT UNSIGNED NULL,
    PRIMARY KEY (coupon_id, position, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE redemption_tokens (
    scope BINARY(16) NOT NULL PRIMARY KEY,
    payload BINARY(16) NOT NULL,
    coupon_id INT UNSIGNED NOT NULL,
    position INT UNSIGNED NOT NULL,
    number INT UNSIGNED NOT NULL,
    decided_at BIGINT NOT NULL,
    KEY decided_at (decided_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
