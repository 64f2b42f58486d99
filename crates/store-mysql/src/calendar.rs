//! What the clock makes due: expiry and reminders, block by block.
//!
//! Rows are locked in the order of their keys and blocks behind them, as redemptions do it.

use crate::error::Failure;
use crate::limits;
use crate::notices::{self, Told};
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use crate::survey::{Block, survey};
use crate::teller;
use crate::transaction::{Transaction, Tries};
use coupon_app::{NotificationId, NotificationKind, Passed, Reminders, ZonedReminders};
use coupon_core::{CouponId, IssuedCouponId, Position, Reminding, Timestamp, decide_reminder};
use sqlx::mysql::MySqlRow;
use std::collections::{BTreeMap, HashMap};

const UNUSED: &str = " AND redeemed_at IS NULL AND revoked_at IS NULL";
const UNNOTED: &str = " AND expiry_noted_at IS NULL";

/// What goes through the blocks.
#[derive(Clone, Copy, Debug)]
enum Errand<'r> {
    Expire,
    Remind(&'r Reminders),
}

/// A block that has something due.
#[derive(Clone, Copy, Debug)]
struct Due {
    block: Block,
    coupon: CouponId,
    version: u64,
}

impl Due {
    fn issued(&self, position: Position) -> IssuedCouponId {
        IssuedCouponId {
            coupon: self.coupon,
            position,
        }
    }
}

/// What became of a block.
struct Visited {
    written: u64,
    /// When something is due next; `Err` when there was more than there was room for.
    next: Result<Option<i64>, Unfinished>,
}

struct Unfinished;

/// Writes down what has expired unused.
pub(crate) async fn expire(reader: &Reader, now: Timestamp, limit: usize) -> Result<Passed, Failure> {
    pass(reader, Errand::Expire, now, limit).await
}

/// Writes the reminders that are due.
pub(crate) async fn remind(
    reader: &Reader,
    reminders: &Reminders,
    now: Timestamp,
    limit: usize,
) -> Result<Passed, Failure> {
    if !reader.notifications().has(NotificationKind::Expiring) {
        return Ok(Passed::default());
    }
    let mut tries = Tries::default();
    while let Err(failure) = look_again_for(reader, reminders).await {
        tries.after(reader, failure).await?;
    }
    pass(reader, Errand::Remind(reminders), now, limit).await
}

/// When other reminders are asked for than before, every block has to be looked at again.
async fn look_again_for(reader: &Reader, reminders: &Reminders) -> Result<(), Failure> {
    let name = reminders.name();
    let known = || {
        let mut script = Script::new();
        script.statement("SELECT reminders FROM meta WHERE only_row = 1");
        script
    };
    let answered = reader.ask_one(known).await?;
    let known = answered
        .rows
        .first()
        .map(|found| row::text(found, 0))
        .transpose()?;
    if known.as_deref() == Some(&*name) {
        return Ok(());
    }
    let mut transaction = Transaction::begin(reader).await?;
    let mut script = Script::new();
    script
        .statement("UPDATE meta SET reminders = ")
        .text(&name)
        .sql(" WHERE only_row = 1")
        .statement("UPDATE issued_blocks SET reminder_due = 0, version = version + 1");
    transaction.ask(script).await?;
    transaction.commit().await
}

/// Goes through due blocks until about `limit` rows are written.
async fn pass(reader: &Reader, errand: Errand<'_>, now: Timestamp, limit: usize) -> Result<Passed, Failure> {
    let unseen = survey(reader).await?;
    let mut tries = Tries::default();
    loop {
        match try_pass(reader, errand, now, limit).await {
            Ok(mut passed) => {
                passed.more |= unseen;
                return Ok(passed);
            }
            Err(failure) => tries.after(reader, failure).await?,
        }
    }
}

