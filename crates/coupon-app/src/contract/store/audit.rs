//! The audit log: every administrative action once, whole, together with what it tells of.

use super::exam::{StoreExam, coupon};
use super::{StoreHarness, keys};
use crate::contract::{at, coupon_id, terms, token};
use crate::{AuditAction, AuditCursor, AuditEntry, AuditFilter, AuditedChange, AuditedKey, Origin};
use crate::{KeyRecord, Record, RevisedRecord};
use coupon_core::{Command, Coupon, Terms};

/// An origin with everything that one can have.
fn whole(key: &str, request: &str, command: &Command) -> Origin {
    Origin::of_request(key.into(), request).of_command(command, None)
}

fn by(origin: Origin, coupon: Coupon) -> Record {
    Record::Revised(Box::new(RevisedRecord {
        coupon,
        issued: 3,
        lost: 0,
        actor: origin,
        token: None,
    }))
}

fn next(before: &Coupon, change: impl FnOnce(&mut Coupon)) -> Coupon {
    let mut next = before.clone();
    next.revision += 1;
    next.revised_at = at(before.revised_at.as_micros() - at(0).as_micros() + 10);
    change(&mut next);
    next
}

fn creating(terms: Terms) -> Command {
    Command::Create(Box::new(terms))
}

impl StoreExam<'_> {
    async fn log(&self, filter: AuditFilter) -> Vec<AuditEntry> {
        self.books().audit.audit_log(&filter).await.unwrap()
    }

    async fn whole_log(&self) -> Vec<AuditEntry> {
        self.log(AuditFilter {
            limit: 1_000,
            ..AuditFilter::default()
        })
        .await
    }
}

pub fn every_revision_is_logged_with_who_when_before_and_after(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let created = coupon(coupon_id(1), terms(5));
        let paused = next(&created, |it| it.paused = true);
        let closed = next(&paused, |it| it.closed_at = Some(it.revised_at));
        let cloned = Coupon {
            created_at: at(2_000_000),
            revised_at: at(2_000_000),
            ..coupon(coupon_id(2), terms(5))
        };
        let cloning =
            Origin::of_request("key-3".into(), "r/4").of_command(&creating(terms(5)), Some(coupon_id(1)));
        exam.apply(vec![
            by(whole("key-1", "r-1", &creating(terms(5))), created.clone()),
            by(whole("key-2", "r-2", &Command::Pause), paused.clone()),
            by("night-shift".into(), closed.clone()),
            by(cloning, cloned.clone()),
        ])
        .await;
        exam.reopen().await;
        let expected = [
            (
                "key-3",
                Some("r/4"),
                AuditAction::CouponCloned,
                None,
                &cloned,
                Some(coupon_id(1)),
            ),
            // What was done was not kept with the record.
            (
                "night-shift",
                None,
                AuditAction::CouponChanged,
                Some(&paused),
                &closed,
                None,
            ),
            (
                "key-2",
                Some("r-2"),
                AuditAction::CouponPaused,
                Some(&created),
                &paused,
                None,
            ),
            (
                "key-1",
                Some("r-1"),
                AuditAction::CouponCreated,
                None,
                &created,
                None,
            ),
        ];
        let log = exam.whole_log().await;
        assert_eq!(log.len(), expected.len(), "{log:#?}");
        for (entry, (actor, request, action, before, after, cloned_from)) in log.iter().zip(expected) {
            assert_eq!((&*entry.actor, entry.request.as_deref()), (actor, request));
            assert_eq!((entry.action, entry.at), (action, after.revised_at));
            let change = AuditedChange::Coupon {
                before: before.cloned().map(Box::new),
                after: Box::new(after.clone()),
                issued: 3,
                cloned_from,
            };
            assert_eq!(entry.change, change);
        }
    });
}

pub fn a_redelivered_revision_is_logged_once(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let created = coupon(coupon_id(1), terms(5));
        let paused = next(&created, |it| it.paused = true);
        let both = || {
            vec![
                by(whole("key-1", "r-1", &creating(terms(5))), created.clone()),
                by(whole("key-1", "r-2", &Command::Pause), paused.clone()),
            ]
        };
        exam.apply(both()).await;
        let log = exam.whole_log().await;
        assert_eq!(log.len(), 2);
        exam.apply(both()).await;
        assert_eq!(exam.whole_log().await, log);
    });
}

pub fn keys_are_logged_when_made_and_when_revoked_and_never_their_secret(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let books = exam.books();
        let [one, two, _] = keys::some_keys();
        let maker = Origin::of_request("first-admin".into(), "r-1");
        books.keys.add_key(&one, &maker).await.unwrap();
        books.keys.add_key(&two, &"by command".into()).await.unwrap();
        assert!(books.keys.add_key(&one, &maker).await.is_err());
        let revoker = Origin::of_request("key-9".into(), "r-2");
        for when in [50, 60] {
            let revoked = books.keys.revoke_key(&one.id, at(when), &revoker).await;
            assert_eq!(revoked.unwrap().unwrap().revoked_at, Some(at(50)));
        }
        assert_eq!(
            books.keys.revoke_key("nobody", at(70), &revoker).await.unwrap(),
            None
        );
        exam.reopen().await;
        let key = |record: &KeyRecord| AuditedKey::from(record);
        let revoked = AuditedKey {
            revoked_at: Some(at(50)),
            ..key(&one)
        };
        let expected = [
            (
                "key-9",
                Some("r-2"),
                AuditAction::KeyRevoked,
                &one,
                Some(key(&one)),
                revoked,
            ),
            ("by command", None, AuditAction::KeyCreated, &two, None, key(&two)),
            (
                "first-admin",
                Some("r-1"),
                AuditAction::KeyCreated,
                &one,
                None,
                key(&one),
            ),
        ];
        let log = exam.whole_log().await;
        assert_eq!(log.len(), expected.len(), "{log:#?}");
        for (entry, (actor, request, action, record, before, after)) in log.iter().zip(expected) {
            assert_eq!((&*entry.actor, entry.request.as_deref()), (actor, request));
            assert_eq!(entry.action, action);
            let id = record.id.clone();
            assert_eq!(entry.change, AuditedChange::Key { id, before, after });
        }
    });
}

