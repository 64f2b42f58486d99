//! What the server holds in the end, compact enough for millions.

use jiff::Timestamp;

use crate::history::{Code, Header};
use crate::users::UserIds;

/// One issued coupon of the final state, from wherever it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCoupon {
    /// Its id, if the source has ids.
    pub id: Option<String>,
    /// Who holds it.
    pub user_id: String,
    /// Its position, from 1.
    pub position: u64,
    /// Its code.
    pub code: String,
    /// When it was issued, by the ledger's clock.
    pub issued_at: Timestamp,
}

/// The final state of one coupon, to be filled with [`FinalState::add`].
#[derive(Debug, Clone)]
pub struct FinalState {
    coupon: u64,
    ids: UserIds,
    users: u32,
    pub(super) holdings: Vec<Holding>,
    pub(super) claims: Vec<Claim>,
    pub(super) revision: Option<u64>,
    /// The first and the last of each range of positions that the server counts as lost, in order.
    pub(super) lost: Vec<(u64, u64)>,
    /// Whether the coupon promises that nothing that was answered is lost with the ledger.
    pub(super) waits_for_the_store: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Holding {
    pub(super) holder: Holder,
    pub(super) position: u64,
    pub(super) issued_at_us: i64,
    /// None if it is not a code at all.
    pub(super) code: Option<Code>,
    /// Whether the id is the one that belongs to coupon and position.
    pub(super) has_own_id: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// One of the rehearsal's users.
    Own(u32),
    /// Anybody else.
    Other(Box<str>),
}

/// What the server says about the numbers.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) source: String,
    pub(super) issued: Option<u64>,
    pub(super) remaining: Option<u64>,
}

impl FinalState {
    /// An empty state of the coupon and the users of this history.
    pub fn new(header: &Header) -> Self {
        Self {
            coupon: header.coupon.id,
            ids: header.user_prefix.clone(),
            users: header.plan.users,
            holdings: Vec::new(),
            claims: Vec::new(),
            revision: None,
            lost: Vec::new(),
            waits_for_the_store: false,
        }
    }

    /// The state that these issued coupons make, for a data directory at rest.
    pub fn gather(header: &Header, issued: impl IntoIterator<Item = IssuedCoupon>) -> Self {
        let mut state = Self::new(header);
        issued.into_iter().for_each(|one| state.add(one));
        state
    }

    /// Adds an issued coupon, in any order.
    pub fn add(&mut self, issued: IssuedCoupon) {
        let holder = match self.ids.number(&issued.user_id).filter(|user| *user < self.users) {
            Some(user) => Holder::Own(user),
            None => Holder::Other(issued.user_id.into_boxed_str()),
        };
        let has_own_id = issued
            .id
            .is_none_or(|id| id == format!("{}-{}", self.coupon, issued.position));
        self.holdings.push(Holding {
            holder,
            position: issued.position,
            issued_at_us: issued.issued_at.as_microsecond(),
            code: Code::parse(&issued.code),
            has_own_id,
        });
    }

    /// Adds what a source says about how many were issued and how many remain; both are checked where given.
    pub fn claim(&mut self, source: &str, issued: Option<u64>, remaining: Option<u64>) {
        self.claims.push(Claim {
            source: source.to_owned(),
            issued,
            remaining,
        });
    }

    /// The revision of the coupon's facts in the end. Equal to that at the start, it proves that nobody changed them.
    pub fn revision(&mut self, revision: Option<u64>) {
        self.revision = revision;
    }

    /// The positions that the server itself counts and names as lost with its ledger's state: the first and the last
    /// of each range. They belong to nobody and are never used again.
    pub fn lost(&mut self, ranges: impl IntoIterator<Item = (u64, u64)>) {
        self.lost.extend(ranges);
        self.lost.sort_unstable();
    }

    /// Says that the coupon's answers wait for the store (`ack` is `store`), so that no loss of the ledger excuses one
    /// that is gone.
    pub fn waits_for_the_store(&mut self) {
        self.waits_for_the_store = true;
    }

    /// How many are issued.
    pub fn issued(&self) -> u64 {
        u64::try_from(self.holdings.len()).unwrap_or(u64::MAX)
    }
}
