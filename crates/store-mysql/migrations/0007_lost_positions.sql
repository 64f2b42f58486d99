-- A revision says how many positions before it belonged to nobody. docs/DATA-MODEL.md says what each column means.

ALTER TABLE coupon_revisions ADD COLUMN lost INT UNSIGNED NOT NULL DEFAULT 0;
