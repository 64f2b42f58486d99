-- The record of coupons, issued coupons and keys. docs/DATA-MODEL.md says what each column means.
-- One dialect for MySQL 8.0 and later and MariaDB 10.11 and later: no triggers, no routines, no check constraints.

CREATE TABLE meta (
    only_row TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    last_coupon_id INT UNSIGNED NOT NULL,
    code_key BINARY(16) NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO meta (only_row, last_coupon_id) VALUES (1, 0);

CREATE TABLE coupons (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    revision INT UNSIGNED NOT NULL,
    epoch INT UNSIGNED NOT NULL,
    quantity INT UNSIGNED NULL,
    deleted TINYINT UNSIGNED NOT NULL,
    issued INT UNSIGNED NOT NULL DEFAULT 0,
    highest_position INT UNSIGNED NOT NULL DEFAULT 0,
    first_issued_at BIGINT NULL,
    last_issued_at BIGINT NULL,
    first_expiry BIGINT NULL,
    last_expiry BIGINT NULL,
    fence BIGINT UNSIGNED NOT NULL DEFAULT 0,
    fence_given BIGINT UNSIGNED NOT NULL DEFAULT 0,
    run_id VARCHAR(64) NULL,
    replication_id VARCHAR(64) NULL,
    position_floor INT UNSIGNED NOT NULL DEFAULT 0,
    coupon MEDIUMTEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE coupon_uses (
    coupon_id INT UNSIGNED NOT NULL PRIMARY KEY,
    redeemed INT UNSIGNED NOT NULL DEFAULT 0,
    revoked INT UNSIGNED NOT NULL DEFAULT 0,
    cancelled BIGINT UNSIGNED NOT NULL DEFAULT 0
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE coupon_revisions (
    coupon_id INT UNSIGNED NOT NULL,
    revision INT UNSIGNED NOT NULL,
    coupon MEDIUMTEXT NOT NULL,
    issued INT UNSIGNED NOT NULL,
    actor VARCHAR(255) NOT NULL,
    revised_at BIGINT NOT NULL,
    PRIMARY KEY (coupon_id, revision)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE issued_coupons (
    coupon_id INT UNSIGNED NOT NULL,
    position INT UNSIGNED NOT NULL,
    user_id VARBINARY(128) NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    key_hash BIGINT UNSIGNED NULL,
    epoch INT UNSIGNED NOT NULL,
    redeemed_at BIGINT NULL,
    order_id VARBINARY(128) NULL,
    order_amount BIGINT UNSIGNED NULL,
    discount_amount BIGINT UNSIGNED NULL,
    revoked_at BIGINT NULL,
    PRIMARY KEY (coupon_id, position),
    UNIQUE KEY holder (user_id, coupon_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE quarantine (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    fingerprint BINARY(16) NOT NULL,
    coupon_id INT UNSIGNED NOT NULL,
    epoch INT UNSIGNED NOT NULL,
    position INT UNSIGNED NULL,
    user_id VARBINARY(128) NULL,
    reason VARCHAR(32) NOT NULL,
    record MEDIUMTEXT NOT NULL,
    UNIQUE KEY once (fingerprint),
    KEY of_coupon (coupon_id, position)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE command_tokens (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    scope BINARY(16) NOT NULL,
    payload BINARY(16) NOT NULL,
    coupon_id INT UNSIGNED NOT NULL,
    revision INT UNSIGNED NOT NULL,
    decided_at BIGINT NOT NULL,
    UNIQUE KEY scope (scope),
    KEY decided_at (decided_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE ledger_sessions (
    id BINARY(16) NOT NULL PRIMARY KEY,
    committed BIGINT UNSIGNED NOT NULL,
    used_at BIGINT NOT NULL,
    KEY used_at (used_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE api_keys (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id VARCHAR(64) NOT NULL,
    name VARCHAR(1000) NOT NULL,
    scopes VARCHAR(64) NOT NULL,
    secret_hash BINARY(32) NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NULL,
    UNIQUE KEY id (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
