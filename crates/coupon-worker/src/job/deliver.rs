//! Delivering: from the outbox to the channels, at least once, under ids that stay the same.

use super::Run;
use crate::limits::{ATTEMPTS_AT_ONCE, DELIVERY_LEASE, FORGET_AT_ONCE, GRACE_OF_AN_ATTEMPT, PLANS_AT_ONCE};
use coupon_app::{
    Attempt, Channel, ChannelOutcome, Notification, Passed, Plan, Report, Settled, StoreError, Taken,
    Verdict, limits,
};
use coupon_core::Timestamp;
use futures_util::StreamExt as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use tokio::time::Instant;

impl Run<'_> {
    /// Announces, plans and delivers until nothing more is due, and forgets what is old.
    pub(super) async fn deliver(&mut self) -> Result<(), StoreError> {
        if self.parts().channels.is_empty() {
            // What is written waits for a channel.
            return Ok(());
        }
        loop {
            let began = Instant::now();
            let announced = self
                .parts()
                .calendar
                .announce(self.parts().settings.batch)
                .await?;
            let planned = self.plan().await?;
            let tried = self.bring().await?;
            let passed = Passed {
                written: 0,
                more: announced.more || planned || tried,
                held: began.elapsed(),
            };
            if !self.goes_on(passed).await? {
                break;
            }
        }
        self.forget().await
    }

    /// Asks the channels who is to be told; says whether there was anything to ask.
    async fn plan(&mut self) -> Result<bool, StoreError> {
        let parts = self.parts();
        let new = parts
            .outbox
            .take_new(self.now(), DELIVERY_LEASE, PLANS_AT_ONCE)
            .await?;
        if new.is_empty() {
            return Ok(false);
        }
        let mut plans = Vec::with_capacity(new.len());
        for notification in &new {
            match self.recipients(notification).await {
                Ok(plan) => plans.push(plan),
                // It is handed out again when its lease ends.
                Err(error) => {
                    self.jobs.books.unplanned.inc();
                    tracing::warn!(id = %notification.id(), %error, "nobody can say who is to be told; asking again");
                }
            }
        }
        parts.outbox.plan(&plans, self.now()).await?;
        Ok(true)
    }

    async fn recipients(&self, notification: &Notification) -> Result<Plan, StoreError> {
        let mut deliveries = Vec::new();
        for channel in &self.parts().channels {
            let recipients = channel.recipients(notification).await?;
            let bounded = recipients.into_iter().take(limits::MAX_RECIPIENTS);
            deliveries.extend(bounded.map(|recipient| (channel.name().into(), recipient)));
        }
        Ok(Plan {
            notification: notification.id(),
            deliveries,
        })
    }

    /// Tries what is due; says whether there was anything to try.
    async fn bring(&mut self) -> Result<bool, StoreError> {
        let (now, jobs) = (self.now(), self.jobs);
        let names: Vec<&str> = jobs.parts.channels.iter().map(|channel| channel.name()).collect();
        let outbox = &jobs.parts.outbox;
        let due = outbox
            .take_due(&names, now, DELIVERY_LEASE, ATTEMPTS_AT_ONCE)
            .await?;
        let any = !due.is_empty();
        // All at once: so many attempts are over before the lease is, whatever the other sides do.
        let attempts = due.into_iter().map(|taken| self.attempt(taken, now));
        let attempts: futures_util::stream::FuturesUnordered<_> = attempts.collect();
        // What has ended is written down while others still wait, so that a crash repeats as little as possible.
        let mut ended = attempts.ready_chunks(ATTEMPTS_AT_ONCE);
        let mut delivered = 0;
        while let Some(settled) = ended.next().await {
            let settled: Vec<Settled> = settled.into_iter().flatten().collect();
            outbox.settle(&settled, now).await?;
            let those = settled.iter().filter(|one| one.verdict == Verdict::Delivered);
            delivered += u64::try_from(those.count()).unwrap_or(u64::MAX);
            jobs.books.settled(&settled);
        }
        drop(ended);
        self.done = self.done.saturating_add(delivered);
        Ok(any)
    }

    /// Tries once.
    async fn attempt(&self, taken: Taken, now: Timestamp) -> Option<Settled> {
        let Taken {
            delivery,
            attempt,
            notification,
        } = taken;
        let channel: &Arc<dyn Channel> = self
            .parts()
            .channels
            .iter()
            .find(|channel| *channel.name() == *delivery.channel)?;
        let order = Attempt {
            notification,
            recipient: delivery.recipient.clone(),
            number: attempt,
            now,
        };
        let within = limits::LONGEST_ATTEMPT + GRACE_OF_AN_ATTEMPT;
        let outcome = tokio::time::timeout(within, channel.deliver(&order)).await;
        let outcome = outcome.unwrap_or_else(|_elapsed| ChannelOutcome::RetryLater {
            after: None,
            report: Report::new(None, "the channel took too long"),
        });
        let verdict = match &outcome {
            ChannelOutcome::Delivered(_) => Verdict::Delivered,
            ChannelOutcome::Undeliverable(_) => Verdict::Undeliverable,
            ChannelOutcome::Refused(_) | ChannelOutcome::DisableEndpoint(_) => Verdict::Dead,
            ChannelOutcome::RetryLater { after, .. } => {
                let mut hasher = DefaultHasher::new();
                (&delivery, attempt).hash(&mut hasher);
                // Spread by what it is rather than by dice, so that a run can be repeated.
                match channel.patience().wait(attempt, *after, hasher.finish()) {
                    Some(wait) => Verdict::Again(now.saturating_add(wait)),
                    None => Verdict::Dead,
                }
            }
        };
        if verdict == Verdict::Dead {
            tracing::error!(
                notification = %delivery.notification,
                channel = &*delivery.channel,
                attempts = attempt,
                why = &*outcome.report().text,
                "a notification was given up; it is listed as dead and can be replayed"
            );
        }
        Some(Settled {
            delivery,
            attempt,
            verdict,
            report: outcome.report().clone(),
        })
    }

    async fn forget(&mut self) -> Result<(), StoreError> {
        let parts = self.parts();
        let keep = parts.settings.keep.as_micros();
        let before = Timestamp::saturating_from_micros(self.now().as_micros().saturating_sub(keep));
        parts.outbox.forget(before, FORGET_AT_ONCE).await?;
        self.jobs.books.tell(parts.outbox.tally().await?, self.now());
        Ok(())
    }
}
