-- The ninth format: the same checks, said so that they cost little. docs/DATA-MODEL.md describes every column.

-- SQLite makes a table of its own for each evaluation of an IN with three words or more: 2 us for each row that is
-- written, as much as writing it (docs/decisions/0016). What is in the tables stays as it is, so only their definitions
-- change, as https://www.sqlite.org/lang_altertable.html (section 7) says that the text of a CHECK can be changed.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema
SET sql = replace(sql, 'CHECK (kind IN (''issued'', ''expiring'', ''redeemed'', ''redemption-cancelled'', ''expired'',
                                             ''revoked'', ''sold-out''))',
    'CHECK (kind = ''issued'' OR kind = ''expiring'' OR kind = ''expired'' OR kind = ''redeemed''
        OR kind = ''redemption-cancelled'' OR kind = ''revoked'' OR kind = ''sold-out'')')
WHERE type = 'table' AND name = 'notifications';

UPDATE sqlite_schema
SET sql = replace(sql, 'CHECK (state IN (''waiting'', ''delivered'', ''dead'', ''undeliverable'', ''dismissed''))',
    'CHECK (state = ''waiting'' OR state = ''delivered'' OR state = ''dead'' OR state = ''undeliverable''
        OR state = ''dismissed'')')
WHERE type = 'table' AND name = 'notification_deliveries';

UPDATE sqlite_schema
SET sql = replace(sql, 'CHECK (step IN (''redeemed'', ''cancelled'', ''revoked''))',
    'CHECK (step = ''redeemed'' OR step = ''cancelled'' OR step = ''revoked'')')
WHERE type = 'table' AND name = 'redemption_history';

-- This connection reads them anew; and a change of the schema that the file counts tells every other one.
PRAGMA writable_schema = RESET;
CREATE TABLE changed (only INTEGER);
DROP TABLE changed;
