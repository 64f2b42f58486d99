//! What goes wrong between a redeemer and its database, and what it does to the tables.

use super::outside::{Outside, until_somebody_waits};
use super::rig::{self, RUNTIME, batch, create, had, ledger, on_both, run};
use coupon_app::contract::ledger::ask;
use coupon_app::contract::{START, token, user};
use coupon_app::limits::COMMAND_TOKEN_LIFE_US;
use coupon_app::{
    Delivery, DeliveryStore, Epoch, IssuedRecord, LedgerError, LedgerMarks, Record, RedemptionAction,
    RedemptionOutcome, RedemptionRequest, RedemptionStore, RevisedRecord,
};
use coupon_core::{
    Actor, Amount, Coupon, CouponId, Discount, Grant, IssuedCouponId, Order, OrderId, Position,
    RedemptionRefusal, Terms, Timestamp,
};
use coupon_testkit::{FaultProxy, Loss, Sql, SqlDatabase, SqlEngine, SqlOptions, wait_until};
use std::time::Duration;
use store_mysql::{LedgerOptions, MysqlRedemptions, MysqlStore, RedemptionOptions};

/// Some microseconds after whatever was issued here.
const NOW: i64 = 4_000_000_000_000_000;

/// A coupon of which so many are issued.
async fn issued(database: &SqlDatabase, count: usize) -> CouponId {
    let ledger = ledger(database.url(), LedgerOptions::default()).await;
    let coupon = create(&ledger, 0).await;
    for answer in batch(&ledger, (0..count).map(|n| ask(coupon, &user(n), None)).collect()).await {
        answer.unwrap();
    }
    coupon
}

fn request(coupon: CouponId, position: u32, action: RedemptionAction) -> RedemptionRequest {
    RedemptionRequest {
        id: IssuedCouponId {
            coupon,
            position: Position::new(position).unwrap(),
        },
        user: None,
        action,
        actor: Actor::Key("till".into()),
        token: None,
        audit: None,
    }
}

fn redeem(coupon: CouponId, position: u32, order: &str) -> RedemptionRequest {
    let order = Order {
        id: OrderId::parse(order).unwrap(),
        amount: Amount::new(50_000).unwrap(),
    };
    request(coupon, position, RedemptionAction::Redeem(order))
}

fn cancel(coupon: CouponId, position: u32, order: &str) -> RedemptionRequest {
    let order = OrderId::parse(order).unwrap();
    request(coupon, position, RedemptionAction::Cancel(order))
}

async fn decide(
    redemptions: &MysqlRedemptions,
    requests: &[RedemptionRequest],
) -> Result<Vec<RedemptionOutcome>, LedgerError> {
    redemptions
        .decide(requests, Timestamp::from_micros(NOW).unwrap())
        .await
}

async fn one(
    redemptions: &MysqlRedemptions,
    request: RedemptionRequest,
) -> Result<RedemptionOutcome, LedgerError> {
    Ok(decide(redemptions, &[request]).await?.remove(0))
}

/// Whether it was done now; a replay was done before.
fn new(outcome: &RedemptionOutcome) -> bool {
    match outcome {
        RedemptionOutcome::Done { replayed, .. } => !replayed,
        other @ (RedemptionOutcome::Refused(_) | RedemptionOutcome::TokenReused) => panic!("{other:?}"),
    }
}

/// How many steps the tables have of a coupon: in its history, in its rows, and by its sums.
fn steps(database: &SqlDatabase, coupon: CouponId) -> u32 {
    let number = |sql: &str| -> u32 {
        let rows = database.query(&format!("{sql} coupon_id = {coupon}")).unwrap();
        rig::text(&rows)[0][0].parse().unwrap_or_default()
    };
    let steps = number("SELECT COUNT(*) FROM redemption_history WHERE");
    assert_eq!(number("SELECT SUM(steps) FROM issued_coupons WHERE"), steps);
    let redeemed = number("SELECT COUNT(*) FROM issued_coupons WHERE redeemed_at IS NOT NULL AND");
    assert_eq!(number("SELECT redeemed FROM coupon_uses WHERE"), redeemed);
    assert_eq!(
        number("SELECT redeemed + 2 * cancelled FROM coupon_uses WHERE"),
        steps,
        "every use was given back or stands"
    );
    steps
}

