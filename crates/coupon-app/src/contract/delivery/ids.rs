//! Ids of new coupons.

use super::{DeliveryExam, DeliveryHarness};
use crate::contract::coupon_id;
use futures_util::future::join_all;
use std::collections::BTreeSet;

pub fn ids_are_counted_and_never_handed_out_twice(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        for number in 1..=4 {
            let id = exam.intake().ids.next_id().await.unwrap();
            assert_eq!(id, Some(coupon_id(number)));
            exam.crash().await;
        }
    });
}

pub fn several_who_ask_at_once_get_different_ids(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let ids = &exam.intake().ids;
        let handed = join_all((0..20).map(|_| ids.next_id())).await;
        let handed: BTreeSet<u32> = handed.into_iter().map(|id| id.unwrap().unwrap().get()).collect();
        assert_eq!(handed, (1..=20).collect());
    });
}
