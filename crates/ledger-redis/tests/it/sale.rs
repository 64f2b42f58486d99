//! A sale as a server sees it: batches at a ledger that is judged by the server's real clock.

use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::{terms, user};
use coupon_app::{Answer, CommandOutcome, IssueLedger, LedgerError, Look, Reply, Request, Seen};
use coupon_core::{
    Command, Coupon, CouponId, Grant, Outcome, Strategy, Terms, Timestamp, UserId, Validity, Window,
    Witnessed, check_order,
};
use ledger_redis::RedisLedger;
use std::sync::Arc;

/// Terms that are open whenever this is run.
pub(crate) fn open_terms(count: u32) -> Terms {
    let instant = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
    Terms {
        window: Window::new(instant(1_500_000_000), instant(4_000_000_000)).unwrap(),
        validity: Validity::Until(instant(5_000_000_000)),
        strategy: Strategy::RedisScript,
        ..terms(count)
    }
}

/// One batch.
pub(crate) async fn batch(ledger: &RedisLedger, mut requests: Vec<Request>) -> Vec<Answer> {
    let mut answers = Vec::new();
    let asked = requests.len();
    ledger.commit(&mut requests, &mut answers).await;
    assert_eq!((requests.len(), answers.len()), (0, asked));
    answers
}

/// A command and its answer.
pub(crate) async fn command(
    ledger: &RedisLedger,
    coupon: Option<CouponId>,
    command: Command,
) -> Result<CommandOutcome, LedgerError> {
    let request = Request::Command(Box::new(order(coupon, command)));
    match batch(ledger, vec![request]).await.remove(0)? {
        Reply::Command(outcome) => Ok(*outcome),
        other => panic!("a command was answered by {other:?}"),
    }
}

/// A command that is done; the coupon as it left it.
pub(crate) async fn done(ledger: &RedisLedger, coupon: Option<CouponId>, order: Command) -> Arc<Coupon> {
    match command(ledger, coupon, order).await.unwrap() {
        CommandOutcome::Done { coupon, .. } => coupon,
        other => panic!("{other:?} where a command was to be done"),
    }
}

/// A new coupon.
pub(crate) async fn create(ledger: &RedisLedger, count: u32) -> CouponId {
    done(ledger, None, Command::Create(Box::new(open_terms(count))))
        .await
        .id
}

/// Users ask for a coupon in one batch.
pub(crate) async fn issue(
    ledger: &RedisLedger,
    coupon: CouponId,
    users: impl IntoIterator<Item = usize>,
) -> Vec<Result<Outcome, LedgerError>> {
    let requests = users.into_iter().map(|n| ask(coupon, &user(n), None)).collect();
    let outcome = |answer: Answer| {
        answer.map(|reply| match reply {
            Reply::Issue(outcome) => outcome,
            other => panic!("an issue was answered by {other:?}"),
        })
    };
    batch(ledger, requests).await.into_iter().map(outcome).collect()
}

/// One user asks.
pub(crate) async fn one(ledger: &RedisLedger, coupon: CouponId, user: usize) -> Result<Outcome, LedgerError> {
    issue(ledger, coupon, [user]).await.remove(0)
}

/// One user asks and gets the coupon.
pub(crate) async fn wins(ledger: &RedisLedger, coupon: CouponId, user: usize) -> Grant {
    let outcome = one(ledger, coupon, user).await.unwrap();
    grant(&outcome)
        .filter(|_| matches!(outcome, Outcome::Issued(_)))
        .unwrap()
}

/// What an answer says that the user holds.
pub(crate) fn grant(outcome: &Outcome) -> Option<Grant> {
    match outcome {
        Outcome::Issued(grant) | Outcome::AlreadyIssued { grant, .. } => Some(*grant),
        _ => None,
    }
}

/// Everyone who holds a coupon by its stream, with I1, I2 and I5 and the order of times held against them.
pub(crate) async fn holders(ledger: &RedisLedger, coupon: CouponId) -> Vec<(UserId, Grant)> {
    let look = |look| Request::Look(Box::new(look));
    let positions = Look::Positions {
        coupon,
        after: 0,
        limit: usize::MAX,
    };
    let mut replies = batch(ledger, vec![look(Look::Coupon(coupon)), look(positions)]).await;
    let (Ok(Reply::Look(positions)), Ok(Reply::Look(seen))) = (replies.remove(1), replies.remove(0)) else {
        panic!("a look was not answered")
    };
    let (Seen::Coupon(Some((it, issued))), Seen::Positions(holders)) = (*seen, *positions) else {
        panic!("another look was answered")
    };
    assert_eq!(u32::try_from(holders.len()).unwrap(), issued);
    let witnessed: Vec<Witnessed<'_>> = holders
        .iter()
        .map(|(user, grant)| Witnessed {
            position: grant.position,
            user: user.as_str(),
            issued_at: grant.issued_at,
        })
        .collect();
    check_order(it.terms.quantity, &witnessed).unwrap();
    holders
}

/// Whether an answer promises that nothing happened.
pub(crate) fn is_unavailable<T>(answer: &Result<T, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Unavailable(_)))
}

/// Whether an answer says that it may have happened.
pub(crate) fn is_indeterminate<T>(answer: &Result<T, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Indeterminate(_)))
}
