//! Taking in what a shared ledger has decided: one transaction for everything that was delivered at once.
//!
//! The row of the coupon is locked first, so workers take turns; coupons are taken in order of id, so they cannot wait
//! for each other in a circle. Who finds that a coupon is unknown begins again with the row of `meta` locked in front,
//! so that an issue cannot go to quarantine while the coupon is being written beside it.

use crate::connection::Answered;
use crate::error::Failure;
use crate::limits;
use crate::notices;
use crate::quarantine::{self, Fingerprint};
use crate::row;
use crate::rows;
use crate::script::Script;
use crate::shelf::{Facts, Shelf, Step, asked};
use crate::store::Reader;
use coupon_app::{Delivered, Delivery, Epoch, IssuedRecord, NotificationKind, Record};
use coupon_core::{CouponId, Quantity};
use sqlx::MySql;
use sqlx::pool::PoolConnection;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

type Records<'d> = Vec<(Epoch, &'d Record)>;

pub(crate) async fn deliver(reader: &Reader, deliveries: &[Delivery]) -> Result<Delivered, Failure> {
    let mut by_coupon: BTreeMap<CouponId, Records<'_>> = BTreeMap::new();
    for delivery in deliveries {
        let records = by_coupon.entry(delivery.coupon).or_default();
        records.extend(delivery.records.iter().map(|record| (delivery.epoch, record)));
    }
    let mut creating = false;
    let mut attempt = 0;
    loop {
        let mut connection = reader.connection().await?;
        let mut transaction = Transaction {
            reader,
            connection: &mut connection,
            creating,
        };
        let failure = match transaction.carry_out(&by_coupon).await {
            Ok(Some(delivered)) => return Ok(delivered),
            Ok(None) => {
                transaction.roll_back().await;
                creating = true;
                continue;
            }
            Err(failure) => failure,
        };
        transaction.roll_back().await;
        if !failure.passes() || attempt + 1 >= reader.attempts() {
            return Err(failure);
        }
        drop(connection);
        reader.pause(attempt).await;
        attempt += 1;
    }
}

struct Transaction<'t> {
    reader: &'t Reader,
    connection: &'t mut PoolConnection<MySql>,
    /// The row of `meta` is locked: coupons may be created, and unknown ones are.
    creating: bool,
}

