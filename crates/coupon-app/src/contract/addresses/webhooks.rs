//! Endpoints of the shop.

use super::AddressHarness;
use crate::contract::{at, run};
use crate::limits::MAX_WEBHOOKS;
use crate::{
    DisabledReason, NotificationKind, Webhook, WebhookDraft, WebhookId, WebhookKinds, WebhookSecret,
    WebhookUrl,
};
use coupon_core::Span;

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
            .add_webhook(&draft(1), at(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(added, Webhook::new(added.id, draft(1), at(1)));
        let other = book
            .webhooks
            .add_webhook(&draft(2), at(2))
            .await
            .unwrap()
            .unwrap();
        for shape in shapes(&added) {
            assert!(book.webhooks.change_webhook(&shape).await.unwrap());
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
                .add_webhook(&draft(number), at(1))
                .await
                .unwrap()
                .unwrap();
            assert!(!ids.contains(&added.id), "{} was given twice", added.id);
            assert!(ids.iter().all(|earlier| *earlier < added.id));
            ids.push(added.id);
            assert!(book.webhooks.delete_webhook(added.id).await.unwrap());
            book = harness.reopen(book).await;
        }
    });
}

pub fn of_several_who_change_the_same_revision_one_succeeds(harness: &mut dyn AddressHarness) {
    run(async {
        let book = harness.open().await;
        let added = book
            .webhooks
            .add_webhook(&draft(1), at(1))
            .await
            .unwrap()
            .unwrap();
        let first = added.clone().disabled(at(2), DisabledReason::ByHand);
        let second = added.clone().disabled(at(3), DisabledReason::Gone);
        assert!(book.webhooks.change_webhook(&first).await.unwrap());
        assert!(!book.webhooks.change_webhook(&second).await.unwrap());
        assert!(
            !book.webhooks.change_webhook(&first).await.unwrap(),
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
                    .add_webhook(&draft(1), at(1))
                    .await
                    .unwrap()
                    .is_some()
            );
        }
        assert_eq!(book.webhooks.add_webhook(&draft(1), at(1)).await.unwrap(), None);
        let all = book.webhooks.webhooks().await.unwrap();
        assert_eq!(all.len(), MAX_WEBHOOKS);
        assert!(book.webhooks.delete_webhook(all[0].id).await.unwrap());
        assert!(
            book.webhooks
                .add_webhook(&draft(1), at(1))
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
        assert!(!book.webhooks.delete_webhook(never).await.unwrap());
        let added = book
            .webhooks
            .add_webhook(&draft(1), at(1))
            .await
            .unwrap()
            .unwrap();
        assert!(book.webhooks.delete_webhook(added.id).await.unwrap());
        assert!(!book.webhooks.delete_webhook(added.id).await.unwrap());
        assert!(!book.webhooks.change_webhook(&added.clone().next()).await.unwrap());
        assert_eq!(book.webhooks.webhook(added.id).await.unwrap(), None);
    });
}
