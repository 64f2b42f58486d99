//! Endpoints of the shop.

use super::{AddressBook, AddressHarness};
use crate::contract::{at, run};
use crate::limits::MAX_WEBHOOKS;
use crate::{
    AuditAction, AuditEntry, AuditFilter, AuditedChange, AuditedMatter, AuditedWebhook, DisabledReason,
    NotificationKind, Origin, Webhook, WebhookDraft, WebhookId, WebhookKinds, WebhookSecret, WebhookUrl,
};
use coupon_core::Span;

fn by() -> Origin {
    Origin::of_request("key-1".into(), "r-1")
}

fn draft(number: u8) -> WebhookDraft {
    WebhookDraft {
        url: WebhookUrl::parse(format!("https://example.com/{number}?a='b\"c%")).unwrap(),
        description: format!("창고 {number} '\"\\ \u{1f3f7}").into(),
        kinds: WebhookKinds::All,
        secret: WebhookSecret::new([number; 32]),
    }
}

/// One webhook in every shape that there is.
fn shapes(webhook: &Webhook) -> [Webhook; 5] {
    let some = Webhook {
        kinds: WebhookKinds::some([NotificationKind::SoldOut, NotificationKind::Issued]).unwrap(),
        ..webhook.clone()
    }
    .next();
    let rotated = some
        .clone()
        .rotated(WebhookSecret::new([0xff; 32]), at(5), Span::from_secs(1));
    let gone = rotated.clone().disabled(at(6), DisabledReason::Gone);
    let enabled = gone.clone().enabled();
    let by_hand = enabled.clone().disabled(at(7), DisabledReason::ByHand);
    [some, rotated, gone, enabled, by_hand]
}

pub fn a_webhook_is_read_as_it_was_written_before_and_after_a_restart(harness: &mut dyn AddressHarness) {
    run(async {
        let mut book = harness.open().await;
        let added = book
            .webhooks
            .add_webhook(&draft(1), at(1), &by())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(added, Webhook::new(added.id, draft(1), at(1)));
        let other = book
            .webhooks
            .add_webhook(&draft(2), at(2), &by())
            .await
            .unwrap()
            .unwrap();
        for shape in shapes(&added) {
            assert!(book.webhooks.change_webhook(&shape, None).await.unwrap());
            assert_eq!(
                book.webhooks.webhook(added.id).await.unwrap().as_ref(),
                Some(&shape)
            );
            book = harness.reopen(book).await;
            assert_eq!(book.webhooks.webhooks().await.unwrap(), [shape, other.clone()]);
        }
    });
}

pub fn ids_are_given_once_even_after_a_deletion_and_a_restart(harness: &mut dyn AddressHarness) {
    run(async {
        let mut book = harness.open().await;
        let mut ids = Vec::new();
        for number in 1..=4 {
            let added = book
                .webhooks
                .add_webhook(&draft(number), at(1), &by())
                .await
                .unwrap()
                .unwrap();
            assert!(!ids.contains(&added.id), "{} was given twice", added.id);
            assert!(ids.iter().all(|earlier| *earlier < added.id));
            ids.push(added.id);
            assert!(
                book.webhooks
                    .delete_webhook(added.id, at(9), &by())
                    .await
                    .unwrap()
            );
            book = harness.reopen(book).await;
        }
    });
}

pub fn of_several_who_change_the_same_revision_one_succeeds(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        let added = book
            .webhooks
            .add_webhook(&draft(1), at(1), &by())
            .await
            .unwrap()
            .unwrap();
        let first = added.clone().disabled(at(2), DisabledReason::ByHand);
        let second = added.clone().disabled(at(3), DisabledReason::Gone);
        assert!(book.webhooks.change_webhook(&first, None).await.unwrap());
        assert!(!book.webhooks.change_webhook(&second, None).await.unwrap());
        assert!(
            !book.webhooks.change_webhook(&first, None).await.unwrap(),
            "twice the same revision"
        );
        assert_eq!(book.webhooks.webhook(added.id).await.unwrap(), Some(first));
    });
}

pub fn there_are_never_more_webhooks_than_may_be(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        for _number in 0..MAX_WEBHOOKS {
            assert!(
                book.webhooks
                    .add_webhook(&draft(1), at(1), &by())
                    .await
                    .unwrap()
                    .is_some()
            );
        }
        assert_eq!(
            book.webhooks.add_webhook(&draft(1), at(1), &by()).await.unwrap(),
            None
        );
        let all = book.webhooks.webhooks().await.unwrap();
        assert_eq!(all.len(), MAX_WEBHOOKS);
        assert!(
            book.webhooks
                .delete_webhook(all[0].id, at(9), &by())
                .await
                .unwrap()
        );
        assert!(
            book.webhooks
                .add_webhook(&draft(1), at(1), &by())
                .await
                .unwrap()
                .is_some()
        );
    });
}

