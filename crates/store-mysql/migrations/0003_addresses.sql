-- Where notifications go: the shop's endpoints, and how people are reached. docs/DATA-MODEL.md says what each column
-- means.

CREATE TABLE webhooks (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    revision INT UNSIGNED NOT NULL,
    url VARCHAR(2048) NOT NULL,
    description VARCHAR(800) NOT NULL,
    kinds VARCHAR(255) NOT NULL,
    secret BINARY(32) NOT NULL,
    previous_secret BINARY(32) NULL,
    previous_until BIGINT NULL,
    disabled_at BIGINT NULL,
    disabled_reason VARCHAR(16) NULL,
    created_at BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE contacts (
    user_id VARBINARY(128) NOT NULL PRIMARY KEY,
    email VARCHAR(254) NOT NULL,
    name VARCHAR(200) NULL,
    language VARCHAR(8) NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
