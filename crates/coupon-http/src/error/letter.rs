//! Puts a problem into words: `application/problem+json`.

use super::{Problem, Wrong};
use crate::auth::Need;
use crate::body::HallBody;
use crate::language::Language;
use crate::messages::{self, Code};
use bytes::Bytes;
use coupon_api::{FieldError, IssuedCoupon, Time};
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};
use serde_json::Value;
use std::sync::LazyLock;

/// A fact of the case.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact<'a> {
    Text(&'a str),
    Number(u64),
    /// An instant; to people it is told in UTC.
    Time(Time),
    /// An instant that is told to people in this time zone.
    LocalTime(Time, &'a str),
    /// What credential it takes.
    Need(Need),
    /// What a field should have been.
    Expected(&'a str),
    IssuedCoupon(&'a IssuedCoupon<'static>),
    Wrong(&'a [Wrong]),
}

impl Fact<'_> {
    fn write_json(self, language: Language, out: &mut Vec<u8>) {
        let value = match self {
            Fact::IssuedCoupon(issued) => return issued.write_json(out),
            Fact::Text(text) => Value::from(text),
            Fact::Number(number) => Value::from(number),
            Fact::Time(time) | Fact::LocalTime(time, _) => Value::from(time.to_string()),
            Fact::Need(need) => Value::from(need.in_words(language)),
            Fact::Expected(expected) => Value::from(messages::expected(expected, language)),
            Fact::Wrong(wrong) => {
                let errors: Vec<FieldError> = wrong.iter().map(|one| one.in_words(language)).collect();
                serde_json::to_value(errors).unwrap_or_default() // texts alone cannot fail to become JSON
            }
        };
        out.extend_from_slice(value.to_string().as_bytes());
    }

    fn in_words(self, language: Language) -> String {
        match self {
            Fact::Text(text) => text.to_owned(),
            Fact::Number(number) => number.to_string(),
            Fact::Time(time) => universal(time),
            Fact::LocalTime(time, zone) => local(time, zone).unwrap_or_else(|| universal(time)),
            Fact::Need(need) => need.in_words(language).to_owned(),
            Fact::Expected(expected) => messages::expected(expected, language),
            Fact::IssuedCoupon(_) | Fact::Wrong(_) => String::new(),
        }
    }
}

/// An instant for people, to the second. Programs find it to the microsecond among the facts.
fn universal(time: Time) -> String {
    let text = time.to_string();
    format!("{} {} (UTC)", &text[..10], &text[11..19])
}

/// The same where people live by this zone; `None` if there is no such zone, or no such time in it.
fn local(time: Time, zone: &str) -> Option<String> {
    let instant = jiff::Timestamp::from_microsecond(time.0.as_micros()).ok()?;
    let there = jiff::tz::db().get(zone).ok()?.to_datetime(instant);
    Some(format!("{} ({zone})", there.strftime("%Y-%m-%d %H:%M:%S")))
}

/// What each code says in each language as long as its detail has no gaps, put into words once. A sold-out coupon
/// refuses a hundred thousand times a second with the same bytes.
static FIXED: LazyLock<Vec<[Option<Bytes>; 2]>> = LazyLock::new(|| {
    let fixed = |code: &Code, language| {
        let detail = code.message().words(language).detail;
        let whole = !detail.contains('{');
        whole.then(|| Bytes::from(envelope(*code, language, detail)))
    };
    let both = |code| [fixed(code, Language::English), fixed(code, Language::Korean)];
    Code::ALL.iter().map(both).collect()
});

/// Everything but the facts: a whole object.
fn envelope(code: Code, language: Language, detail: &str) -> Vec<u8> {
    let message = code.message();
    let problem = coupon_api::Problem {
        kind: format!("urn:firstcome:problem:{}", message.name),
        title: message.words(language).title.to_owned(),
        status: message.status.as_u16(),
        detail: detail.to_owned(),
        code: message.name.to_owned(),
        errors: Vec::new(),
    };
    serde_json::to_vec(&problem).unwrap_or_default() // texts and numbers alone cannot fail to become JSON
}

/// The answer that a problem is.
pub(crate) fn render(problem: &Problem, language: Language) -> Response<HallBody> {
    let code = problem.code();
    let message = code.message();
    let facts = problem.facts();
    let fixed = FIXED[code as usize][language as usize].as_ref();
    let body = match fixed {
        Some(fixed) if facts.is_empty() => fixed.clone(),
        _ => {
            let mut body = match fixed {
                Some(fixed) => {
                    let mut body = Vec::with_capacity(fixed.len() + IssuedCoupon::USUAL_LENGTH);
                    body.extend_from_slice(fixed);
                    body
                }
                None => envelope(
                    code,
                    language,
                    &fill(message.words(language).detail, language, &facts),
                ),
            };
            body.pop(); // the closing brace, which comes after the facts
            for (name, fact) in facts {
                body.extend_from_slice(b",\"");
                body.extend_from_slice(name.as_bytes());
                body.extend_from_slice(b"\":");
                fact.write_json(language, &mut body);
            }
            body.push(b'}');
            Bytes::from(body)
        }
    };
    let mut response = Response::new(HallBody::Whole(body));
    *response.status_mut() = message.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = problem.challenge() {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// A template with its gaps filled.
fn fill(template: &str, language: Language, facts: &[(&'static str, Fact<'_>)]) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or(("", piece));
        if let Some((_, fact)) = facts.iter().find(|(known, _)| *known == name) {
            text.push_str(&fact.in_words(language));
        }
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_core::Timestamp;
    use http_body_util::BodyExt;

    fn body_of(problem: &Problem, language: Language) -> Value {
        let body = render(problem, language).into_body();
        let waker = std::task::Waker::noop();
        let mut whole = std::pin::pin!(body.collect());
        let std::task::Poll::Ready(Ok(collected)) =
            whole.as_mut().poll(&mut std::task::Context::from_waker(waker))
        else {
            panic!("a whole body is ready at once");
        };
        serde_json::from_slice(&collected.to_bytes()).unwrap()
    }

    #[test]
    fn a_problem_has_its_facts_as_members_and_in_its_words() {
        let problem = Problem::BelowIssued { issued: 17 };
        let english = body_of(&problem, Language::English);
        assert_eq!(english["code"], "below-issued");
        assert_eq!(english["type"], "urn:firstcome:problem:below-issued");
        assert_eq!(english["status"], 409);
        assert_eq!(english["issued"], 17);
        assert_eq!(
            english["detail"],
            "The quantity cannot go below the 17 that are issued."
        );
        let korean = body_of(&problem, Language::Korean);
        assert_eq!(korean["detail"], "수량을 이미 발급된 17장보다 줄일 수 없습니다.");
    }

    #[test]
    fn a_fact_cannot_break_out_of_the_json_or_fill_another_gap() {
        let field = "\"},{issued}\n".to_owned();
        let body = body_of(&Problem::UnknownField { field: field.clone() }, Language::English);
        assert_eq!(body["field"], field);
        assert_eq!(body["detail"], format!("The field {field} is not known here."));
    }

    #[test]
    fn times_are_told_to_people_to_the_second_and_where_they_live() {
        let opens_at = Timestamp::from_micros(1_795_283_517_654_321).unwrap();
        let body = |zone: &str, language| {
            let problem = Problem::NotYetOpen {
                opens_at,
                now: Timestamp::MIN,
                time_zone: zone.into(),
            };
            let body = body_of(&problem, language);
            assert_eq!(body["opensAt"], Time(opens_at).to_string());
            body["detail"].as_str().unwrap().to_owned()
        };
        let seoul = "2026-11-22 02:51:57 (Asia/Seoul)";
        for (zone, language, detail) in [
            (
                "Asia/Seoul",
                Language::English,
                format!("This coupon opens at {seoul}."),
            ),
            (
                "Asia/Seoul",
                Language::Korean,
                format!("이 쿠폰의 발급 시작: {seoul}."),
            ),
            (
                "Mars/Olympus",
                Language::English,
                "This coupon opens at 2026-11-21 17:51:57 (UTC).".to_owned(),
            ),
        ] {
            assert_eq!(body(zone, language), detail);
        }
        let closed = body_of(
            &Problem::Closed {
                closed_at: Timestamp::MAX,
            },
            Language::English,
        );
        assert_eq!(
            closed["detail"],
            "Issuing this coupon ended at 9999-12-31 23:59:59 (UTC)."
        );
    }

    #[test]
    fn a_problem_without_facts_is_the_fixed_text() {
        let body = body_of(&Problem::SoldOut, Language::Korean);
        assert_eq!(body["title"], "소진");
        assert_eq!(body["status"], 410);
    }
}
