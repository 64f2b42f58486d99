//! Notifications where issues are brought by workers, out of order, and where the database decides.

use super::rig::{self, had, on_both, run};
use coupon_app::contract::{START, user};
use coupon_app::{
    Calendar, Delivery, DeliveryStore, IssuedRecord, LedgerMarks, NotificationKinds, NotificationOutbox,
    Record, WebhookDraft, WebhookKinds, WebhookSecret, WebhookStore, WebhookUrl,
};
use coupon_core::{CouponId, Grant, Position, Span, Timestamp};
use coupon_testkit::SqlEngine;
use store_mysql::{LedgerOptions, MysqlStore, StoreOptions, Telling};

/// Brings these positions of a coupon, as decided in this epoch; each to the user of its number.
async fn bring(store: &MysqlStore, coupon: CouponId, epoch: u32, positions: &[u32]) {
    let one = |position: &u32| {
        Record::Issued(IssuedRecord {
            coupon,
            user: user(usize::try_from(*position).unwrap()),
            grant: Grant {
                position: Position::new(*position).unwrap(),
                issued_at: START,
                expires_at: Timestamp::MAX,
            },
            key: None,
        })
    };
    let records = positions.iter().map(one).collect();
    let delivery = Delivery {
        coupon,
        epoch,
        records,
    };
    store.deliver(&[delivery]).await.unwrap();
}

/// Announces what there is; everything that nobody has planned.
async fn told(store: &MysqlStore) -> Vec<String> {
    while store.announce(2).await.unwrap().more {}
    let new = store.take_new(Timestamp::MAX, Span::ZERO, 1_000).await.unwrap();
    let mut told: Vec<String> = new.iter().map(|one| one.id().to_string()).collect();
    told.sort();
    told
}

fn issued(coupon: CouponId, positions: &[u32]) -> Vec<String> {
    let mut ids: Vec<String> = positions
        .iter()
        .map(|position| format!("issued-{coupon}-{position}"))
        .collect();
    ids.sort();
    ids
}

fn announcements_wait_for_an_issue_that_is_still_on_its_way(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store_writing(database.url(), NotificationKinds::ALL).await;
        let ledger = rig::ledger(database.url(), LedgerOptions::default()).await;
        let coupon = rig::create(&ledger, 0).await;
        bring(&store, coupon, 1, &[1, 2, 4, 6]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1, 2]));
        bring(&store, coupon, 1, &[3]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1, 2, 3, 4]));
        bring(&store, coupon, 1, &[5]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1, 2, 3, 4, 5, 6]));
    });
}

fn announcements_pass_over_what_was_lost_with_a_ledger(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store_writing(database.url(), NotificationKinds::ALL).await;
        let ledger = rig::ledger(database.url(), LedgerOptions::default()).await;
        let coupon = rig::create(&ledger, 0).await;
        bring(&store, coupon, 1, &[1, 3]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1]));
        store.raise_epoch(coupon, 1, 5).await.unwrap().unwrap();
        // Too late: it goes to quarantine.
        bring(&store, coupon, 1, &[2]).await;
        bring(&store, coupon, 2, &[7]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1, 3]), "6 may still come");
        bring(&store, coupon, 2, &[6]).await;
        assert_eq!(told(&store).await, issued(coupon, &[1, 3, 6, 7]));
    });
}

fn what_the_database_decides_is_told_of_when_it_is_sold_out(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store_writing(database.url(), NotificationKinds::ALL).await;
        let options = LedgerOptions {
            notifications: store.telling(),
            ..LedgerOptions::default()
        };
        let ledger = rig::ledger(database.url(), options).await;
        let coupon = rig::create(&ledger, 2).await;
        rig::issue(&ledger, coupon, &user(1)).await.unwrap();
        assert_eq!(told(&store).await, issued(coupon, &[1]));
        rig::issue(&ledger, coupon, &user(2)).await.unwrap();
        rig::issue(&ledger, coupon, &user(3)).await.unwrap();
        let mut expected = issued(coupon, &[1, 2]);
        expected.push(format!("sold-out-{coupon}-2"));
        assert_eq!(told(&store).await, expected);
    });
}

fn a_webhook_at_one_server_has_all_of_them_write_notifications(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let open = async || {
            let url = database.url().to_owned();
            let options = StoreOptions {
                notifications: Telling::new(NotificationKinds::NONE, NotificationKinds::ALL),
                ..StoreOptions::default()
            };
            let opening = async move { MysqlStore::open(&url, options).await };
            rig::RUNTIME.spawn(opening).await.unwrap().unwrap()
        };
        let (here, there) = (open().await, open().await);
        let ledger = rig::ledger(database.url(), LedgerOptions::default()).await;
        let coupon = rig::create(&ledger, 0).await;
        bring(&there, coupon, 1, &[1]).await;
        assert_eq!(told(&there).await, [""; 0]);
        let draft = WebhookDraft {
            url: WebhookUrl::parse("https://example.com/hook").unwrap(),
            description: "".into(),
            kinds: WebhookKinds::All,
            secret: WebhookSecret::new([7; 32]),
        };
        let webhook = here.add_webhook(&draft, START).await.unwrap().unwrap();
        bring(&here, coupon, 1, &[2]).await;
        assert_eq!(told(&here).await, issued(coupon, &[2]), "not of what was before");
        there.learn_webhooks().await.unwrap();
        bring(&there, coupon, 1, &[3]).await;
        assert_eq!(told(&there).await, issued(coupon, &[2, 3]));
        assert!(here.delete_webhook(webhook.id).await.unwrap());
        there.learn_webhooks().await.unwrap();
        bring(&there, coupon, 1, &[4]).await;
        assert_eq!(told(&there).await, issued(coupon, &[2, 3]));
    });
}

on_both! {
    announcements_wait_for_an_issue_that_is_still_on_its_way
    announcements_pass_over_what_was_lost_with_a_ledger
    what_the_database_decides_is_told_of_when_it_is_sold_out
    a_webhook_at_one_server_has_all_of_them_write_notifications
}