pub fn a_deleted_webhook_is_gone_and_cannot_be_changed(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        let never = WebhookId::new(77).unwrap();
        assert_eq!(book.webhooks.webhook(never).await.unwrap(), None);
        assert!(!book.webhooks.delete_webhook(never, at(9), &by()).await.unwrap());
        let added = book
            .webhooks
            .add_webhook(&draft(1), at(1), &by())
            .await
            .unwrap()
            .unwrap();
        assert!(
            book.webhooks
                .delete_webhook(added.id, at(9), &by())
                .await
                .unwrap()
        );
        assert!(
            !book
                .webhooks
                .delete_webhook(added.id, at(9), &by())
                .await
                .unwrap()
        );
        assert!(
            !book
                .webhooks
                .change_webhook(&added.clone().next(), None)
                .await
                .unwrap()
        );
        assert_eq!(book.webhooks.webhook(added.id).await.unwrap(), None);
    });
}

async fn log(book: &AddressBook) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    book.audit.audit_log(&filter).await.unwrap()
}

pub fn what_administrators_do_to_webhooks_is_logged_and_no_secret_with_it(harness: &mut dyn AddressHarness) {
    run(async {
        let mut book = harness.open().await;
        let orders: Vec<Origin> = (1..=4)
            .map(|n| Origin::of_request(format!("key-{n}").into(), &format!("r-{n}")))
            .collect();
        let made = book
            .webhooks
            .add_webhook(&draft(1), at(1), &orders[0])
            .await
            .unwrap()
            .unwrap();
        let off = made.clone().disabled(at(2), DisabledReason::ByHand);
        let rotated = off
            .clone()
            .rotated(WebhookSecret::new([0xff; 32]), at(3), Span::from_secs(1));
        for (next, order, when) in [(&off, &orders[1], at(2)), (&rotated, &orders[2], at(3))] {
            assert!(
                book.webhooks
                    .change_webhook(next, Some((order, when)))
                    .await
                    .unwrap()
            );
            // Of the same revision once more: refused, and not logged.
            assert!(
                !book
                    .webhooks
                    .change_webhook(next, Some((order, when)))
                    .await
                    .unwrap()
            );
        }
        // Nobody ordered this.
        let enabled = rotated.clone().enabled();
        assert!(book.webhooks.change_webhook(&enabled, None).await.unwrap());
        for expected in [true, false] {
            let deleted = book.webhooks.delete_webhook(made.id, at(5), &orders[3]);
            assert_eq!(deleted.await.unwrap(), expected);
        }
        book = harness.reopen(book).await;
        let state = |webhook: &Webhook| Some(AuditedWebhook::from(webhook));
        let expected = [
            (AuditAction::WebhookDeleted, 4, at(5), state(&enabled), None),
            (
                AuditAction::WebhookSecretRotated,
                3,
                at(3),
                state(&off),
                state(&rotated),
            ),
            (AuditAction::WebhookChanged, 2, at(2), state(&made), state(&off)),
            (AuditAction::WebhookCreated, 1, at(1), None, state(&made)),
        ];
        let log = log(&book).await;
        assert_eq!(log.len(), expected.len(), "{log:#?}");
        for (entry, (action, n, when, before, after)) in log.iter().zip(expected) {
            assert_eq!((entry.action, entry.at), (action, when));
            assert_eq!(&*entry.actor, format!("key-{n}"));
            assert_eq!(entry.request.as_deref(), Some(&*format!("r-{n}")));
            let id = made.id.get();
            let change = AuditedChange::Matter(AuditedMatter::Webhook { id, before, after });
            assert_eq!(entry.change, change);
            assert!(
                !format!("{entry:?}").contains("?a="),
                "what may be a token is not kept: {entry:?}"
            );
        }
    });
}

pub fn what_is_to_become_of_dead_letters_is_logged(harness: &mut dyn AddressHarness) {
    run(async {
        let mut book = harness.open().await;
        let order = Origin::of_request("key-2".into(), "r-2");
        for (action, when) in [
            (AuditAction::DeadLettersReplayed, at(1)),
            (AuditAction::DeadLettersDismissed, at(2)),
        ] {
            let noted = book.audit.note_dead_letters(action, "kafka-0-17", when, &order);
            noted.await.unwrap();
        }
        book = harness.reopen(book).await;
        let log = log(&book).await;
        let actions: Vec<AuditAction> = log.iter().map(|entry| entry.action).collect();
        assert_eq!(
            actions,
            [
                AuditAction::DeadLettersDismissed,
                AuditAction::DeadLettersReplayed
            ]
        );
        for entry in log {
            let through = "kafka-0-17".into();
            assert_eq!((&*entry.actor, entry.request.as_deref()), ("key-2", Some("r-2")));
            assert_eq!(
                entry.change,
                AuditedChange::Matter(AuditedMatter::DeadLetters { through })
            );
        }
    });
}
