//! The ledger port: where an issue becomes a fact.

use crate::{LedgerError, Origin};
use async_trait::async_trait;
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Grant, KeyHash, Outcome, Revision, Timestamp, UserId,
};
use std::sync::Arc;

/// Decides issues and commands, and makes them durable before it answers.
///
/// Every implementation MUST keep these, and `contract::ledger` examines each:
///
/// 1. **Exact.** What is issued never exceeds the quantity, and equals it once demand reaches it.
/// 2. **One per user**, by the exact bytes of the user id.
/// 3. **First come.** Positions are 1..issued without gap or reuse, in the order of decision; `issued_at` never
///    decreases with position, whatever the clock does. A request that arrives after an answer has left gets a later
///    position.
/// 4. **Durable before the answer.** No answer leaves before everything that it rests on is durable: a winner's own
///    record, and for "already issued", "sold out" and every reading the records that they rest on.
/// 5. **One clock judges the window**, the ledger's, and the judged time is never before the coupon's last issue.
/// 6. **Facts are judged where issues are.** Commands are ordered with the issues and carried by the same records.
/// 7. **Batches.** Requests are decided in the given order at the cost of one commit.
/// 8. **Truthful errors.** `Unavailable` promises that nothing happened; `Indeterminate` that it may have. A ledger
///    that cannot know whether its last write is durable never answers from it (poison).
/// 9. **Honest.** A ledger configured too weakly for its promise says so in [`IssueLedger::health`].
#[async_trait]
pub trait IssueLedger: Send + Sync + 'static {
    /// Decides `requests` in order and appends one answer for each to `answers`, in the same order. `requests` is
    /// left empty, so that its memory can be used again. Called by one task at a time, unless the ledger says that it
    /// can be shared; even then never by two for the same coupon, creations excepted.
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>);

    /// How many requests it wants in a batch at most, from one to [`MAX_BATCH`](crate::limits::MAX_BATCH). One whose
    /// commit costs little beside its decisions wants fewer: the waiters of one batch are answered while the next is
    /// being decided. It must take larger ones all the same.
    fn largest_batch(&self) -> usize {
        crate::limits::MAX_BATCH
    }

    /// Whether it can keep its promise now.
    fn health(&self) -> Health;

    /// Makes everything durable and ends. Afterwards every request is `Unavailable`.
    async fn close(&self) -> Result<(), LedgerError>;
}

/// Whether a ledger can keep its promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Ready,
    /// No, and why, for operators.
    NotReady(String),
}

/// The answer to a [`Request`]: the reply of the same kind.
pub type Answer = Result<Reply, LedgerError>;

/// What a ledger is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Issue one coupon to one user.
    Issue(IssueRequest),
    /// Carry out an administrator's command.
    Command(Box<CommandRequest>),
    /// Read what has been decided.
    Look(Box<Look>),
}

/// What a ledger replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Issue`].
    Issue(Outcome),
    /// To [`Request::Command`].
    Command(Box<CommandOutcome>),
    /// To [`Request::Look`].
    Look(Box<Seen>),
}

/// One user asks for one coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRequest {
    /// Which coupon.
    pub coupon: CouponId,
    /// For whom.
    pub user: UserId,
    /// The hash of the idempotency key, if one came.
    pub key: Option<KeyHash>,
}

/// An administrator's command and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// To which coupon; `None` exactly for [`Command::Create`].
    pub coupon: Option<CouponId>,
    /// What to do.
    pub command: Command,
    /// The revision that the caller believes to be the present one.
    pub if_match: Option<Revision>,
    /// Who, and by which request.
    pub actor: Origin,
    /// The idempotency key, if one came.
    pub token: Option<CommandToken>,
}

/// An idempotency key on a command: within [`crate::limits::COMMAND_TOKEN_LIFE_US`] the same token gives the same
/// answer and changes nothing again, and the same scope with another payload is refused. The life begins with the
/// revision that the command made; a command that changed nothing leaves no token behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandToken {
    /// A hash of caller, path and key.
    pub scope: [u8; 16],
    /// A hash of what was asked.
    pub payload: [u8; 16],
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// It is so now.
    Done {
        /// The coupon as the command left it.
        coupon: Arc<Coupon>,
        /// How many were issued at that moment.
        issued: u32,
        /// When it was decided, by the ledger's clock, but never before the coupon's last issue and revision. For a
        /// command that changed something it is the revision's time.
        decided_at: Timestamp,
        /// Whether this is the answer to an earlier request with the same token.
        replayed: bool,
    },
    /// It is not permitted; nothing changed.
    Refused(CommandRefusal),
    /// The token's key was used before with another payload; nothing changed.
    TokenReused,
}

/// A reading of what has been decided. It sees everything that was answered before it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// What a user holds of these coupons.
    Holder {
        /// Who.
        user: UserId,
        /// Of which coupons.
        coupons: Vec<CouponId>,
    },
    /// Who holds the positions after `after`, in order, at most `limit`.
    Positions {
        /// Of which coupon.
        coupon: CouponId,
        /// The last position already seen, 0 for the beginning.
        after: u32,
        /// At most so many.
        limit: usize,
    },
    /// A coupon and how many of it are issued.
    Coupon(CouponId),
}

/// The reply to a [`Look`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// To [`Look::Holder`], in the order asked, without those that the user does not hold.
    Holder(Vec<(CouponId, Grant)>),
    /// To [`Look::Positions`].
    Positions(Vec<(UserId, Grant)>),
    /// To [`Look::Coupon`]; `None` when there is no such coupon or it was deleted.
    Coupon(Option<(Arc<Coupon>, u32)>),
}
