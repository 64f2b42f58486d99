-- What is to be told, and what the clock has made of issued coupons. docs/DATA-MODEL.md says what each column means.
-- Columns at the end and with a default: both engines add them without touching a row.

ALTER TABLE issued_coupons
    ADD COLUMN expiry_noted_at BIGINT NULL,
    ADD COLUMN reminded_days SMALLINT UNSIGNED NULL;

-- No position up to here will ever get a row that it has not: its epoch is over.
ALTER TABLE coupons ADD COLUMN closed_through INT UNSIGNED NOT NULL DEFAULT 0;

ALTER TABLE meta ADD COLUMN reminders VARCHAR(128) NOT NULL DEFAULT '';

-- 4,096 positions each. Jobs keep them, not issues: `held` rows were counted when `surveyed` were issued.
CREATE TABLE issued_blocks (
    coupon_id INT UNSIGNED NOT NULL,
    block INT UNSIGNED NOT NULL,
    held INT UNSIGNED NOT NULL DEFAULT 0,
    surveyed INT UNSIGNED NOT NULL DEFAULT 0,
    version BIGINT UNSIGNED NOT NULL DEFAULT 0,
    expiry_due BIGINT NULL DEFAULT 0,
    reminder_due BIGINT NULL DEFAULT 0,
    PRIMARY KEY (coupon_id, block)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE announcements (
    coupon_id INT UNSIGNED NOT NULL PRIMARY KEY,
    through INT UNSIGNED NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What was issued before there was anybody to tell is not told.
INSERT INTO announcements (coupon_id, through) SELECT id, highest_position FROM coupons;

CREATE TABLE notifications (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    coupon_id INT UNSIGNED NOT NULL,
    position INT UNSIGNED NOT NULL,
    kind VARCHAR(32) NOT NULL,
    detail INT UNSIGNED NOT NULL,
    at BIGINT NOT NULL,
    new_at BIGINT NULL,
    done_at BIGINT NULL,
    UNIQUE KEY once (coupon_id, position, kind, detail),
    KEY new_at (new_at),
    KEY done_at (done_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE notification_deliveries (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    notification BIGINT UNSIGNED NOT NULL,
    channel VARBINARY(64) NOT NULL,
    recipient VARBINARY(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INT UNSIGNED NOT NULL,
    due_at BIGINT NULL,
    status SMALLINT UNSIGNED NULL,
    report TEXT NOT NULL,
    UNIQUE KEY once (notification, channel, recipient),
    KEY due_at (due_at),
    KEY by_state (state, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE jobs (
    name VARBINARY(64) NOT NULL PRIMARY KEY,
    owner VARBINARY(255) NULL,
    leased_until BIGINT NULL,
    began_at BIGINT NULL,
    ended_at BIGINT NULL,
    done BIGINT UNSIGNED NULL,
    error VARCHAR(500) NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