async fn try_pass(
    reader: &Reader,
    errand: Errand<'_>,
    now: Timestamp,
    limit: usize,
) -> Result<Passed, Failure> {
    let mut transaction = Transaction::begin(reader).await?;
    // Looking costs about as much as writing.
    let most_looks = (limit >> 12) + 2;
    let blocks = due(&mut transaction, errand, now, most_looks).await?;
    if blocks.is_empty() {
        transaction.roll_back().await?;
        return Ok(Passed::default());
    }
    let zones = match errand {
        Errand::Expire => HashMap::new(),
        Errand::Remind(_) => {
            let ids = blocks.iter().map(|due| due.coupon).collect();
            teller::coupons(&mut transaction, &ids).await?
        }
    };
    let enough = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
    let tells = reader.notifications().has(NotificationKind::Expired);
    let mut passed = Passed::default();
    let mut finished = Vec::new();
    for (index, due) in blocks.iter().enumerate() {
        if passed.written >= enough || index >= most_looks {
            passed.more = true;
            break;
        }
        let room = enough - passed.written;
        let visited = match errand {
            Errand::Expire => note_expiry(&mut transaction, due, tells, now, room).await?,
            Errand::Remind(reminders) => {
                let coupon = zones.get(&due.coupon);
                let coupon =
                    coupon.ok_or_else(|| Failure::Damaged(format!("coupon {} is missing", due.coupon)))?;
                let zoned = reminders.in_zone(&coupon.terms.time_zone);
                remind_of(&mut transaction, due, zoned, now, room).await?
            }
        };
        passed.written += visited.written;
        match visited.next {
            Ok(next) => finished.push((*due, next)),
            Err(Unfinished) => passed.more = true,
        }
    }
    passed.more |= put_off(&mut transaction, errand, &finished).await?;
    transaction.commit().await?;
    Ok(passed)
}

impl Errand<'_> {
    fn column(self) -> &'static str {
        match self {
            Self::Expire => "expiry_due",
            Self::Remind(_) => "reminder_due",
        }
    }
}

/// The blocks that are due, at most one more than are looked at.
async fn due(
    transaction: &mut Transaction,
    errand: Errand<'_>,
    now: Timestamp,
    most_looks: usize,
) -> Result<Vec<Due>, Failure> {
    let mut script = Script::new();
    script
        .statement("SELECT coupon_id, block, version FROM issued_blocks WHERE ")
        .sql(errand.column())
        .sql(" <= ")
        .number(now.as_micros())
        .sql(" ORDER BY coupon_id, block LIMIT ")
        .number(u64::try_from(most_looks).unwrap_or(u64::MAX).saturating_add(1));
    let found = transaction.ask_one(script).await?.rows;
    let one = |found| {
        Ok(Due {
            block: Block {
                coupon: row::small(found, 0)?,
                number: row::small(found, 1)?,
            },
            coupon: row::coupon_id(found, 0)?,
            version: row::unsigned(found, 2)?,
        })
    };
    found.iter().map(one).collect()
}

/// Writes down when blocks are due next, unless somebody has reset them since; says whether somebody has.
async fn put_off(
    transaction: &mut Transaction,
    errand: Errand<'_>,
    finished: &[(Due, Option<i64>)],
) -> Result<bool, Failure> {
    let mut reset = false;
    for some in finished.chunks(limits::MAX_SCRIPT_STATEMENTS) {
        let mut script = Script::new();
        for (due, next) in some {
            script
                .statement("UPDATE issued_blocks SET ")
                .sql(errand.column())
                .sql(" = ")
                .optional(*next);
            due.block.itself(&mut script);
            script.sql(" AND version = ").number(due.version);
        }
        let answered = transaction.ask(script).await?;
        reset |= answered.iter().any(|one| one.affected == 0);
    }
    Ok(reset)
}

/// Writes positions into a condition.
fn at_positions(script: &mut Script, positions: impl Iterator<Item = Position>) {
    script.sql(" AND position IN (");
    for (index, position) in positions.enumerate() {
        script
            .sql(if index == 0 { "" } else { ", " })
            .number(position.get());
    }
    script.sql(")");
}

fn position(found: &MySqlRow, column: usize) -> Result<Position, Failure> {
    Position::new(row::small(found, column)?).ok_or_else(|| Failure::Damaged("position 0".to_owned()))
}

