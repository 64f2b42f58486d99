//! The reference's outbox, calendar and job book: state that is plain to see.

use crate::{
    DeliveryId, DeliveryRecord, DeliveryState, FailedDelivery, JobRecord, JobRun, NotificationId,
    NotificationKind, NotificationKinds, OutboxTally, Plan, Recipient, Remedy, Report, Settled, Verdict,
};
use coupon_core::{IssuedCouponId, Span, Timestamp, lease_is_free};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Notices {
    pub(super) kinds: NotificationKinds,
    /// Every id that was ever written.
    written: BTreeSet<NotificationId>,
    rows: Vec<Row>,
    planned: u64,
    shown: u64,
    pub(super) expired: BTreeSet<IssuedCouponId>,
    pub(super) announced: BTreeSet<IssuedCouponId>,
    pub(super) reminded: BTreeMap<IssuedCouponId, u16>,
    jobs: BTreeMap<Box<str>, JobRecord>,
}

#[derive(Debug)]
struct Row {
    id: NotificationId,
    at: Timestamp,
    /// When somebody may take it to plan it; `None` when it is planned.
    new_at: Option<Timestamp>,
    deliveries: Vec<Kept>,
    done_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    channel: Box<str>,
    recipient: Recipient,
    state: DeliveryState,
    attempts: u32,
    due_at: Timestamp,
    report: Report,
    /// Its number on the list of failures, once it was shown there.
    letter: Option<u64>,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            kinds: NotificationKinds::ALL,
            written: BTreeSet::new(),
            rows: Vec::new(),
            planned: 0,
            shown: 0,
            expired: BTreeSet::new(),
            announced: BTreeSet::new(),
            reminded: BTreeMap::new(),
            jobs: BTreeMap::new(),
        }
    }
}

impl Notices {
    pub(super) fn wants(&self, kind: NotificationKind) -> bool {
        self.kinds.has(kind)
    }

    /// Writes one, if it is wanted and was never written.
    pub(super) fn write(&mut self, id: NotificationId, at: Timestamp) {
        if self.wants(id.kind()) && self.written.insert(id) {
            self.rows.push(Row {
                id,
                at,
                new_at: Some(Timestamp::MIN),
                deliveries: Vec::new(),
                done_at: None,
            });
        }
    }

