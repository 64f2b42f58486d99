//! What the desk is asked, over any store: the merge of ledger and store at every stage of the follower.

pub mod follower;
pub mod meanwhile;
pub mod pages;
pub mod single;
pub mod wallet;

use super::ledger::{ask, order};
use super::store::{Books, StoreHarness};
use super::{START, run, terms, user};
use crate::memory::{ManualClock, Medium, MemoryLedger};
use crate::{Board, Code, CodeKey, Combiner, CommandOutcome, Desk, IssueRequest, Outbox, Record, Request};
use coupon_core::{Command, CouponId, IssuedCoupon, Outcome, UserId};
use std::sync::Arc;

/// One test for each case of the desk's contract. Takes an expression that makes a
/// [`StoreHarness`](crate::contract::store::StoreHarness).
#[macro_export]
macro_rules! desk_contract {
    ($harness:expr) => {
        $crate::contract_cases! { desk, $harness;
            follower {
                the_follower_carries_everything_and_ends_with_the_ledger
            }
            meanwhile {
                what_arrives_between_two_questions_is_shown_once
                what_the_store_knows_better_is_not_shown_as_the_ledger_knew_it
            }
            pages {
                the_list_runs_on_across_store_and_ledger
                a_tally_counts_ledger_and_store_together
                an_issue_that_arrives_between_two_questions_is_neither_lost_nor_doubled
            }
            single {
                an_issued_coupon_is_found_wherever_it_is
                what_was_not_issued_is_not_found
                the_desk_knows_a_coupon_as_soon_as_it_was_answered
            }
            wallet {
                a_wallet_shows_what_was_answered_wherever_it_is
                a_wallets_pages_run_on_across_ledger_and_store
                a_wallet_is_filtered_by_state_wherever_it_is
            }
        }
    };
}

/// How far the follower has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    Nothing,
    /// So many entries.
    Some(usize),
    /// Everything is in the store, but the board has not been told.
    AllUntold,
    All,
}

/// A desk over the examined store, with the reference ledger behind it.
struct Office {
    desk: Desk,
    clock: Arc<ManualClock>,
    board: Arc<Board>,
    ledger: Arc<MemoryLedger>,
    medium: Arc<Medium>,
    combiner: Combiner,
    books: Books,
}

impl Office {
    /// Runs one case at a desk that nobody has used.
    fn open(harness: &mut dyn StoreHarness, case: impl AsyncFnOnce(&mut Self)) {
        run(async {
            let mut office = Self::over(harness.open().await).await;
            case(&mut office).await;
        });
    }

    /// Runs one case at every stage of the follower, after `arrange`, which makes about ten entries.
    fn at_every_stage(
        harness: &mut dyn StoreHarness,
        mut arrange: impl AsyncFnMut(&mut Self) -> Vec<IssuedCoupon>,
        mut case: impl AsyncFnMut(&mut Self, &[IssuedCoupon], Followed),
    ) {
        let stages = [
            Followed::Nothing,
            Followed::Some(1),
            Followed::Some(5),
            Followed::Some(9),
            Followed::AllUntold,
            Followed::All,
        ];
        run(async {
            for stage in stages {
                let mut office = Self::over(harness.open().await).await;
                let issued = arrange(&mut office).await;
                office.follow(stage).await;
                case(&mut office, &issued, stage).await;
            }
        });
    }

    async fn over(books: Books) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let board = Arc::new(Board::new());
        let medium = Arc::new(Medium::default());
        let opened = MemoryLedger::open(
            Arc::clone(&medium),
            books.records.as_ref(),
            Arc::clone(&board),
            Arc::clone(&clock) as _,
        );
        let ledger = Arc::new(opened.await.unwrap());
        let combiner = Combiner::start("examined", Arc::clone(&ledger) as _).unwrap();
        let desk = Desk::new(
            combiner.lane(),
            Arc::clone(&board),
            Arc::clone(&books.coupons),
            Arc::clone(&clock) as _,
            CodeKey::new([7; 16]),
        );
        Self {
            desk,
            clock,
            board,
            ledger,
            medium,
            combiner,
            books,
        }
    }

    async fn create(&self, count: u32) -> CouponId {
        let create = order(None, Command::Create(Box::new(terms(count))));
        let outcome = self.desk.command(create).await.unwrap();
        let CommandOutcome::Done { coupon, .. } = outcome else {
            panic!("{outcome:?} where a coupon was to be created")
        };
        coupon.id
    }

    async fn issue(&self, coupon: CouponId, user: &UserId) -> IssuedCoupon {
        let Request::Issue(request) = ask(coupon, user, None) else {
            unreachable!("an issue is asked for")
        };
        self.issue_as(request).await
    }

    async fn issue_as(&self, request: IssueRequest) -> IssuedCoupon {
        let (coupon, user) = (request.coupon, request.user.clone());
        let outcome = self.desk.issue(request).await.unwrap();
        let Outcome::Issued(grant) = outcome else {
            panic!("{outcome:?} where a coupon was to be issued")
        };
        IssuedCoupon::new(coupon, user, grant)
    }

    /// Carries entries to the store, in the steps of the follower.
    async fn follow(&self, stage: Followed) {
        let mut entries = match self.ledger.durable() {
            0 => Vec::new(),
            _ => self.ledger.next(0, usize::MAX).await.unwrap(),
        };
        match stage {
            Followed::Nothing => entries.clear(),
            Followed::Some(count) => entries.truncate(count),
            Followed::AllUntold | Followed::All => {}
        }
        self.books.records.apply(&entries).await.unwrap();
        if stage == Followed::AllUntold {
            return;
        }
        for record in entries.iter().flat_map(|entry| &entry.records) {
            if let Record::Issued(issued) = record {
                self.board.post_stored(issued.coupon, issued.grant.position.get());
            }
        }
    }

    fn code(&self, one: &IssuedCoupon) -> Code {
        self.desk.code(one.id())
    }
}

/// Three coupons; user 1 gets each, at different times, between other users. Ten entries.
async fn a_morning(office: &mut Office) -> Vec<IssuedCoupon> {
    let mut coupons = Vec::new();
    for _ in 0..3 {
        coupons.push(office.create(0).await);
    }
    let mut issued = Vec::new();
    for (coupon, who) in [(1, 2), (0, 1), (0, 2), (2, 1), (1, 3), (1, 1), (2, 2)] {
        let index: usize = coupon;
        // The second and third stand at the same instant.
        office.clock.shift(if issued.len() == 2 { 0 } else { 1_000 });
        issued.push(office.issue(coupons[index], &user(who)).await);
    }
    issued
}