fn quick() -> RedemptionOptions {
    RedemptionOptions {
        lock_wait: Duration::from_secs(1),
        find_out_within: Duration::from_millis(300),
        // Nothing else is to speak meanwhile.
        check_every: Duration::from_secs(3_600),
        ..RedemptionOptions::default()
    }
}

async fn at(url: &str, options: RedemptionOptions) -> MysqlRedemptions {
    let store: MysqlStore = rig::store(url).await;
    rig::redemptions(url, &store, options).await
}

/// Redemptions that speak to their database through a proxy, in the clear so that the proxy can read.
async fn behind_a_proxy(database: &SqlDatabase, engine: SqlEngine) -> (FaultProxy, MysqlRedemptions) {
    let proxy = FaultProxy::to(Sql::shared(engine).unwrap().port()).unwrap();
    let url = format!("{}?ssl-mode=disabled", database.url_by_port(proxy.port()));
    let redemptions = at(&url, quick()).await;
    (proxy, redemptions)
}

fn a_commit_whose_answer_was_lost_is_found_out(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 6).await;
        let (proxy, redemptions) = behind_a_proxy(&database, engine).await;
        for (position, loss) in (1..).zip([Loss::Answer, Loss::Request, Loss::Answer]) {
            proxy.cut_at(b"COMMIT", loss, 1);
            let both = [redeem(coupon, position, "a"), redeem(coupon, position + 3, "a")];
            let outcomes = decide(&redemptions, &both).await.unwrap();
            assert!(outcomes.iter().all(new), "{loss:?}: {outcomes:?}");
            assert_eq!(steps(&database, coupon), position * 2, "each once");
        }
        assert_eq!(proxy.counts().matched, 3);
    });
}

fn an_end_that_cannot_be_found_out_is_indeterminate_until_asked_again(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 2).await;
        let (proxy, redemptions) = behind_a_proxy(&database, engine).await;
        for (position, loss) in (1..).zip([Loss::Answer, Loss::Request]) {
            let asked = redeem(coupon, position, "a");
            // One that changes nothing opens the connection; then there is no other.
            one(&redemptions, cancel(coupon, position, "a")).await.unwrap();
            proxy.refuse();
            proxy.cut_at(b"COMMIT", loss, 1);
            let told = one(&redemptions, asked.clone()).await;
            assert!(matches!(told, Err(LedgerError::Indeterminate(_))), "{told:?}");
            let meanwhile = one(&redemptions, asked.clone()).await;
            assert!(
                matches!(meanwhile, Err(LedgerError::Unavailable(_))),
                "{meanwhile:?}"
            );
            proxy.mend();
            let again = one(&redemptions, asked).await.unwrap();
            assert_eq!(new(&again), loss == Loss::Request, "{again:?}");
            assert_eq!(steps(&database, coupon), position);
        }
    });
}

fn a_connection_lost_before_commit_means_that_nothing_happened(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 1).await;
        let (proxy, redemptions) = behind_a_proxy(&database, engine).await;
        for (pattern, loss) in [
            (&b"FOR UPDATE"[..], Loss::Request),
            (&b"FOR UPDATE"[..], Loss::Answer),
            (&b"INSERT INTO redemption_history"[..], Loss::Request),
            (&b"INSERT INTO redemption_history"[..], Loss::Answer),
        ] {
            one(&redemptions, cancel(coupon, 1, "a")).await.unwrap();
            proxy.refuse();
            proxy.cut_at(pattern, loss, 1);
            let told = one(&redemptions, redeem(coupon, 1, "a")).await;
            assert!(matches!(told, Err(LedgerError::Unavailable(_))), "{told:?}");
            assert_eq!(steps(&database, coupon), 0);
            proxy.mend();
        }
        // With a way to connect again nobody notices.
        one(&redemptions, cancel(coupon, 1, "a")).await.unwrap();
        proxy.cut_at(b"INSERT INTO redemption_history", Loss::Answer, 1);
        assert!(new(&one(&redemptions, redeem(coupon, 1, "a")).await.unwrap()));
        assert_eq!(steps(&database, coupon), 1);
    });
}

