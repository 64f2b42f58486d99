//! Issues of one coupon in one transaction: read, decide, write.

use super::poster::Reach;
use super::{Inner, LedgerClock, Prepared};
use crate::connection::Answered;
use crate::error::Failure;
use crate::limits;
use crate::notices;
use crate::row;
use crate::rows::{self, Ends};
use crate::script::Script;
use crate::session::{CLOCK, Session};
use coupon_app::{Epoch, IssueRequest, IssuedRecord, NotificationKind, Reply};
use coupon_core::{Coupon, CouponId, Held, Outcome, Standing, Timestamp, UserId, decide};
use sqlx::mysql::MySqlRow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The requests of one batch for one coupon, with their places in it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) coupon: CouponId,
    pub(super) places: Vec<usize>,
    pub(super) requests: Vec<IssueRequest>,
}

/// What keeps others from deciding the same coupon meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// The lock of its row.
    RowLock,
    /// Nothing: the coupon is read as it was committed, and the write fails if it has changed since, or if a later
    /// token than this has written.
    Token(u64),
}

/// The coupon as a transaction has read it.
#[derive(Debug)]
struct Read {
    coupon: Arc<Coupon>,
    epoch: Epoch,
    standing: Standing,
    first_issued_at: Option<Timestamp>,
    clock: Timestamp,
}

/// What was decided, not yet written.
#[derive(Debug, Default)]
struct Decided {
    outcomes: Vec<Outcome>,
    issues: Vec<IssuedRecord>,
}

impl Decided {
    /// Nobody is refused.
    fn everybody_holds(&self) -> bool {
        let holds = |outcome: &Outcome| matches!(outcome, Outcome::Issued(_) | Outcome::AlreadyIssued { .. });
        self.outcomes.iter().all(holds)
    }
}

/// Whether some of those who ask may have one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holders {
    /// They are looked for before it is decided.
    Likely,
    /// They are not, unless somebody is refused.
    Unlikely,
}

/// What users hold.
fn held_by(answered: impl IntoIterator<Item = Answered>) -> Result<HashMap<UserId, Held>, Failure> {
    let mut held = HashMap::new();
    for found in answered.into_iter().flat_map(|one| one.rows) {
        let grant = row::grant(&found, 1)?;
        let key = row::key(&found, 4)?;
        held.insert(row::user(&found, 0)?, Held { grant, key });
    }
    Ok(held)
}

