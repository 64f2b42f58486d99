//! An issued coupon, and the requests that lead to one.

use crate::Time;
use crate::digits::push_number;
use crate::present::not_null;
use coupon_core::IssuedCouponId;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use utoipa::ToSchema;

/// What an issue request says: nothing for a user, whose token names them, and the user for a service.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueBody {
    // serde's derive also reads a struct from an array; whoever reads this must see to it that it is an object.
    /// For whom: 1 to 128 bytes of UTF-8 without control or bidirectional-control characters. Required of services
    /// and administrators, unknown for users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, examples("user-1"))]
    pub user_id: Option<Box<str>>,
}

/// Which code to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LookupBody {
    /// The code of an issued coupon, in either case, with or without hyphens.
    #[schema(value_type = String, examples("7ZQ4-K0M2-XW9D"))]
    pub code: Box<str>,
}

/// The state of an issued coupon: what the clock says, whatever a job has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum IssuedState {
    /// It can be redeemed.
    Issued,
    /// It was redeemed.
    Redeemed,
    /// Its validity ended before it was redeemed.
    Expired,
    /// An administrator took it back.
    Revoked,
}

impl IssuedState {
    /// The written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Redeemed => "redeemed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl From<coupon_core::IssuedState> for IssuedState {
    fn from(state: coupon_core::IssuedState) -> Self {
        match state {
            coupon_core::IssuedState::Issued => Self::Issued,
            coupon_core::IssuedState::Redeemed => Self::Redeemed,
            coupon_core::IssuedState::Expired => Self::Expired,
            coupon_core::IssuedState::Revoked => Self::Revoked,
        }
    }
}

/// `{couponId}-{position}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, examples("1-17"))]
pub struct IssuedCouponIdText(pub IssuedCouponId);

impl Serialize for IssuedCouponIdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Twelve characters of Crockford's base 32 in three groups of four, as ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, examples("7ZQ4-K0M2-XW9D"))]
pub struct CodeText(pub [u8; 14]);

impl CodeText {
    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // the alphabet is ASCII
    }
}

impl Serialize for CodeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An issued coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCoupon<'a> {
    /// `{couponId}-{position}`.
    pub id: IssuedCouponIdText,
    /// Which coupon.
    #[schema(value_type = u64, examples(1))]
    pub coupon_id: u32,
    /// Whose.
    #[schema(examples("user-1"))]
    pub user_id: Cow<'a, str>,
    /// The place in the order of issue, from 1.
    #[schema(value_type = u64, examples(17))]
    pub position: u32,
    /// The code that stands on the coupon.
    pub code: CodeText,
    /// The state by the server's clock.
    pub state: IssuedState,
    /// When it was issued.
    pub issued_at: Time,
    /// The first instant at which it can no longer be redeemed.
    pub expires_at: Time,
    /// When it was redeemed.
    #[schema(required = true)]
    pub redeemed_at: Option<Time>,
    /// The order on which it was redeemed.
    #[schema(required = true)]
    pub order_id: Option<Cow<'a, str>>,
}

impl IssuedCoupon<'_> {
    /// Enough room for the written form with a user id and an order id of ordinary length.
    pub const USUAL_LENGTH: usize = 384;

    /// Appends what `serde_json` would write; a test holds the two equal. The issue path is judged against an empty
    /// handler, and this takes a third of the time.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        push_number(out, u64::from(self.id.0.coupon.get()));
        out.push(b'-');
        push_number(out, u64::from(self.id.0.position.get()));
        out.extend_from_slice(b"\",\"couponId\":");
        push_number(out, u64::from(self.coupon_id));
        out.extend_from_slice(b",\"userId\":");
        push_text(out, &self.user_id);
        out.extend_from_slice(b",\"position\":");
        push_number(out, u64::from(self.position));
        out.extend_from_slice(b",\"code\":\"");
        out.extend_from_slice(&self.code.0);
        out.extend_from_slice(b"\",\"state\":\"");
        out.extend_from_slice(self.state.name().as_bytes());
        out.extend_from_slice(b"\",\"issuedAt\":");
        push_time(out, Some(self.issued_at));
        out.extend_from_slice(b",\"expiresAt\":");
        push_time(out, Some(self.expires_at));
        out.extend_from_slice(b",\"redeemedAt\":");
        push_time(out, self.redeemed_at);
        out.extend_from_slice(b",\"orderId\":");
        match &self.order_id {
            None => out.extend_from_slice(b"null"),
            Some(order) => push_text(out, order),
        }
        out.push(b'}');
    }
}

fn push_time(out: &mut Vec<u8>, time: Option<Time>) {
    match time {
        None => out.extend_from_slice(b"null"),
        Some(time) => {
            out.push(b'"');
            out.extend_from_slice(&time.to_ascii());
            out.push(b'"');
        }
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        // Rare, so it may take the long way round.
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_core::Timestamp;

    #[test]
    fn what_is_written_by_hand_is_what_serde_writes() {
        let users = [
            "u",
            "user-1",
            "홍길동",
            "quo\"te",
            "back\\slash",
            "é\u{301}🙂",
            " ",
            "\u{7f}",
            "tab\t",
            "\u{2028}",
        ];
        let states = [
            IssuedState::Issued,
            IssuedState::Redeemed,
            IssuedState::Expired,
            IssuedState::Revoked,
        ];
        for (index, user) in users.iter().enumerate() {
            let redeemed = index % 2 == 1;
            let one = IssuedCoupon {
                id: IssuedCouponIdText("268435455-4294967295".parse().unwrap()),
                coupon_id: 268_435_455,
                user_id: Cow::Borrowed(user),
                position: u32::MAX,
                code: CodeText(*b"7ZQ4-K0M2-XW9D"),
                state: states[index % states.len()],
                issued_at: Time(Timestamp::from_micros(1_763_596_800_000_001).unwrap()),
                expires_at: Time(Timestamp::MAX),
                redeemed_at: redeemed.then_some(Time(Timestamp::MIN)),
                order_id: redeemed.then_some(Cow::Borrowed(*user)),
            };
            let mut by_hand = Vec::new();
            one.write_json(&mut by_hand);
            assert_eq!(
                String::from_utf8(by_hand).unwrap(),
                serde_json::to_string(&one).unwrap()
            );
        }
    }

    #[test]
    fn an_issue_body_refuses_unknown_repeated_and_null_fields() {
        let read = |text| serde_json::from_str::<IssueBody>(text).map(|body| body.user_id);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"userId":"a"}"#).unwrap().as_deref(), Some("a"));
        for refused in [
            r#"{"userId":null}"#,
            r#"{"userId":1}"#,
            r#"{"userId":"a","userId":"a"}"#,
            r#"{"user_id":"a"}"#,
            r#"{"userId":"a","x":1}"#,
            "null",
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}