fn a_deadlock_is_tried_again(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 1).await;
        let redemptions = at(database.url(), quick()).await;
        let mut stranger = Outside::of(&database).await;
        stranger.does("START TRANSACTION").await;
        // It has changed more rows, so that it is not the one that the server gives up.
        let many: Vec<String> = (1_000..1_200).map(|n| format!("({n}, 0, 0, 0)")).collect();
        stranger
            .does(&format!(
                "INSERT INTO coupon_uses (coupon_id, redeemed, revoked, cancelled) VALUES {}",
                many.join(", ")
            ))
            .await;
        stranger
            .does("UPDATE coupon_uses SET redeemed = redeemed + 7")
            .await;
        let asking = redemptions.clone();
        let told = RUNTIME.spawn(async move { one(&asking, redeem(coupon, 1, "a")).await });
        until_somebody_waits(&database).await;
        // It has the issued coupon and waits for the sums; now the other way round.
        stranger
            .does(&format!(
                "SELECT position FROM issued_coupons WHERE coupon_id = {coupon} FOR UPDATE"
            ))
            .await;
        stranger.does("ROLLBACK").await;
        assert!(new(&told.await.unwrap().unwrap()));
        assert_eq!(steps(&database, coupon), 1);
    });
}

fn a_lock_that_lasts_too_long_is_unavailable_and_nothing_happened(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 2).await;
        let options = RedemptionOptions {
            decide_within: Duration::from_millis(500),
            ..quick()
        };
        let redemptions = at(database.url(), options).await;
        let mut stranger = Outside::of(&database).await;
        stranger.does("START TRANSACTION").await;
        stranger
            .does(&format!(
                "SELECT position FROM issued_coupons WHERE coupon_id = {coupon} AND position = 1 FOR UPDATE"
            ))
            .await;
        let told = one(&redemptions, redeem(coupon, 1, "a")).await;
        assert!(
            matches!(&told, Err(LedgerError::Unavailable(reason)) if reason.to_string().contains("1205")),
            "{told:?}"
        );
        assert!(
            new(&one(&redemptions, redeem(coupon, 2, "a")).await.unwrap()),
            "nobody waits for a neighbour"
        );
        stranger.does("ROLLBACK").await;
        assert!(new(&one(&redemptions, redeem(coupon, 1, "a")).await.unwrap()));
        assert_eq!(steps(&database, coupon), 2);
    });
}

fn servers_that_redeem_the_same_in_any_order_do_not_wait_in_a_circle(engine: SqlEngine) {
    const COUNT: u32 = 60;
    const ROUNDS: u32 = 12;
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, usize::try_from(COUNT).unwrap()).await;
        let mut servers = Vec::new();
        for server in 0..3_u32 {
            // Who is given up has one attempt and no second.
            let options = RedemptionOptions {
                decide_within: Duration::ZERO,
                lock_wait: Duration::from_secs(10),
                answer_within: Duration::from_secs(20),
                ..quick()
            };
            let redemptions = at(database.url(), options).await;
            servers.push(RUNTIME.spawn(async move {
                let mut done = 0;
                for round in 0..ROUNDS {
                    let order = format!("order-{server}-{round}");
                    let mut positions: Vec<u32> = (1..=COUNT).collect();
                    positions.rotate_left(usize::try_from(round * 7 + server * 20).unwrap() % 60);
                    if server == 1 {
                        positions.reverse();
                    }
                    for action in [redeem, cancel] {
                        let asked: Vec<_> = positions
                            .iter()
                            .map(|position| action(coupon, *position, &order))
                            .collect();
                        for outcome in decide(&redemptions, &asked).await.unwrap() {
                            done +=
                                u32::from(matches!(outcome, RedemptionOutcome::Done { replayed: false, .. }));
                        }
                    }
                }
                done
            }));
        }
        let mut done = 0;
        for server in servers {
            done += server.await.unwrap();
        }
        assert_eq!(steps(&database, coupon), done, "whoever was told is on record");
        assert!(done >= COUNT * 2);
    });
}

