-- What somebody has looked after in quarantine. docs/DATA-MODEL.md says what each column means.

ALTER TABLE quarantine ADD COLUMN dismissed TINYINT UNSIGNED NOT NULL DEFAULT 0;
