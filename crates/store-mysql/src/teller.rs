//! Reads what notifications tell: coupons, issued coupons and steps, each once, however many tell of them.

use crate::error::Failure;
use crate::history;
use crate::limits;
use crate::notices::Told;
use crate::row::{self, ISSUED_COLUMNS};
use crate::script::Script;
use crate::transaction::Transaction;
use coupon_app::{About, News, Notification, NotificationId};
use coupon_core::{Coupon, CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, Position, Step};
use sqlx::mysql::MySqlRow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything that a channel needs to know of these, in their order.
pub(crate) async fn tell(transaction: &mut Transaction, all: &[Told]) -> Result<Vec<Notification>, Failure> {
    let mut notifications = Vec::with_capacity(all.len());
    for some in all.chunks(limits::MAX_TOLD) {
        let known = Known::read(transaction, some).await?;
        for one in some {
            notifications.push(known.notification(*one)?);
        }
    }
    Ok(notifications)
}

/// The coupons with these ids, as they are.
pub(crate) async fn coupons(
    transaction: &mut Transaction,
    ids: &BTreeSet<CouponId>,
) -> Result<HashMap<CouponId, Coupon>, Failure> {
    let ids: Vec<CouponId> = ids.iter().copied().collect();
    let mut coupons = HashMap::new();
    for some in ids.chunks(limits::MAX_ASKED_USERS) {
        let mut script = Script::new();
        script.statement("SELECT coupon FROM coupons WHERE id IN (");
        for (index, id) in some.iter().enumerate() {
            script.sql(if index == 0 { "" } else { ", " }).number(id.get());
        }
        script.sql(")");
        for found in &transaction.ask_one(script).await?.rows {
            let coupon = row::coupon(&row::text(found, 0)?)?;
            coupons.insert(coupon.id, coupon);
        }
    }
    Ok(coupons)
}

/// What some notifications tell of.
struct Known {
    coupons: HashMap<CouponId, Coupon>,
    issued: HashMap<IssuedCouponId, IssuedCoupon>,
    steps: HashMap<(IssuedCouponId, u32), HistoryEntry>,
}

impl Known {
    async fn read(transaction: &mut Transaction, told: &[Told]) -> Result<Self, Failure> {
        let ids = told.iter().map(|one| one.id.coupon()).collect();
        let coupons = coupons(transaction, &ids).await?;
        let mut by_coupon: BTreeMap<CouponId, BTreeSet<Position>> = BTreeMap::new();
        for issued in told.iter().filter_map(|one| one.id.issued_coupon()) {
            by_coupon
                .entry(issued.coupon)
                .or_default()
                .insert(issued.position);
        }
        let mut asked = Script::new();
        for (coupon, positions) in &by_coupon {
            ask_issued(&mut asked, *coupon, positions);
        }
        let mut issued = HashMap::new();
        for found in rows(transaction, asked).await? {
            let one = row::issued_coupon(&found)?;
            issued.insert(one.id(), one);
        }
        let numbered: Vec<(IssuedCouponId, u32)> = told.iter().filter_map(|one| step(one.id)).collect();
        let mut steps = HashMap::new();
        for found in rows(transaction, ask_steps(&numbered)).await? {
            let entry = history::entry(&found, 2)?;
            steps.insert((history::id(&found, 0)?, entry.number), entry);
        }
        Ok(Self {
            coupons,
            issued,
            steps,
        })
    }

    fn notification(&self, told: Told) -> Result<Notification, Failure> {
        let missing = || Failure::Damaged(format!("what notification {} tells of is missing", told.id));
        let about = match (told.id, told.id.issued_coupon()) {
            (NotificationId::SoldOut { position, .. }, _) => About::SoldOut { position },
            (_, None) => return Err(missing()),
            (_, Some(issued)) => About::IssuedCoupon {
                issued: Box::new(self.issued.get(&issued).ok_or_else(missing)?.clone()),
                news: self.news(told.id).ok_or_else(missing)?,
            },
        };
        Ok(Notification {
            at: told.at,
            coupon: self.coupons.get(&told.id.coupon()).ok_or_else(missing)?.clone(),
            about,
        })
    }

    fn news(&self, id: NotificationId) -> Option<News> {
        Some(match id {
            NotificationId::Issued(_) => News::Issued,
            NotificationId::Expired(_) => News::Expired,
            NotificationId::Revoked(_) => News::Revoked,
            NotificationId::Expiring { days, .. } => News::Expiring { days },
            NotificationId::Redeemed { issued, number } => {
                let Step::Redeemed { order, discount } = &self.steps.get(&(issued, number))?.step else {
                    return None;
                };
                News::Redeemed {
                    number,
                    order: order.clone(),
                    discount: *discount,
                }
            }
            NotificationId::RedemptionCancelled { issued, number } => {
                let Step::Cancelled { order } = &self.steps.get(&(issued, number))?.step else {
                    return None;
                };
                News::RedemptionCancelled {
                    number,
                    order: order.clone(),
                }
            }
            NotificationId::SoldOut { .. } => return None,
        })
    }
}

/// The step that this one tells of.
fn step(id: NotificationId) -> Option<(IssuedCouponId, u32)> {
    match id {
        NotificationId::Redeemed { issued, number }
        | NotificationId::RedemptionCancelled { issued, number } => Some((issued, number)),
        NotificationId::Issued(_)
        | NotificationId::Expiring { .. }
        | NotificationId::Expired(_)
        | NotificationId::Revoked(_)
        | NotificationId::SoldOut { .. } => None,
    }
}

fn ask_issued(script: &mut Script, coupon: CouponId, positions: &BTreeSet<Position>) {
    script
        .statement("SELECT ")
        .sql(ISSUED_COLUMNS)
        .sql(" FROM issued_coupons FORCE INDEX (PRIMARY) WHERE coupon_id = ")
        .number(coupon.get())
        .sql(" AND position IN (");
    for (index, position) in positions.iter().enumerate() {
        script
            .sql(if index == 0 { "" } else { ", " })
            .number(position.get());
    }
    script.sql(")");
}

fn ask_steps(numbered: &[(IssuedCouponId, u32)]) -> Script {
    let mut script = Script::new();
    for (index, (issued, number)) in numbered.iter().enumerate() {
        if index == 0 {
            script
                .statement("SELECT coupon_id, position, ")
                .sql(history::COLUMNS)
                .sql(" FROM redemption_history FORCE INDEX (PRIMARY) WHERE (");
        } else {
            script.sql(" OR (");
        }
        script
            .sql("coupon_id = ")
            .number(issued.coupon.get())
            .sql(" AND position = ")
            .number(issued.position.get())
            .sql(" AND number = ")
            .number(*number)
            .sql(")");
    }
    script
}

/// The rows of every statement of one round trip, if there is any.
async fn rows(transaction: &mut Transaction, script: Script) -> Result<Vec<MySqlRow>, Failure> {
    if script.statements() == 0 {
        return Ok(Vec::new());
    }
    let answered = transaction.ask(script).await?;
    Ok(answered.into_iter().flat_map(|one| one.rows).collect())
}
