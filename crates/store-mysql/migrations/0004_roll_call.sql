-- Where servers agree to hold still while one takes the state of a shared ledger anew, and what was lost with it.

ALTER TABLE coupons ADD COLUMN lost INT UNSIGNED NOT NULL DEFAULT 0;

CREATE TABLE ledger_call (
    only_row TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    number BIGINT UNSIGNED NOT NULL,
    leader BINARY(16) NULL,
    lease_until BIGINT NOT NULL,
    run_id VARCHAR(64) NULL,
    replication_id VARCHAR(64) NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO ledger_call (only_row, number, lease_until) VALUES (1, 0, 0);

CREATE TABLE ledger_servers (
    id BINARY(16) NOT NULL PRIMARY KEY,
    attended_at BIGINT NOT NULL,
    answered BIGINT UNSIGNED NOT NULL,
    is_open TINYINT UNSIGNED NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
