//! Steps that an administrator takes are in the audit log, and nobody else's.

use super::exam::{after_start, cancel, id, redeem, revoke};
use super::{RedemptionExam, RedemptionHarness};
use crate::{AuditAction, AuditFilter, AuditedChange, AuditedUse, RedemptionRequest};
use coupon_core::Actor;

pub fn steps_of_administrators_are_logged_and_nobody_elses(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 2, async |exam| {
        let admin = |request: &str, asked: RedemptionRequest| RedemptionRequest {
            actor: Actor::Key("key-1".into()),
            audit: Some(request.into()),
            ..asked
        };
        // A service's, refused ones and what changed nothing are told of nowhere but in the history.
        for (micros, request) in (1..).zip([
            redeem(1, "a", 30_000),
            admin("r-1", cancel(1, "b")),
            admin("r-2", cancel(1, "a")),
            admin("r-3", cancel(1, "a")),
            admin("r-4", redeem(2, "c", 30_000)),
            admin("r-5", revoke(1)),
            admin("r-6", revoke(1)),
            admin("r-7", redeem(1, "d", 30_000)),
        ]) {
            exam.one(micros, request).await;
        }
        exam.crash().await;
        let filter = AuditFilter {
            actor: Some("key-1".into()),
            limit: 100,
            ..AuditFilter::default()
        };
        let log = exam.till().books.audit.audit_log(&filter).await.unwrap();
        let log: Vec<_> = log
            .into_iter()
            .filter(|entry| !matches!(entry.change, AuditedChange::Coupon { .. }))
            .collect();
        let none = AuditedUse::default();
        let used = |order: &str, micros| AuditedUse {
            redeemed_at: Some(after_start(micros)),
            order: Some(order.into()),
            revoked_at: None,
        };
        let revoked = AuditedUse {
            revoked_at: Some(after_start(6)),
            ..AuditedUse::default()
        };
        let expected = [
            (1, "r-5", 6, AuditAction::IssuedCouponRevoked, &none, &revoked),
            (
                2,
                "r-4",
                5,
                AuditAction::IssuedCouponRedeemed,
                &none,
                &used("c", 5),
            ),
            (
                1,
                "r-2",
                3,
                AuditAction::RedemptionCancelled,
                &used("a", 1),
                &none,
            ),
        ];
        assert_eq!(log.len(), expected.len(), "{log:#?}");
        for (entry, (position, request, micros, action, before, after)) in log.iter().zip(expected) {
            assert_eq!(entry.request.as_deref(), Some(request));
            assert_eq!((entry.at, entry.action), (after_start(micros), action));
            let change = AuditedChange::IssuedCoupon {
                id: id(position),
                before: before.clone(),
                after: after.clone(),
            };
            assert_eq!(entry.change, change);
        }
    });
}