fn a_database_that_became_too_weak_redeems_nothing(engine: SqlEngine) {
    let server = had!(rig::server(&SqlOptions::on(engine)));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let coupon = issued(&database, 2).await;
        let vigilant = RedemptionOptions {
            check_every: Duration::ZERO,
            ..quick()
        };
        let redemptions = at(database.url(), vigilant.clone()).await;
        assert!(new(&one(&redemptions, redeem(coupon, 1, "a")).await.unwrap()));
        server
            .query("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
            .unwrap();
        let told = one(&redemptions, redeem(coupon, 2, "a")).await;
        let named = "innodb_flush_log_at_trx_commit";
        assert!(
            matches!(&told, Err(LedgerError::Unavailable(reason)) if reason.to_string().contains(named)),
            "{told:?}"
        );
        let declared = RedemptionOptions {
            declared: vec![named.to_owned()],
            ..vigilant
        };
        let declared = at(database.url(), declared).await;
        assert!(new(&one(&declared, redeem(coupon, 2, "a")).await.unwrap()));
        server
            .query("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
            .unwrap();
        assert!(!new(&one(&redemptions, redeem(coupon, 2, "a")).await.unwrap()));
    });
}

fn a_key_on_two_issued_coupons_at_once_is_used_for_one(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 80).await;
        let servers = [
            at(database.url(), quick()).await,
            at(database.url(), quick()).await,
        ];
        for round in 0..40_u32 {
            let under = |position: u32| RedemptionRequest {
                token: token(u8::try_from(round).unwrap(), 1),
                ..redeem(coupon, position, "a")
            };
            let (here, there) = tokio::join!(
                one(&servers[0], under(round * 2 + 1)),
                one(&servers[1], under(round * 2 + 2))
            );
            let reused = |told: &Result<RedemptionOutcome, LedgerError>| {
                matches!(told, Ok(RedemptionOutcome::TokenReused))
            };
            assert_eq!(
                (reused(&here), reused(&there)),
                if reused(&here) {
                    (true, false)
                } else {
                    (false, true)
                },
                "{here:?} {there:?}"
            );
        }
        assert_eq!(steps(&database, coupon), 40);
    });
}

fn keys_whose_day_is_over_are_swept_away(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 3).await;
        for (position, micros) in [(1, NOW), (2, NOW + 5), (3, NOW + COMMAND_TOKEN_LIFE_US)] {
            let asked = RedemptionRequest {
                token: token(u8::try_from(position).unwrap(), 1),
                ..redeem(coupon, position, "a")
            };
            // Another each time, because nobody sweeps twice within a second.
            let redemptions = at(database.url(), quick()).await;
            let clock = Timestamp::from_micros(micros).unwrap();
            assert!(new(&redemptions.decide(&[asked], clock).await.unwrap()[0]));
        }
        let left = || {
            let rows = database
                .query("SELECT position FROM redemption_tokens ORDER BY position")
                .unwrap();
            rig::text(&rows).concat()
        };
        assert!(
            wait_until(Duration::from_secs(20), || left() == ["2", "3"]),
            "{:?}",
            left()
        );
    });
}