impl Group {
    pub(super) fn of(coupon: CouponId) -> Self {
        Self {
            coupon,
            places: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Everything up to COMMIT. When nothing was written the transaction has ended.
    ///
    /// Where only newcomers have asked lately, nobody is looked for before the rows are written: the table's own key finds
    /// whoever has one already. Then nothing of it happened, and it is done again with everybody looked for.
    pub(super) async fn prepare(
        &self,
        inner: &Inner,
        session: &mut Session,
        guard: Guard,
    ) -> Result<Prepared, Failure> {
        if inner.newcomers.are_expected(self.coupon) {
            match self.prepare_with(inner, session, guard, Holders::Unlikely).await {
                Err(failure) if failure.is_duplicate() => {
                    inner.newcomers.expect(self.coupon, false);
                    session.roll_back().await;
                }
                prepared => return prepared,
            }
        }
        self.prepare_with(inner, session, guard, Holders::Likely).await
    }

    async fn prepare_with(
        &self,
        inner: &Inner,
        session: &mut Session,
        guard: Guard,
        holders: Holders,
    ) -> Result<Prepared, Failure> {
        let (read, mut held) = self.read(inner, session, guard, holders).await?;
        let mut newcomers = held.is_empty();
        let mut decided = self.decide(read.as_ref(), &mut held);
        if !decided.everybody_holds() {
            newcomers = false;
            if holders == Holders::Unlikely {
                // Whoever has one already is told so before any refusal.
                let mut held = held_by(self.ask_holders(session, Script::new()).await?)?;
                decided = self.decide(read.as_ref(), &mut held);
            }
        }
        inner.newcomers.expect(self.coupon, newcomers);
        let Decided { outcomes, issues } = decided;
        let replies = outcomes.into_iter().map(Reply::Issue).collect();
        let (Some(read), Some(ends)) = (read, Ends::of(issues.iter())) else {
            session.roll_back().await;
            return Ok(Prepared { replies, news: None });
        };
        self.write(inner, session, guard, &read, &issues, &ends).await?;
        let reach = Reach {
            issued: ends.highest,
            first_issued_at: read
                .first_issued_at
                .unwrap_or(Timestamp::saturating_from_micros(ends.first_issued_at)),
            last_issued_at: Timestamp::saturating_from_micros(ends.last_issued_at),
        };
        Ok(Prepared {
            replies,
            news: Some((read.coupon, Some(reach))),
        })
    }

    async fn read(
        &self,
        inner: &Inner,
        session: &mut Session,
        guard: Guard,
        holders: Holders,
    ) -> Result<(Option<Read>, HashMap<UserId, Held>), Failure> {
        let mut script = Script::new();
        script.statement("START TRANSACTION");
        let known = inner.poster.known(self.coupon);
        select_coupon(
            &mut script,
            self.coupon,
            known.as_ref().map_or(0, |coupon| coupon.revision),
        );
        if guard == Guard::RowLock {
            script.sql(" FOR UPDATE");
        }
        let answered = match holders {
            Holders::Likely => self.ask_holders(session, script).await?,
            Holders::Unlikely => session.ask(script).await?,
        };
        let mut answered = answered.into_iter().skip(1);
        let coupon = answered.next().and_then(|one| one.rows.into_iter().next());
        let mut read = coupon.map(|found| Read::new(&found, known)).transpose()?;
        if let (LedgerClock::Given(clock), Some(read)) = (&inner.clock, &mut read) {
            read.clock = clock.now();
        }
        Ok((read, held_by(answered)?))
    }

    /// Asks who of the users has one, behind what stands in `script`.
    async fn ask_holders(&self, session: &mut Session, mut script: Script) -> Result<Vec<Answered>, Failure> {
        let mut users: Vec<&UserId> = self.requests.iter().map(|request| &request.user).collect();
        let mut seen = HashSet::with_capacity(users.len());
        users.retain(|user| seen.insert(*user));
        let mut answered = Vec::new();
        for chunk in users.chunks(limits::MAX_ASKED_USERS) {
            if script.len() > limits::MAX_SCRIPT_BYTES {
                answered.extend(session.ask(std::mem::take(&mut script)).await?);
            }
            rows::ask_holders(&mut script, self.coupon, chunk.iter().copied());
        }
        answered.extend(session.ask(script).await?);
        Ok(answered)
    }

    /// One after the other by the core, each on what the one before has left.
    fn decide(&self, read: Option<&Read>, held: &mut HashMap<UserId, Held>) -> Decided {
        let mut decided = Decided::default();
        let mut standing = read.map_or(Standing::NONE, |read| read.standing);
        for request in &self.requests {
            let outcome = decide(
                read.map(|read| read.coupon.as_ref()),
                standing,
                held.get(&request.user).copied(),
                request.key,
                read.map_or(Timestamp::MIN, |read| read.clock),
            );
            if let Outcome::Issued(grant) = outcome {
                standing = standing.after(grant);
                let key = request.key;
                held.insert(request.user.clone(), Held { grant, key });
                decided.issues.push(IssuedRecord {
                    coupon: self.coupon,
                    user: request.user.clone(),
                    grant,
                    key,
                });
            }
            decided.outcomes.push(outcome);
        }
        decided
    }

    async fn write(
        &self,
        inner: &Inner,
        session: &mut Session,
        guard: Guard,
        read: &Read,
        issues: &[IssuedRecord],
        ends: &Ends,
    ) -> Result<(), Failure> {
        let mut first = Script::new();
        first
            .statement("UPDATE coupons SET issued = ")
            .number(ends.highest);
        ends.set(&mut first);
        if let Guard::Token(token) = guard {
            first.sql(", fence = ").number(token);
        }
        first.sql(" WHERE id = ").number(self.coupon.get());
        first.sql(" AND issued = ").number(read.standing.issued);
        first.sql(" AND revision = ").number(read.coupon.revision);
        first.sql(" AND epoch = ").number(read.epoch);
        first
            .sql(" AND (quantity IS NULL OR quantity >= ")
            .number(ends.highest)
            .sql(")");
        if let Guard::Token(token) = guard {
            first.sql(" AND fence <= ").number(token);
        }
        session.count(&mut first);
        let mut scripts = rows::insert_issues(first, self.coupon, read.epoch, issues.iter()).into_iter();
        let answered = session.ask(scripts.next().unwrap_or_default()).await?;
        let changed = |index: usize| answered.get(index).is_some_and(|one| one.affected == 1);
        if !changed(0) {
            return Err(Failure::Overtaken("a coupon"));
        }
        if !changed(1) {
            return Err(Failure::Overtaken("the row of a session"));
        }
        for script in scripts {
            session.ask(script).await?;
        }
        let limit = read.coupon.terms.quantity.limit();
        let tells = inner.telling.kinds().has(NotificationKind::SoldOut);
        if tells && limit.is_some_and(|last| last.get() == ends.highest) {
            let mut script = Script::new();
            notices::write_sold_out(&mut script, self.coupon);
            session.ask(script).await?;
        }
        Ok(())
    }
}

/// Selects what [`Read::new`] reads. The coupon itself is sent only if it is another revision than the known one.
/// Its clock is read when the row is sent, so with `FOR UPDATE` after the lock is held.
fn select_coupon(script: &mut Script, coupon: CouponId, known: u32) {
    script
        .statement("SELECT IF(revision = ")
        .number(known)
        .sql(", NULL, coupon), epoch, issued, first_issued_at, last_issued_at, ")
        .sql(CLOCK)
        .sql(" FROM coupons WHERE id = ")
        .number(coupon.get());
}

impl Read {
    fn new(found: &MySqlRow, known: Option<Arc<Coupon>>) -> Result<Self, Failure> {
        let coupon = match (row::optional_text(found, 0)?, known) {
            (Some(json), _) => Arc::new(row::coupon(&json)?),
            (None, Some(known)) => known,
            (None, None) => return Err(Failure::Damaged("a coupon without its facts".to_owned())),
        };
        Ok(Self {
            coupon,
            epoch: row::small(found, 1)?,
            standing: Standing {
                issued: row::small(found, 2)?,
                last_issued_at: row::optional_timestamp(found, 4)?.unwrap_or(Timestamp::MIN),
            },
            first_issued_at: row::optional_timestamp(found, 3)?,
            clock: Timestamp::saturating_from_micros(row::signed(found, 5)?),
        })
    }
}
