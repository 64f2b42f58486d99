//! What a template can say: the variables of each kind.

use super::money::{grouped, money};
use coupon_app::{About, CodeKey, News, Notification, NotificationKind};
use coupon_core::{PersonName, Timestamp};
use std::collections::BTreeMap;

/// The values of the variables of one mail.
pub(super) type Variables = BTreeMap<&'static str, String>;

const OF_THE_COUPON: [&str; 2] = ["coupon_id", "coupon_name"];
const OF_THE_ISSUED_COUPON: [&str; 7] = [
    "code",
    "expires_at",
    "issued_at",
    "issued_coupon_id",
    "position",
    "time_zone",
    "user_name",
];

/// The names of the variables that a template of this kind may use. Each has a value in every mail, if only an empty
/// one: `user_name` without a known name, `discount` when the coupon does not say.
pub(super) fn names(kind: NotificationKind) -> impl Iterator<Item = &'static str> {
    let of_the_kind: &[&str] = match kind {
        NotificationKind::Issued | NotificationKind::Expired | NotificationKind::Revoked => &[],
        NotificationKind::Expiring => &["days"],
        NotificationKind::Redeemed => &["discount", "order_amount", "order_id"],
        NotificationKind::RedemptionCancelled => &["order_id"],
        NotificationKind::SoldOut => &["issued"],
    };
    let of_the_issued_coupon: &[&str] = match kind {
        NotificationKind::SoldOut => &[],
        NotificationKind::Issued
        | NotificationKind::Expiring
        | NotificationKind::Redeemed
        | NotificationKind::RedemptionCancelled
        | NotificationKind::Expired
        | NotificationKind::Revoked => &OF_THE_ISSUED_COUPON,
    };
    OF_THE_COUPON
        .iter()
        .chain(of_the_issued_coupon)
        .chain(of_the_kind)
        .copied()
}

/// The values for one notification. Their names are those of [`names`].
pub(super) fn variables(
    notification: &Notification,
    name: Option<&PersonName>,
    codes: &CodeKey,
) -> Variables {
    let terms = &notification.coupon.terms;
    let mut variables = Variables::from([
        ("coupon_id", notification.coupon.id.to_string()),
        ("coupon_name", terms.name.to_string()),
    ]);
    let (issued, news) = match &notification.about {
        About::SoldOut { position } => {
            variables.insert("issued", grouped(position.get().into()));
            return variables;
        }
        About::IssuedCoupon { issued, news } => (issued, news),
    };
    variables.extend([
        ("code", codes.code(issued.id()).to_string()),
        ("expires_at", local(issued.grant.expires_at, &terms.time_zone)),
        ("issued_at", local(issued.grant.issued_at, &terms.time_zone)),
        ("issued_coupon_id", issued.id().to_string()),
        ("position", grouped(issued.grant.position.get().into())),
        ("time_zone", terms.time_zone.to_string()),
        (
            "user_name",
            name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        ),
    ]);
    match news {
        News::Issued | News::Expired | News::Revoked => {}
        News::Expiring { days } => {
            variables.insert("days", days.to_string());
        }
        News::Redeemed {
            number: _,
            order,
            discount,
        } => {
            let discount = discount.map(|amount| money(amount.get(), &terms.currency));
            variables.insert("discount", discount.unwrap_or_default());
            variables.insert("order_amount", money(order.amount.get(), &terms.currency));
            variables.insert("order_id", order.id.to_string());
        }
        News::RedemptionCancelled { number: _, order } => {
            variables.insert("order_id", order.to_string());
        }
    }
    variables
}

/// Values to look at a template with.
pub(super) fn sample(kind: NotificationKind) -> Variables {
    let value = |name: &str| match name {
        "code" => "7KQM-2ZRD-94TA",
        "coupon_name" => "Autumn <sale> & more",
        "days" => "7",
        "discount" => "5,000 KRW",
        "expires_at" => "2026-12-31 00:00",
        "issued" => "1,000",
        "issued_at" => "2026-11-21 10:00",
        "issued_coupon_id" => "1-17",
        "order_amount" => "50,000 KRW",
        "order_id" => "A-1001",
        "position" => "17",
        "time_zone" => "Asia/Seoul",
        "user_name" => "Kim",
        _coupon_id => "1",
    };
    names(kind).map(|name| (name, value(name).to_owned())).collect()
}

/// An instant where the coupon's clock hangs, to the minute; in UTC, said so, if its time zone is not known here.
fn local(at: Timestamp, time_zone: &str) -> String {
    // A timestamp of jiff ends hours before ours does; what ends that late is told to end at its last minute.
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(jiff::Timestamp::MAX);
    match at.in_tz(time_zone) {
        Ok(local) => local.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_unknown) => format!("{} UTC", at.strftime("%Y-%m-%d %H:%M")),
    }
}