pub fn a_log_is_paged_newest_first_without_gap_or_overlap(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let many = (1..=23).map(|n| {
            let coupon = Coupon {
                // Several at one instant, and not in the order of writing.
                revised_at: at(100 - i64::from(n / 4)),
                ..coupon(coupon_id(n), terms(0))
            };
            by("key-1".into(), coupon)
        });
        exam.apply(many.collect()).await;
        let whole = exam.whole_log().await;
        assert_eq!(whole.len(), 23);
        let places: Vec<_> = whole.iter().map(|entry| (entry.at, entry.number)).collect();
        assert!(places.is_sorted_by(|one, other| one > other), "{places:?}");
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let filter = AuditFilter {
                after,
                limit: 5,
                ..AuditFilter::default()
            };
            let page = exam.log(filter).await;
            assert!(page.len() <= 5);
            let Some(last) = page.last() else { break };
            after = Some(AuditCursor {
                at: last.at,
                number: last.number,
            });
            paged.extend(page);
        }
        assert_eq!(paged, whole);
    });
}

pub fn a_log_is_filtered_by_everything_that_is_given(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let mut records = Vec::new();
        for (n, key) in [(1, "key-1"), (2, "key-2"), (3, "key-1")] {
            let created = Coupon {
                revised_at: at(i64::from(n) * 100),
                ..coupon(coupon_id(n), terms(5))
            };
            let paused = next(&created, |it| it.paused = true);
            records.push(by(whole(key, "r-1", &creating(terms(5))), created));
            records.push(by(whole("key-3", "r-2", &Command::Pause), paused));
        }
        exam.apply(records).await;
        let [key, ..] = keys::some_keys();
        exam.books().keys.add_key(&key, &"key-1".into()).await.unwrap();
        let any = || AuditFilter {
            limit: 100,
            ..AuditFilter::default()
        };
        let numbers = async |filter: AuditFilter| -> Vec<(Option<u32>, AuditAction)> {
            let log = exam.log(filter).await;
            log.iter()
                .map(|entry| (entry.coupon().map(coupon_core::CouponId::get), entry.action))
                .collect()
        };
        use AuditAction::{CouponCreated, CouponPaused, KeyCreated};
        let cases = [
            (
                AuditFilter {
                    coupon: Some(coupon_id(2)),
                    ..any()
                },
                vec![(Some(2), CouponPaused), (Some(2), CouponCreated)],
            ),
            (
                AuditFilter {
                    actor: Some("key-1".into()),
                    ..any()
                },
                vec![
                    (Some(3), CouponCreated),
                    (Some(1), CouponCreated),
                    (None, KeyCreated),
                ],
            ),
            (
                AuditFilter {
                    action: Some(CouponPaused),
                    ..any()
                },
                vec![
                    (Some(3), CouponPaused),
                    (Some(2), CouponPaused),
                    (Some(1), CouponPaused),
                ],
            ),
            (
                // From an entry's own instant on, and before another's.
                AuditFilter {
                    from: Some(at(110)),
                    until: Some(at(210)),
                    ..any()
                },
                vec![(Some(2), CouponCreated), (Some(1), CouponPaused)],
            ),
            (
                AuditFilter {
                    coupon: Some(coupon_id(3)),
                    actor: Some("key-1".into()),
                    action: Some(CouponPaused),
                    ..any()
                },
                vec![],
            ),
            (
                AuditFilter {
                    coupon: Some(coupon_id(3)),
                    actor: Some("key-3".into()),
                    action: Some(CouponPaused),
                    from: Some(at(310)),
                    ..any()
                },
                vec![(Some(3), CouponPaused)],
            ),
        ];
        for (filter, expected) in cases {
            assert_eq!(numbers(filter.clone()).await, expected, "{filter:?}");
        }
    });
}

pub fn a_token_is_loaded_with_who_gave_the_command(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let record = RevisedRecord {
            coupon: coupon(coupon_id(1), terms(5)),
            issued: 0,
            lost: 0,
            actor: Origin::of_request("key-3".into(), "r-4")
                .of_command(&creating(terms(5)), Some(coupon_id(7))),
            token: token(1, 2),
        };
        exam.apply(vec![Record::Revised(Box::new(record.clone()))]).await;
        exam.reopen().await;
        let loaded = exam.loaded().await;
        assert_eq!(loaded.tokens, [(record.clone(), record.token.unwrap())]);
    });
}
