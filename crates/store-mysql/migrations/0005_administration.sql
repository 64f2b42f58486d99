-- Who did what, and keys that end. docs/DATA-MODEL.md says what each column means.

CREATE TABLE audit_log (
    number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor VARCHAR(255) NOT NULL,
    request_id VARCHAR(128) NULL,
    action VARCHAR(64) NOT NULL,
    coupon_id INT UNSIGNED NULL,
    revision INT UNSIGNED NULL,
    position INT UNSIGNED NULL,
    key_id VARCHAR(64) NULL,
    cloned_from INT UNSIGNED NULL,
    before_json MEDIUMTEXT NULL,
    after_json MEDIUMTEXT NULL,
    UNIQUE KEY revision (coupon_id, revision),
    KEY by_time (at),
    KEY by_coupon (coupon_id, at),
    KEY by_actor (actor, at),
    KEY by_action (action, at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO audit_log (at, actor, action, coupon_id, revision)
SELECT revised_at, actor, IF(revision = 1, 'coupon.created', 'coupon.changed'), coupon_id, revision
FROM coupon_revisions ORDER BY revised_at, coupon_id, revision;

ALTER TABLE api_keys ADD COLUMN expires_at BIGINT NULL, ADD COLUMN last_used_at BIGINT NULL;
