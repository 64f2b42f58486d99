//! From an HTTP answer to an outcome, by the interface's own words.

use std::borrow::Cow;
use std::io;

use jiff::Timestamp;
use serde::Deserialize;

use crate::history::Code;
use crate::outcome::Outcome;

/// An answer, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) issue: Option<Issue>,
    pub(crate) note: Option<Box<str>>,
}

/// What an answer says about the user's coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) position: u64,
    pub(crate) issued_at_us: i64,
    pub(crate) code: Code,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedBody<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    coupon_id: u64,
    position: u64,
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    issued_at: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    issued_coupon: Option<IssuedBody<'a>>,
}

/// Reads the answer to an issue request of this user for this coupon.
pub(crate) fn understand(status: u16, body: &[u8], coupon: u64, user_id: &str) -> Answer {
    match status {
        201 => match serde_json::from_slice(body).map_err(|error| error.to_string()) {
            Ok(issued) => with_issue(Outcome::Issued, &issued, coupon, user_id),
            Err(why) => unexpected(&format!("201 with another body: {why}")),
        },
        429 => plain(Outcome::RateLimited),
        503 => plain(Outcome::Unavailable),
        // Only 503 promises that nothing happened; every other server error may hide an issue.
        500.. => noted(Outcome::Unknown, &format!("status {status}")),
        _ => refusal(status, body, coupon, user_id),
    }
}

/// No answer at all: the request may have had its effect.
pub(crate) fn no_answer(error: &io::Error) -> Answer {
    noted(Outcome::Unknown, &error.to_string())
}

fn refusal(status: u16, body: &[u8], coupon: u64, user_id: &str) -> Answer {
    let Ok(problem) = serde_json::from_slice::<ProblemBody<'_>>(body) else {
        return unexpected(&format!("status {status} without a problem body"));
    };
    match (status, problem.code.as_ref(), problem.issued_coupon) {
        (409, "already-issued", Some(issued)) => with_issue(Outcome::AlreadyIssued, &issued, coupon, user_id),
        (410, "sold-out", _) => plain(Outcome::SoldOut),
        (410, "closed", _) => plain(Outcome::Closed),
        (403, "not-yet-open", _) => plain(Outcome::NotYetOpen),
        (403, "paused", _) => plain(Outcome::Paused),
        (404, "unknown-coupon", _) => plain(Outcome::UnknownCoupon),
        (status, code, _) => unexpected(&format!("status {status} with code {code:?}")),
    }
}

fn with_issue(outcome: Outcome, body: &IssuedBody<'_>, coupon: u64, user_id: &str) -> Answer {
    let rightful = body.coupon_id == coupon
        && body.user_id == user_id
        && body
            .id
            .strip_prefix(&format!("{coupon}-"))
            .and_then(|id| id.parse().ok())
            == Some(body.position);
    if !rightful {
        return unexpected(&format!(
            "{} {} of {:?} for {user_id:?}",
            outcome.name(),
            body.id,
            body.user_id
        ));
    }
    let (Some(code), Ok(issued_at)) = (Code::parse(&body.code), body.issued_at.parse::<Timestamp>()) else {
        return unexpected(&format!(
            "{} {} with a strange code or time",
            outcome.name(),
            body.id
        ));
    };
    let issue = Issue {
        position: body.position,
        issued_at_us: issued_at.as_microsecond(),
        code,
    };
    Answer {
        outcome,
        issue: Some(issue),
        note: None,
    }
}

fn plain(outcome: Outcome) -> Answer {
    Answer {
        outcome,
        issue: None,
        note: None,
    }
}

fn noted(outcome: Outcome, note: &str) -> Answer {
    Answer {
        outcome,
        issue: None,
        note: Some(note.into()),
    }
}

fn unexpected(note: &str) -> Answer {
    noted(Outcome::Unexpected, note)
}

#[cfg(test)]
mod tests {
    use super::understand;
    use crate::outcome::Outcome;

    const ISSUED: &str = r#"{"id":"3-17","couponId":3,"userId":"kim","position":17,"code":"ABCD-EFGH-JKMN",
        "state":"issued","issuedAt":"2026-11-20T09:00:00.000001+09:00","expiresAt":null,"new":1}"#;

    fn outcome(status: u16, body: &str) -> Outcome {
        understand(status, body.as_bytes(), 3, "kim").outcome
    }

    #[test]
    fn an_issue_is_read_with_position_time_and_code() {
        let issue = understand(201, ISSUED.as_bytes(), 3, "kim").issue.unwrap();
        assert_eq!((issue.position, issue.code.as_str()), (17, "ABCD-EFGH-JKMN"));
        assert_eq!(issue.issued_at_us, 1_795_132_800_000_001);
        let already = format!(r#"{{"code":"already-issued","title":"x","issuedCoupon":{ISSUED}}}"#);
        let told = understand(409, already.as_bytes(), 3, "kim");
        assert_eq!((told.outcome, told.issue), (Outcome::AlreadyIssued, Some(issue)));
    }

    #[test]
    fn every_word_of_the_interface_has_its_outcome() {
        for (status, code, expected) in [
            (410, "sold-out", Outcome::SoldOut),
            (410, "closed", Outcome::Closed),
            (403, "not-yet-open", Outcome::NotYetOpen),
            (403, "paused", Outcome::Paused),
            (404, "unknown-coupon", Outcome::UnknownCoupon),
            (429, "rate-limited", Outcome::RateLimited),
            (503, "unavailable", Outcome::Unavailable),
            (500, "indeterminate", Outcome::Unknown),
            (502, "bad-gateway", Outcome::Unknown),
            (401, "unauthenticated", Outcome::Unexpected),
            (409, "sold-out", Outcome::Unexpected),
            (409, "already-issued", Outcome::Unexpected),
        ] {
            assert_eq!(
                outcome(status, &format!(r#"{{"code":"{code}"}}"#)),
                expected,
                "{status} {code}"
            );
        }
    }

    #[test]
    fn somebody_elses_coupon_is_not_an_answer() {
        assert_eq!(
            understand(201, ISSUED.as_bytes(), 3, "Kim").outcome,
            Outcome::Unexpected
        );
        assert_eq!(
            understand(201, ISSUED.as_bytes(), 4, "kim").outcome,
            Outcome::Unexpected
        );
        assert_eq!(outcome(201, &ISSUED.replace("3-17", "3-18")), Outcome::Unexpected);
        assert_eq!(outcome(201, "{}"), Outcome::Unexpected);
        assert_eq!(outcome(410, "gone"), Outcome::Unexpected);
    }
}
