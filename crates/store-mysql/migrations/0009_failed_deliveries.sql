-- Notifications that came to nobody are dead letters until somebody has looked after them. docs/DATA-MODEL.md says what
-- each column means.

ALTER TABLE meta ADD COLUMN last_letter BIGINT UNSIGNED NOT NULL DEFAULT 0;

ALTER TABLE notification_deliveries
    ADD COLUMN letter BIGINT UNSIGNED NULL,
    ADD KEY letters (state, channel, letter, number);

-- What nobody has seen is not forgotten.
UPDATE notifications SET done_at = NULL
WHERE number IN (SELECT notification FROM notification_deliveries WHERE state IN ('dead', 'undeliverable'));