impl Transaction<'_> {
    async fn ask(&mut self, script: Script) -> Result<Vec<Answered>, Failure> {
        self.reader.ask_on(self.connection, script).await
    }

    /// Everything, committed. `None` when a coupon is unknown and `meta` is not locked.
    async fn carry_out(
        &mut self,
        by_coupon: &BTreeMap<CouponId, Records<'_>>,
    ) -> Result<Option<Delivered>, Failure> {
        let mut begin = Script::new();
        begin.statement("START TRANSACTION");
        if self.creating {
            begin.statement("SELECT only_row FROM meta WHERE only_row = 1 FOR UPDATE");
        }
        self.ask(begin).await?;
        let mut sum = Delivered::default();
        for (coupon, records) in by_coupon {
            let mut shelf = self.shelf(*coupon, records).await?;
            if shelf.facts.is_none() && !self.creating {
                return Ok(None);
            }
            for (epoch, record) in records {
                shelf.take(record, *epoch)?;
            }
            let (steps, delivered) = shelf.finish();
            self.write(*coupon, &steps).await?;
            sum.written += delivered.written;
            sum.redelivered += delivered.redelivered;
            sum.quarantined += delivered.quarantined;
            sum.released += delivered.released;
        }
        // If the answer to this is lost, everything is delivered again and found to be there.
        let mut commit = Script::new();
        commit.statement("COMMIT");
        self.ask(commit).await?;
        Ok(Some(sum))
    }

    async fn roll_back(&mut self) {
        let mut script = Script::new();
        script.statement("ROLLBACK");
        if self.ask(script).await.is_err() {
            self.connection.close_on_drop();
        }
    }

    /// Locks the coupon and reads what concerns these records.
    async fn shelf(&mut self, coupon: CouponId, records: &Records<'_>) -> Result<Shelf, Failure> {
        let issues: Vec<&IssuedRecord> = asked(coupon, records.iter().map(|(_, record)| *record)).collect();
        let mut script = Script::new();
        script
            .statement("SELECT revision, epoch, quantity, issued FROM coupons WHERE id = ")
            .number(coupon.get())
            .sql(" FOR UPDATE")
            .statement("SELECT 1 FROM quarantine WHERE coupon_id = ")
            .number(coupon.get())
            .sql(" LIMIT 1");
        let locked = self.ask(script).await?;
        let mut shelf = Shelf::default();
        if let Some(found) = locked.first().and_then(|one| one.rows.first()) {
            let quantity = row::optional_unsigned(found, 2)?;
            shelf.facts = Some(Facts {
                revision: row::revision(found, 0)?,
                epoch: row::small(found, 1)?,
                quantity: quantity
                    .and_then(|limit| NonZeroU32::new(u32::try_from(limit).ok()?))
                    .map_or(Quantity::UNLIMITED, Quantity::limited),
                count: row::small(found, 3)?,
            });
        }
        self.read_rows(&mut shelf, coupon, &issues).await?;
        if locked.get(1).is_some_and(|one| !one.rows.is_empty()) {
            self.read_quarantine(&mut shelf, coupon, records).await?;
        }
        Ok(shelf)
    }

    /// Who of these users holds the coupon, and which of these positions are taken.
    async fn read_rows(
        &mut self,
        shelf: &mut Shelf,
        coupon: CouponId,
        issues: &[&IssuedRecord],
    ) -> Result<(), Failure> {
        for chunk in issues.chunks(limits::MAX_ASKED_USERS) {
            let mut script = Script::new();
            rows::ask_holders(&mut script, coupon, chunk.iter().map(|issue| &issue.user));
            rows::ask_positions(
                &mut script,
                coupon,
                chunk.iter().map(|issue| issue.grant.position),
            );
            for found in self.ask(script).await?.iter().flat_map(|one| &one.rows) {
                let (user, position) = (row::user(found, 0)?, row::grant(found, 1)?.position);
                shelf.taken.insert(position, user.clone());
                shelf.held.insert(user, position);
            }
        }
        Ok(())
    }

    async fn read_quarantine(
        &mut self,
        shelf: &mut Shelf,
        coupon: CouponId,
        records: &Records<'_>,
    ) -> Result<(), Failure> {
        let fingerprints = records
            .iter()
            .map(|(epoch, record)| quarantine::fingerprint(record, *epoch));
        let fingerprints: Vec<Fingerprint> = fingerprints.collect::<Result<_, _>>()?;
        let known = shelf.facts.map_or(0, |facts| facts.revision);
        let revised = records
            .iter()
            .any(|(_, record)| matches!(record, Record::Revised(one) if one.coupon.revision > known));
        let mut waiting: Vec<IssuedRecord> = Vec::new();
        if revised {
            let mut script = Script::new();
            quarantine::ask_waiting(&mut script, coupon, limits::MAX_RELEASED);
            for one in self.ask(script).await? {
                for (kept, fingerprint) in quarantine::found(&one.rows)? {
                    if let Record::Issued(issue) = &kept.record {
                        waiting.push(issue.clone());
                    }
                    shelf.detained.insert(fingerprint, kept);
                }
            }
        }
        for chunk in fingerprints.chunks(limits::MAX_ASKED_USERS) {
            let mut script = Script::new();
            quarantine::ask_known(&mut script, chunk);
            for one in self.ask(script).await? {
                shelf.detained.extend(
                    quarantine::found(&one.rows)?
                        .into_iter()
                        .map(|(kept, fingerprint)| (fingerprint, kept)),
                );
            }
        }
        let waiting: Vec<&IssuedRecord> = waiting.iter().collect();
        self.read_rows(shelf, coupon, &waiting).await
    }

    async fn write(&mut self, coupon: CouponId, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            match step {
                Step::Rows(epoch, issues) => self.write_rows(coupon, *epoch, issues).await?,
                Step::SoldOut => {
                    if self.reader.notifications().has(NotificationKind::SoldOut) {
                        let mut script = Script::new();
                        notices::write_sold_out(&mut script, coupon);
                        self.ask(script).await?;
                    }
                }
                Step::Create(epoch, revised) => {
                    let mut script = Script::new();
                    rows::insert_coupon(&mut script, &revised.coupon, *epoch)?;
                    rows::insert_revision(&mut script, revised, true)?;
                    self.ask(script).await?;
                }
                Step::Revise(revised) => {
                    let mut script = Script::new();
                    rows::update_coupon(&mut script, &revised.coupon)?;
                    rows::insert_revision(&mut script, revised, true)?;
                    self.ask(script).await?;
                }
                Step::Remember(revised) => {
                    let mut script = Script::new();
                    rows::insert_revision(&mut script, revised, true)?;
                    self.ask(script).await?;
                }
                Step::Detain(epoch, reason, record) => {
                    let mut script = Script::new();
                    quarantine::put(&mut script, coupon, record, *epoch, *reason)?;
                    self.ask(script).await?;
                }
                Step::Lift(fingerprint) => {
                    let mut script = Script::new();
                    quarantine::lift(&mut script, fingerprint);
                    self.ask(script).await?;
                }
            }
        }
        Ok(())
    }

    /// Issued coupons, and the hard limit: the count goes up only within the quantity and the epoch.
    async fn write_rows(
        &mut self,
        coupon: CouponId,
        epoch: Epoch,
        issues: &[IssuedRecord],
    ) -> Result<(), Failure> {
        let mut first = Script::new();
        rows::raise_count(&mut first, coupon, epoch, issues);
        let mut scripts = rows::insert_issues(first, coupon, epoch, issues.iter()).into_iter();
        let raised = self.ask(scripts.next().unwrap_or_default()).await?;
        if raised.first().is_none_or(|one| one.affected != 1) {
            return Err(Failure::Overtaken("the hard limit of a coupon"));
        }
        for script in scripts {
            self.ask(script).await?;
        }
        Ok(())
    }
}
