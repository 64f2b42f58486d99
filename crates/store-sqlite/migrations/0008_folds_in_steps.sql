-- The eighth format: users are folded into their index in steps. docs/DATA-MODEL.md describes every column.

-- A fold that is under way takes the positions up to here.
ALTER TABLE coupons ADD COLUMN folding_through INTEGER NOT NULL DEFAULT 0
    CHECK (folding_through = 0 OR folding_through BETWEEN indexed_through AND last_position);

-- One row while a fold is under way: of what it takes, this user with this coupon and whoever comes before him in the
-- order of holders is in holders already.
CREATE TABLE fold (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    user_id   BLOB    NOT NULL,
    coupon_id INTEGER NOT NULL
) STRICT;
