//! The wallet: whoever was told "issued" finds it at once, once, and in its place.

use super::{Office, a_morning};
use crate::contract::store::StoreHarness;
use crate::contract::{START, user};
use crate::{WalletCursor, WalletFilter};
use coupon_core::{IssuedCoupon, IssuedState, Span, Timestamp};
use std::cmp::Reverse;

/// What the wallet must show, worked out from the answers alone.
fn expected(issued: &[IssuedCoupon], n: usize, filter: WalletFilter) -> Vec<IssuedCoupon> {
    let mut own: Vec<IssuedCoupon> = issued
        .iter()
        .filter(|one| one.user == user(n))
        .filter(|one| filter.state.is_none_or(|state| one.state(filter.now) == state))
        .filter(|one| {
            filter
                .after
                .is_none_or(|after| (one.grant.issued_at, one.coupon) < (after.issued_at, after.coupon))
        })
        .cloned()
        .collect();
    own.sort_by_key(|one| Reverse((one.grant.issued_at, one.coupon)));
    own.truncate(filter.limit);
    own
}

fn all(now: Timestamp) -> WalletFilter {
    WalletFilter {
        state: None,
        now,
        after: None,
        limit: 100,
    }
}

pub fn a_wallet_shows_what_was_answered_wherever_it_is(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        for n in 1..=4 {
            let filter = all(START);
            let page = office.desk.wallet(&user(n), filter).await.unwrap();
            assert_eq!(page, expected(issued, n, filter), "user {n} at {stage:?}");
        }
    });
}

pub fn a_wallets_pages_run_on_across_ledger_and_store(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        for limit in 1..=3 {
            let mut paged: Vec<IssuedCoupon> = Vec::new();
            loop {
                let after = paged.last().map(|one| WalletCursor {
                    issued_at: one.grant.issued_at,
                    coupon: one.coupon,
                });
                let filter = WalletFilter {
                    after,
                    limit,
                    ..all(START)
                };
                let page = office.desk.wallet(&user(1), filter).await.unwrap();
                assert_eq!(page, expected(issued, 1, filter), "pages of {limit} at {stage:?}");
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged.len(), 3);
        }
    });
}

pub fn a_wallet_is_filtered_by_state_wherever_it_is(harness: &mut dyn StoreHarness) {
    Office::at_every_stage(harness, a_morning, async |office, issued, stage| {
        let month = Span::from_secs(30 * 86_400);
        let edges: Vec<Timestamp> = issued
            .iter()
            .map(|one| one.grant.issued_at.saturating_add(month))
            .collect();
        for now in std::iter::once(START).chain(edges) {
            for state in [
                IssuedState::Issued,
                IssuedState::Expired,
                IssuedState::Redeemed,
                IssuedState::Revoked,
            ] {
                for limit in [1, 100] {
                    let state = Some(state);
                    let filter = WalletFilter {
                        state,
                        limit,
                        ..all(now)
                    };
                    let page = office.desk.wallet(&user(1), filter).await.unwrap();
                    assert_eq!(page, expected(issued, 1, filter), "{filter:?} at {stage:?}");
                }
            }
        }
    });
}