fn what_was_issued_before_there_was_redemption_can_be_redeemed(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let coupon = issued(&database, 3).await;
        // The tables as the first version made them.
        for sql in [
            "DROP TABLE redemption_history",
            "DROP TABLE redemption_tokens",
            "ALTER TABLE issued_coupons DROP COLUMN steps, DROP COLUMN last_step_at",
            "DELETE FROM _sqlx_migrations WHERE version = 2",
        ] {
            database.query(sql).unwrap();
        }
        let database = rig::migrated(database);
        let redemptions = at(database.url(), quick()).await;
        assert!(new(&one(&redemptions, redeem(coupon, 2, "a")).await.unwrap()));
        let refused = one(&redemptions, redeem(coupon, 2, "b")).await.unwrap();
        assert!(
            matches!(
                refused,
                RedemptionOutcome::Refused(RedemptionRefusal::AlreadyRedeemed { .. })
            ),
            "{refused:?}"
        );
        assert_eq!(steps(&database, coupon), 1);
    });
}

fn what_was_issued_before_a_revision_keeps_its_terms_also_after_a_loss(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let store = rig::store(database.url()).await;
        let coupon = CouponId::FIRST;
        let discount = |value| Some(Discount::Amount { value });
        let revision = |revision: u32, issued: u32, lost: u32| {
            let coupon = Coupon {
                id: coupon,
                revision,
                terms: Terms {
                    discount: discount(u64::from(revision)),
                    ..rig::open_now(0)
                },
                paused: false,
                closed_at: None,
                deleted: false,
                created_at: START,
                revised_at: START,
            };
            Record::Revised(Box::new(RevisedRecord {
                coupon,
                issued,
                lost,
                actor: "key-1".into(),
                token: None,
            }))
        };
        let issue = |position: u32| {
            Record::Issued(IssuedRecord {
                coupon,
                user: user(usize::try_from(position).unwrap()),
                grant: Grant {
                    position: Position::new(position).unwrap(),
                    issued_at: START,
                    expires_at: Timestamp::MAX,
                },
                key: None,
            })
        };
        let deliver = async |epoch: Epoch, records: Vec<Record>| {
            let delivery = Delivery {
                coupon,
                epoch,
                records,
            };
            store.deliver(&[delivery]).await.unwrap()
        };
        deliver(1, vec![revision(1, 0, 0)]).await;
        deliver(1, (1..=6).map(issue).collect()).await;
        // Somebody was answered up to 10; what the store does not have is lost.
        let mark = store.raise_epoch(coupon, 1, 10).await.unwrap().unwrap();
        assert_eq!((mark.issued, mark.lost), (6, 4));
        deliver(2, (11..=13).map(issue).collect()).await;
        deliver(2, vec![revision(2, 9, mark.lost)]).await;
        deliver(2, vec![issue(14)]).await;
        let detained = store.quarantine(0, 9).await.unwrap();
        assert_eq!(detained, []);
        let redemptions = at(database.url(), quick()).await;
        let mut by = Vec::new();
        for position in [1, 6, 11, 12, 13, 14] {
            let position = Position::new(position).unwrap();
            let id = IssuedCouponId { coupon, position };
            let redeemable = redemptions.redeemable(id).await.unwrap().unwrap();
            by.push(redeemable.offer.discount);
        }
        let (first, second) = (discount(1), discount(2));
        assert_eq!(by, [first, first, first, first, first, second]);
    });
}

on_both! {
    what_was_issued_before_a_revision_keeps_its_terms_also_after_a_loss
    a_commit_whose_answer_was_lost_is_found_out
    an_end_that_cannot_be_found_out_is_indeterminate_until_asked_again
    a_connection_lost_before_commit_means_that_nothing_happened
    a_deadlock_is_tried_again
    a_lock_that_lasts_too_long_is_unavailable_and_nothing_happened
    servers_that_redeem_the_same_in_any_order_do_not_wait_in_a_circle
    a_database_that_became_too_weak_redeems_nothing
    a_key_on_two_issued_coupons_at_once_is_used_for_one
    keys_whose_day_is_over_are_swept_away
    what_was_issued_before_there_was_redemption_can_be_redeemed
}
