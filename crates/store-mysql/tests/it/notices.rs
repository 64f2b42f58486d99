//! Notifications where issues are brought by workers, out of order, and where the database decides.

use super::rig::{self, had, on_both, run};
use coupon_app::contract::{START, user};
use coupon_app::{
    Calendar, Delivery, DeliveryStore, IssuedRecord, LedgerMarks, NotificationKinds, NotificationOutbox,
    Record, Reminders, WebhookDraft, WebhookKinds, WebhookSecret, WebhookStore, WebhookUrl,
};
use coupon_core::{CouponId, Grant, Position, Span, Timestamp};
use coupon_testkit::SqlEngine;
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use std::time::Duration;
use store_mysql::{LedgerOptions, MysqlStore, StoreOptions, Telling};

const DAY: Span = Span::from_secs(86_400);

/// Brings these positions of a coupon, as decided in this epoch; each to the user of its number.
async fn bring(store: &MysqlStore, coupon: CouponId, epoch: u32, positions: &[u32]) {
    bring_until(store, coupon, epoch, positions, Timestamp::MAX).await;
}

async fn bring_until(
    store: &MysqlStore,
    coupon: CouponId,
    epoch: u32,
    positions: &[u32],
    expires_at: Timestamp,
) {
    let one = |position: &u32| {
        Record::Issued(IssuedRecord {
            coupon,
            user: user(usize::try_from(*position).unwrap()),
            grant: Grant {
                position: Position::new(*position).unwrap(),
                issued_at: START,
                expires_at,
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
        let webhook = here
            .add_webhook(&draft, START, &"key-1".into())
            .await
            .unwrap()
            .unwrap();
        bring(&here, coupon, 1, &[2]).await;
        assert_eq!(told(&here).await, issued(coupon, &[2]), "not of what was before");
        there.learn_webhooks().await.unwrap();
        bring(&there, coupon, 1, &[3]).await;
        assert_eq!(told(&there).await, issued(coupon, &[2, 3]));
        assert!(
            here.delete_webhook(webhook.id, START, &"key-1".into())
                .await
                .unwrap()
        );
        there.learn_webhooks().await.unwrap();
        bring(&there, coupon, 1, &[4]).await;
        assert_eq!(told(&there).await, issued(coupon, &[2, 3]));
    });
}

fn days(count: usize) -> Timestamp {
    std::iter::repeat_n(DAY, count).fold(START, Timestamp::saturating_add)
}

/// Sends statements on one connection.
async fn send(connection: &mut MySqlConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

fn a_use_given_back_while_a_job_looks_is_not_missed(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store_writing(database.url(), NotificationKinds::ALL).await;
        let ledger = rig::ledger(database.url(), LedgerOptions::default()).await;
        let coupon = rig::create(&ledger, 0).await;
        bring_until(&store, coupon, 1, &[1], days(8)).await;
        let reminders = Reminders::new([7]).unwrap();
        database
            .query("UPDATE issued_coupons SET redeemed_at = 1, order_id = 'a', order_amount = 1")
            .unwrap();
        let passed = store.remind(&reminders, days(1), 10).await.unwrap();
        assert_eq!((passed.written, passed.more), (0, false), "it is used");
        database
            .query("UPDATE issued_blocks SET reminder_due = 0")
            .unwrap();
        // As a redemption gives it back, but for the end.
        let url = database.url().to_owned();
        let giving_back = async move {
            let mut connection = MySqlConnection::connect(&url).await.unwrap();
            send(
                &mut connection,
                "START TRANSACTION; \
                 UPDATE issued_coupons SET redeemed_at = NULL, order_id = NULL, order_amount = NULL; \
                 UPDATE issued_blocks SET version = version + 1, expiry_due = 0, reminder_due = 0",
            )
            .await;
            connection
        };
        let mut connection = rig::RUNTIME.spawn(giving_back).await.unwrap();
        let looking = rig::RUNTIME.spawn({
            let (store, reminders) = (store.clone(), reminders.clone());
            async move { store.remind(&reminders, days(2), 10).await }
        });
        let waits = || {
            let waiting =
                database.query("SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'");
            !waiting.unwrap().is_empty()
        };
        while !waits() && !looking.is_finished() {
            // The server shows the same for as long as it is asked more often than every tenth of a second.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let ending = async move { send(&mut connection, "COMMIT").await };
        rig::RUNTIME.spawn(ending).await.unwrap();
        let mut passed = looking.await.unwrap().unwrap();
        let mut written = passed.written;
        while passed.more {
            passed = store.remind(&reminders, days(2), 10).await.unwrap();
            written += passed.written;
        }
        assert_eq!(written, 1);
    });
}

on_both! {
    a_use_given_back_while_a_job_looks_is_not_missed
    announcements_wait_for_an_issue_that_is_still_on_its_way
    announcements_pass_over_what_was_lost_with_a_ledger
    what_the_database_decides_is_told_of_when_it_is_sold_out
    a_webhook_at_one_server_has_all_of_them_write_notifications
}
