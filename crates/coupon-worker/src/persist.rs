//! Persisting: brings what a shared ledger has decided to the store, behind the sale.

use crate::books::Books;
use crate::limits::{FIRST_PAUSE, LAST_TRIES, LONGEST_PAUSE, MAX_HOPELESS_TRIES};
use coupon_app::{Clock, Delivery, DeliverySource, DeliveryStore, StoreError, Ticket};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Hears that it is time to stop.
pub type Stop = watch::Receiver<bool>;

/// A bell that stops whoever hears it: send `true`.
pub fn stop() -> (watch::Sender<bool>, Stop) {
    watch::channel(false)
}

type InHand = Vec<(Ticket, Delivery)>;

/// Brings deliveries from `source` to `store`, at most about `max_records` records in one go, until it is told to stop.
/// Any number of processes may do so at once.
///
/// 1. **Done means stored.** A delivery is called done only after the store has it durably. It is delivered at least
///    once, and the store takes it in once.
/// 2. **Patience.** A failure that may pass is tried again for as long as it takes, with pauses that grow to some
///    seconds. Nothing is dropped, and nothing is set aside for it.
/// 3. **Nothing blocks.** When a failure does not look as if it would pass, the deliveries in hand are brought one by
///    one, and the one that still fails after a few tries is set aside, counted, and out of the others' way.
/// 4. **A graceful end.** Told to stop, it takes no more, finishes what is in hand and says that it is done; if the
///    store does not come back within some seconds, another worker does it.
pub async fn persist(
    source: &dyn DeliverySource,
    store: &dyn DeliveryStore,
    max_records: usize,
    clock: &dyn Clock,
    books: &Books,
    stop: &Stop,
) {
    let work = Work {
        source,
        store,
        clock,
        books,
        stop,
    };
    let mut pause = FIRST_PAUSE;
    while !*stop.borrow() {
        // Never given up half way: what was handed out would be in nobody's hands for a while.
        match source.next(max_records).await {
            Ok(taken) => {
                pause = FIRST_PAUSE;
                books.source_answered();
                if !taken.is_empty() {
                    work.bring(taken).await;
                }
            }
            Err(error) => {
                books.source_failed(&error);
                tracing::warn!(%error, pause_ms = pause.as_millis(), "no deliveries can be had; trying again");
                work.rest(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

struct Work<'w> {
    source: &'w dyn DeliverySource,
    store: &'w dyn DeliveryStore,
    clock: &'w dyn Clock,
    books: &'w Books,
    stop: &'w Stop,
}

impl Work<'_> {
    /// Brings all that is in hand, together if possible.
    async fn bring(&self, taken: InHand) {
        match self.deliver(&taken).await {
            Ok(()) => self.done(&taken).await,
            // Another worker finds them.
            Err(Hopeless(None)) => {}
            Err(Hopeless(error)) if taken.len() == 1 => self.give_up(&taken[0].0, &error).await,
            Err(Hopeless(_)) => {
                for one in taken {
                    let one = vec![one];
                    match self.deliver(&one).await {
                        Ok(()) => self.done(&one).await,
                        Err(Hopeless(error)) => self.give_up(&one[0].0, &error).await,
                    }
                }
            }
        }
    }

    /// Tries until the store has it, or there is no hope.
    async fn deliver(&self, taken: &InHand) -> Result<(), Hopeless> {
        let deliveries: Vec<Delivery> = taken.iter().map(|(_, delivery)| delivery.clone()).collect();
        let mut pause = FIRST_PAUSE;
        let mut hopeless = 0;
        let mut told_to_stop_at = None;
        loop {
            let error = match self.store.deliver(&deliveries).await {
                Ok(delivered) => {
                    self.books.delivered(&deliveries, delivered, self.clock.now());
                    if delivered.quarantined > 0 {
                        tracing::error!(
                            records = delivered.quarantined,
                            "records contradict the store and were put into quarantine"
                        );
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            self.books.store_failed(&error);
            tracing::warn!(%error, pause_ms = pause.as_millis(), "the store takes no deliveries; trying again");
            if !error.retriable {
                hopeless += 1;
                if hopeless >= MAX_HOPELESS_TRIES {
                    return Err(Hopeless(Some(error)));
                }
            }
            if *self.stop.borrow() {
                let since = *told_to_stop_at.get_or_insert_with(Instant::now);
                if since.elapsed() >= LAST_TRIES {
                    return Err(Hopeless(None));
                }
                tokio::time::sleep(pause).await;
            } else {
                self.rest(pause).await;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Says that these are done. If that fails they come again, which is harmless.
    async fn done(&self, taken: &InHand) {
        let tickets: Vec<Ticket> = taken.iter().map(|(ticket, _)| ticket.clone()).collect();
        if let Err(error) = self.source.done(&tickets).await {
            self.books.source_failed(&error);
            tracing::warn!(%error, "what is in the store could not be called done; it will come again");
        }
    }

    /// Sets one aside, unless it is only for want of time.
    async fn give_up(&self, ticket: &Ticket, error: &Option<StoreError>) {
        let Some(error) = error else { return };
        match self.source.set_aside(ticket, &error.to_string()).await {
            Ok(()) => {
                self.books.set_aside();
                tracing::error!(coupon = %ticket.coupon, entry = %ticket.entry, %error, "a delivery was set aside");
            }
            Err(failed) => {
                self.books.source_failed(&failed);
                tracing::warn!(error = %failed, "a delivery could not be set aside; it will come again");
            }
        }
    }

    /// Waits, but not on when told to stop.
    async fn rest(&self, pause: Duration) {
        let mut stop = self.stop.clone();
        // Whichever comes first, also when nobody can tell it to stop any more.
        let told = async {
            if stop.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _elapsed = tokio::time::timeout(pause, told).await;
    }
}

/// The store will not take it; `None` when there was only no more time.
struct Hopeless(Option<StoreError>);