    pub(super) fn take_new(
        &mut self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Vec<(NotificationId, Timestamp)> {
        let mut due: Vec<&mut Row> = self
            .rows
            .iter_mut()
            .filter(|row| row.new_at.is_some_and(|due| due <= now))
            .collect();
        due.sort_by_key(|row| row.new_at);
        let take = |row: &mut Row| {
            row.new_at = Some(now.saturating_add(lease));
            (row.id, row.at)
        };
        due.into_iter().take(limit).map(take).collect()
    }

    pub(super) fn plan(&mut self, plans: &[Plan], now: Timestamp) {
        for plan in plans {
            let row = self.rows.iter_mut().find(|row| row.id == plan.notification);
            let Some(row) = row.filter(|row| row.new_at.is_some()) else {
                continue;
            };
            row.new_at = None;
            for (channel, recipient) in &plan.deliveries {
                self.planned += 1;
                row.deliveries.push(Kept {
                    number: self.planned,
                    channel: channel.clone(),
                    recipient: recipient.clone(),
                    state: DeliveryState::Waiting,
                    attempts: 0,
                    due_at: now,
                    report: Report::default(),
                    letter: None,
                });
            }
            row.note_end(now);
        }
    }

    pub(super) fn take_due(
        &mut self,
        channels: &[&str],
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Vec<(NotificationId, Timestamp, DeliveryId, u32)> {
        let mut due: Vec<(NotificationId, Timestamp, &mut Kept)> = self
            .rows
            .iter_mut()
            .flat_map(|row| row.deliveries.iter_mut().map(|kept| (row.id, row.at, kept)))
            .filter(|(_, _, kept)| {
                kept.state == DeliveryState::Waiting
                    && kept.due_at <= now
                    && channels.contains(&&*kept.channel)
            })
            .collect();
        due.sort_by_key(|(_, _, kept)| (kept.due_at, kept.number));
        let take = |(id, at, kept): (NotificationId, Timestamp, &mut Kept)| {
            kept.attempts += 1;
            kept.due_at = now.saturating_add(lease);
            (id, at, kept.id(id), kept.attempts)
        };
        due.into_iter().take(limit).map(take).collect()
    }

    pub(super) fn settle(&mut self, settled: &[Settled], now: Timestamp) {
        for one in settled {
            let Some((row, index)) = self.find(&one.delivery) else {
                continue;
            };
            let kept = &mut row.deliveries[index];
            let stale = kept.attempts != one.attempt && one.verdict != Verdict::Delivered;
            if kept.state != DeliveryState::Waiting || stale {
                continue;
            }
            kept.state = one.verdict.state();
            kept.report = one.report.clone();
            if let Verdict::Again(at) = one.verdict {
                kept.due_at = at;
            }
            row.note_end(now);
        }
    }

    /// The state in which it was, if it was a final one.
    pub(super) fn replay(&mut self, delivery: &DeliveryId, now: Timestamp) -> Option<DeliveryState> {
        let (row, index) = self.find(delivery)?;
        let kept = &mut row.deliveries[index];
        let before = kept.state;
        if before == DeliveryState::Waiting {
            return None;
        }
        kept.wait_again(now);
        row.done_at = None;
        Some(before)
    }

    pub(super) fn failed(&mut self, channel: &str, after: u64, limit: usize) -> Vec<FailedDelivery> {
        let on_list = |kept: &Kept| kept.state.has_failed() && *kept.channel == *channel;
        let all = |rows: &[Row]| -> Vec<FailedDelivery> {
            let those = rows.iter().flat_map(|row| {
                let kept = row.deliveries.iter().filter(|kept| on_list(kept));
                kept.filter_map(move |kept| {
                    let letter = kept.letter.filter(|letter| *letter > after)?;
                    let record = kept.record(row);
                    Some(FailedDelivery { letter, record })
                })
            });
            let mut those: Vec<FailedDelivery> = those.collect();
            those.sort_by_key(|failed| failed.letter);
            those.truncate(limit);
            those
        };
        let known = all(&self.rows);
        if after <= self.shown {
            let kept = self.rows.iter_mut().flat_map(|row| &mut row.deliveries);
            let mut new: Vec<&mut Kept> = kept
                .filter(|kept| on_list(kept) && kept.letter.is_none())
                .collect();
            new.sort_by_key(|kept| kept.number);
            for kept in new.into_iter().take(limit - known.len()) {
                self.shown += 1;
                kept.letter = Some(self.shown);
            }
        }
        all(&self.rows)
    }

    pub(super) fn look_after(&mut self, channel: &str, through: u64, remedy: Remedy, now: Timestamp) -> u64 {
        let mut done = 0;
        for row in &mut self.rows {
            for kept in &mut row.deliveries {
                let shown = kept.letter.is_some_and(|letter| letter <= through);
                if *kept.channel != *channel || !shown {
                    continue;
                }
                match remedy {
                    Remedy::Replay => kept.wait_again(now),
                    Remedy::Dismiss => {
                        kept.state = DeliveryState::Dismissed;
                        kept.letter = None;
                    }
                }
                done += 1;
            }
            row.note_end(now);
        }
        done
    }

    fn find(&mut self, delivery: &DeliveryId) -> Option<(&mut Row, usize)> {
        let row = self.rows.iter_mut().find(|row| row.id == delivery.notification)?;
        let is_it = |kept: &Kept| kept.channel == delivery.channel && kept.recipient == delivery.recipient;
        let index = row.deliveries.iter().position(is_it)?;
        Some((row, index))
    }

    pub(super) fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Vec<DeliveryRecord> {
        let mut all: Vec<DeliveryRecord> = self
            .rows
            .iter()
            .flat_map(|row| row.deliveries.iter().map(move |kept| kept.record(row)))
            .filter(|one| one.number > after && state.is_none_or(|state| state == one.state))
            .collect();
        all.sort_by_key(|one| one.number);
        all.truncate(limit);
        all
    }

    pub(super) fn tally(&self) -> OutboxTally {
        let mut tally = OutboxTally::default();
        for row in &self.rows {
            let count = |state| {
                let those = row.deliveries.iter().filter(|kept| kept.state == state);
                u64::try_from(those.count()).unwrap_or(u64::MAX)
            };
            let waiting = count(DeliveryState::Waiting);
            tally.new += u64::from(row.new_at.is_some());
            tally.waiting += waiting;
            tally.dead += count(DeliveryState::Dead);
            tally.undeliverable += count(DeliveryState::Undeliverable);
            if row.new_at.is_some() || waiting > 0 {
                tally.oldest = Some(tally.oldest.map_or(row.at, |oldest| oldest.min(row.at)));
            }
        }
        tally
    }

    pub(super) fn forget(&mut self, before: Timestamp, limit: usize) -> u64 {
        let mut gone = 0;
        self.rows.retain(|row| {
            let old = row.done_at.is_some_and(|done| done < before) && gone < limit;
            gone += usize::from(old);
            !old
        });
        u64::try_from(gone).unwrap_or(u64::MAX)
    }

    pub(super) fn take_job(&mut self, name: &str, owner: &str, now: Timestamp, lease: Span) -> bool {
        let job = self.jobs.entry(name.into()).or_insert_with(|| JobRecord {
            name: name.into(),
            lease: None,
            last: None,
        });
        let held = job.lease.as_ref().map(|(owner, until)| (&**owner, *until));
        let free = lease_is_free(held, owner, now);
        if free {
            job.lease = Some((owner.into(), now.saturating_add(lease)));
        }
        free
    }

    pub(super) fn end_job(&mut self, name: &str, owner: &str, run: &JobRun) {
        let Some(job) = self.jobs.get_mut(name) else {
            return;
        };
        if job.lease.as_ref().is_some_and(|(holder, _)| **holder == *owner) {
            job.lease = None;
            job.last = Some(run.clone());
        }
    }

    pub(super) fn jobs(&self) -> Vec<JobRecord> {
        self.jobs.values().cloned().collect()
    }
}

impl Row {
    /// Notes when nothing was left to be brought or seen.
    fn note_end(&mut self, now: Timestamp) {
        let ended = self.new_at.is_none() && !self.deliveries.iter().any(|kept| kept.state.is_open());
        if ended && self.done_at.is_none() {
            self.done_at = Some(now);
        }
    }
}

impl Kept {
    fn wait_again(&mut self, now: Timestamp) {
        self.state = DeliveryState::Waiting;
        self.attempts = 0;
        self.due_at = now;
        self.letter = None;
    }

    fn id(&self, notification: NotificationId) -> DeliveryId {
        DeliveryId {
            notification,
            channel: self.channel.clone(),
            recipient: self.recipient.clone(),
        }
    }

    fn record(&self, row: &Row) -> DeliveryRecord {
        DeliveryRecord {
            number: self.number,
            delivery: self.id(row.id),
            at: row.at,
            state: self.state,
            attempts: self.attempts,
            due_at: (self.state == DeliveryState::Waiting).then_some(self.due_at),
            report: self.report.clone(),
        }
    }
}