async fn note_expiry(
    transaction: &mut Transaction,
    due: &Due,
    tells: bool,
    now: Timestamp,
    room: u64,
) -> Result<Visited, Failure> {
    let mut script = Script::new();
    script.statement("SELECT position, expires_at");
    due.block.rows(&mut script);
    script
        .sql(UNUSED)
        .sql(UNNOTED)
        .sql(" AND expires_at <= ")
        .number(now.as_micros())
        .sql(" ORDER BY position LIMIT ")
        .number(room)
        .sql(" FOR UPDATE");
    let found = transaction.ask_one(script).await?.rows;
    let expired = |found| {
        let issued = due.issued(position(found, 0)?);
        Ok((issued, row::timestamp(found, 1)?))
    };
    let expired: Vec<(IssuedCouponId, Timestamp)> =
        found.iter().map(expired).collect::<Result<_, Failure>>()?;
    for some in expired.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        if tells {
            let told = some.iter().map(|(issued, at)| Told {
                id: NotificationId::Expired(*issued),
                at: *at,
            });
            notices::insert(&mut script, &told.collect::<Vec<_>>());
        }
        script
            .statement("UPDATE issued_coupons SET expiry_noted_at = ")
            .number(now.as_micros())
            .sql(" WHERE coupon_id = ")
            .number(due.block.coupon);
        at_positions(&mut script, some.iter().map(|(issued, _)| issued.position));
        transaction.ask(script).await?;
    }
    let written = u64::try_from(expired.len()).unwrap_or(u64::MAX);
    if written >= room {
        let next = Err(Unfinished);
        return Ok(Visited { written, next });
    }
    let mut script = Script::new();
    script.statement("SELECT MIN(expires_at)");
    due.block.rows(&mut script);
    script.sql(UNUSED).sql(UNNOTED);
    let answered = transaction.ask_one(script).await?;
    let next = answered
        .rows
        .first()
        .map(|found| row::optional_signed(found, 0))
        .transpose()?;
    Ok(Visited {
        written,
        next: Ok(next.flatten()),
    })
}

/// The columns that [`reminding`] reads.
const REMINDED: &str = "SELECT position, issued_at, expires_at, reminded_days";

fn reminding(
    found: &MySqlRow,
    zoned: &mut ZonedReminders<'_>,
    now: Timestamp,
) -> Result<(Position, Reminding), Failure> {
    let expires_at = row::timestamp(found, 2)?;
    let reminded = row::optional_unsigned(found, 3)?;
    let reminded = reminded
        .map(u16::try_from)
        .transpose()
        .map_err(|_out_of_range| Failure::Damaged("the days of a reminder".to_owned()))?;
    let decided = decide_reminder(
        row::timestamp(found, 1)?,
        expires_at,
        reminded,
        zoned.of(expires_at).iter().copied(),
        now,
    );
    Ok((position(found, 0)?, decided))
}

/// Looks first, and locks only the rows that somebody is to be reminded of, which are then judged again.
async fn remind_of(
    transaction: &mut Transaction,
    due: &Due,
    mut zoned: ZonedReminders<'_>,
    now: Timestamp,
    room: u64,
) -> Result<Visited, Failure> {
    let mut script = Script::new();
    script.statement(REMINDED);
    due.block.rows(&mut script);
    script
        .sql(UNUSED)
        .sql(" AND expires_at > ")
        .number(now.as_micros())
        .sql(" ORDER BY position");
    let (mut positions, mut next) = (Vec::new(), None);
    for found in &transaction.ask_one(script).await?.rows {
        let (position, decided) = reminding(found, &mut zoned, now)?;
        if decided.due.is_some() {
            positions.push(position);
        }
        if let Some(at) = decided.next {
            next = Some(next.map_or(at, |next: Timestamp| next.min(at)));
        }
    }
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let next = if positions.len() > room {
        positions.truncate(room);
        Err(Unfinished)
    } else {
        Ok(next.map(Timestamp::as_micros))
    };
    let mut written = 0;
    for some in positions.chunks(limits::MAX_NUMBERED) {
        let mut script = Script::new();
        script
            .statement(REMINDED)
            .sql(" FROM issued_coupons FORCE INDEX (PRIMARY) WHERE coupon_id = ")
            .number(due.block.coupon);
        at_positions(&mut script, some.iter().copied());
        script.sql(UNUSED).sql(" ORDER BY position FOR UPDATE");
        let (mut told, mut by_days) = (Vec::new(), BTreeMap::<u16, Vec<Position>>::new());
        for found in &transaction.ask_one(script).await?.rows {
            let (position, decided) = reminding(found, &mut zoned, now)?;
            let Some(one) = decided.due else { continue };
            let (issued, days) = (due.issued(position), one.days);
            told.push(Told {
                id: NotificationId::Expiring { issued, days },
                at: one.at,
            });
            by_days.entry(days).or_default().push(position);
        }
        if told.is_empty() {
            continue;
        }
        let mut script = Script::new();
        notices::insert(&mut script, &told);
        for (days, positions) in by_days {
            script
                .statement("UPDATE issued_coupons SET reminded_days = ")
                .number(days)
                .sql(" WHERE coupon_id = ")
                .number(due.block.coupon);
            at_positions(&mut script, positions.into_iter());
        }
        transaction.ask(script).await?;
        written += u64::try_from(told.len()).unwrap_or(u64::MAX);
    }
    Ok(Visited { written, next })
}
