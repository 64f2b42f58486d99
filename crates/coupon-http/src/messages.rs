//! The one table of messages: every code with its status and its words in English and Korean.
//!
//! A code is a promise to programs and never changes its meaning. In a detail, `{name}` stands for the fact of that
//! name; a name that is no fact of the case is left out.

use crate::language::Language;
use http::StatusCode;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    en: Words,
    ko: Words,
}

/// What is said in one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) title: &'static str,
    pub(crate) detail: &'static str,
}

impl Message {
    pub(crate) const fn words(&self, language: Language) -> Words {
        match language {
            Language::English => self.en,
            Language::Korean => self.ko,
        }
    }
}

macro_rules! codes {
    ($($code:ident = $name:literal, $status:ident,
        en $en_title:literal: $en_detail:literal,
        ko $ko_title:literal: $ko_detail:literal;)*) => {
        /// Every code that a client can be told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($code),* }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$code),*];

            /// Its row.
            pub(crate) const fn message(self) -> &'static Message {
                match self {
                    $(Self::$code => &Message {
                        name: $name,
                        status: StatusCode::$status,
                        en: Words { title: $en_title, detail: $en_detail },
                        ko: Words { title: $ko_title, detail: $ko_detail },
                    },)*
                }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed-json", BAD_REQUEST,
        en "Not JSON": "The body is not JSON that can be read (line {line}, column {column}).",
        ko "JSON이 아님": "본문을 JSON으로 읽을 수 없습니다({line}행 {column}열).";
    NotAnObject = "not-an-object", BAD_REQUEST,
        en "Not an object": "The body must be a JSON object.",
        ko "객체가 아님": "본문은 JSON 객체여야 합니다.";
    TooDeep = "too-deep", BAD_REQUEST,
        en "Nested too deeply": "The body may have at most {limit} levels of objects and arrays.",
        ko "중첩이 너무 깊음": "본문의 객체와 배열은 {limit}단계까지만 중첩할 수 있습니다.";
    NumberTooLarge = "number-too-large", BAD_REQUEST,
        en "Number too large": "A number is too large to be read (line {line}, column {column}).",
        ko "너무 큰 수": "읽을 수 없을 만큼 큰 수가 있습니다({line}행 {column}열).";
    WrongType = "wrong-type", BAD_REQUEST,
        en "Wrong type": "The field {field} must be {expected}.",
        ko "형식 오류": "{field} 필드의 형식이 올바르지 않습니다. 필요한 형식: {expected}.";
    UnknownField = "unknown-field", BAD_REQUEST,
        en "Unknown field": "The field {field} is not known here.",
        ko "알 수 없는 필드": "{field} 필드는 여기서 쓸 수 없습니다.";
    RepeatedField = "repeated-field", BAD_REQUEST,
        en "Repeated field": "The field {field} stands there more than once.",
        ko "중복된 필드": "{field} 필드가 두 번 이상 있습니다.";
    MissingField = "missing-field", BAD_REQUEST,
        en "Missing field": "The field {field} is required.",
        ko "필드 누락": "{field} 필드는 필수입니다.";
    InvalidParameter = "invalid-parameter", BAD_REQUEST,
        en "Invalid parameter": "The query parameter {parameter} is unknown, repeated, or has a value that may not be.",
        ko "잘못된 매개변수": "쿼리 매개변수 {parameter}을(를) 알 수 없거나, 중복되었거나, 값이 올바르지 않습니다.";
    InvalidCursor = "invalid-cursor", BAD_REQUEST,
        en "Invalid cursor": "The cursor was not made by this list. Start again without one.",
        ko "잘못된 커서": "이 목록에서 만든 커서가 아닙니다. 커서 없이 다시 시작하세요.";
    InvalidHeader = "invalid-header", BAD_REQUEST,
        en "Invalid header": "The header {header} is malformed or repeated.",
        ko "잘못된 헤더": "{header} 헤더의 형식이 올바르지 않거나 중복되었습니다.";
    IncompleteBody = "incomplete-body", BAD_REQUEST,
        en "Incomplete body": "The body ended early or was framed wrongly.",
        ko "불완전한 본문": "본문이 중간에 끊겼거나 전송 형식이 잘못되었습니다.";
    AuthenticationRequired = "authentication-required", UNAUTHORIZED,
        en "Authentication required": "Send a user's token or an API key as a bearer token.",
        ko "인증 필요": "사용자 토큰이나 API 키를 Bearer 토큰으로 보내세요.";
    InvalidCredentials = "invalid-credentials", UNAUTHORIZED,
        en "Invalid credentials": "The token or API key is not valid.",
        ko "잘못된 자격 증명": "토큰 또는 API 키가 유효하지 않습니다.";
    TokenExpired = "token-expired", UNAUTHORIZED,
        en "Token expired": "The token has expired. Sign in again.",
        ko "토큰 만료": "토큰이 만료되었습니다. 다시 로그인하세요.";
    WrongScope = "wrong-scope", FORBIDDEN,
        en "Not permitted": "This credential may not do this; it takes {needed}.",
        ko "권한 없음": "이 자격 증명으로는 할 수 없는 작업입니다. 필요한 권한: {needed}.";
    NotYetOpen = "not-yet-open", FORBIDDEN,
        en "Not yet open": "This coupon opens at {opensAt}.",
        ko "오픈 전": "이 쿠폰의 발급 시작: {opensAt}.";
    Paused = "paused", FORBIDDEN,
        en "Paused": "Issuing this coupon is paused at the moment.",
        ko "일시 중지": "이 쿠폰의 발급이 일시 중지되었습니다.";
    UnknownPath = "unknown-path", NOT_FOUND,
        en "Not found": "There is nothing at this path.",
        ko "찾을 수 없음": "이 경로에는 아무것도 없습니다.";
    UnknownCoupon = "unknown-coupon", NOT_FOUND,
        en "Unknown coupon": "There is no such coupon.",
        ko "없는 쿠폰": "그런 쿠폰이 없습니다.";
    UnknownIssuedCoupon = "unknown-issued-coupon", NOT_FOUND,
        en "Unknown issued coupon": "There is no such issued coupon, or it is not yours.",
        ko "없는 발급 쿠폰": "그런 발급 쿠폰이 없거나 본인의 것이 아닙니다.";
    UnknownWebhook = "unknown-webhook", NOT_FOUND,
        en "Unknown webhook": "There is no such webhook.",
        ko "없는 웹훅": "그런 웹훅이 없습니다.";
    UnknownDelivery = "unknown-delivery", NOT_FOUND,
        en "Unknown delivery": "This webhook has no such delivery that has come to an end.",
        ko "없는 전송": "이 웹훅에 완료된 그런 전송이 없습니다.";
    TooManyWebhooks = "too-many-webhooks", CONFLICT,
        en "Too many webhooks": "There are {limit} webhooks, as many as may be. Delete one first.",
        ko "웹훅이 너무 많음": "웹훅이 이미 최대 개수인 {limit}개입니다. 먼저 하나를 삭제하세요.";
    UnknownKey = "unknown-key", NOT_FOUND,
        en "Unknown API key": "There is no such API key.",
        ko "없는 API 키": "그런 API 키가 없습니다.";
    UnknownDeadLetter = "unknown-dead-letter", NOT_FOUND,
        en "Unknown dead letter": "There is no such dead letter, or it has been looked after.",
        ko "없는 데드 레터": "그런 데드 레터가 없거나 이미 처리되었습니다.";
    UnknownUser = "unknown-user", NOT_FOUND,
        en "Unknown user": "This cannot be the id of a user.",
        ko "없는 사용자": "사용자 아이디가 될 수 없는 값입니다.";
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED,
        en "Method not allowed": "This path does not know this method; see the header Allow.",
        ko "허용되지 않은 메서드": "이 경로에서는 쓸 수 없는 메서드입니다. Allow 헤더를 확인하세요.";
    RequestTimeout = "request-timeout", REQUEST_TIMEOUT,
        en "Too slow": "The body did not arrive in time. Nothing happened.",
        ko "시간 초과": "본문이 제시간에 도착하지 않았습니다. 아무 일도 일어나지 않았습니다.";
    AlreadyIssued = "already-issued", CONFLICT,
        en "Already issued": "This user has this coupon already.",
        ko "이미 발급됨": "이미 발급받은 쿠폰입니다.";
    BelowIssued = "below-issued", CONFLICT,
        en "Below what is issued": "The quantity cannot go below the {issued} that are issued.",
        ko "발급 수량 미만": "수량을 이미 발급된 {issued}장보다 줄일 수 없습니다.";
    AlreadyOpened = "already-opened", CONFLICT,
        en "Already opened": "opensAt can be changed only before the opening.",
        ko "이미 오픈됨": "opensAt은 오픈 전에만 바꿀 수 있습니다.";
    AlreadyClosed = "already-closed", CONFLICT,
        en "Already closed": "This coupon has been closed for good.",
        ko "이미 종료됨": "이 쿠폰은 완전히 종료되었습니다.";
    HasIssues = "has-issues", CONFLICT,
        en "Already issued to users": "{issued} of this coupon are issued, so it cannot be deleted. Close it instead.",
        ko "발급 내역 있음": "이미 {issued}장이 발급되어 삭제할 수 없습니다. 대신 종료하세요.";
    IdsExhausted = "ids-exhausted", CONFLICT,
        en "No coupon ids left": "Every coupon id has been used.",
        ko "쿠폰 번호 소진": "쿠폰 번호를 모두 사용했습니다.";
    OrderMismatch = "order-mismatch", CONFLICT,
        en "Another order": "The redemption is not of this order, or not with this amount. Nothing changed.",
        ko "다른 주문": "이 주문의 사용 내역이 아니거나 금액이 다릅니다. 아무것도 바뀌지 않았습니다.";
    AlreadyRedeemed = "already-redeemed", CONFLICT,
        en "Already used": "This coupon was used already, at {redeemedAt}.",
        ko "이미 사용됨": "이미 사용된 쿠폰입니다. 사용 시각: {redeemedAt}.";
    NotRedeemed = "not-redeemed", CONFLICT,
        en "Not used": "This coupon is not used on any order, so there is nothing to give back.",
        ko "사용 내역 없음": "어느 주문에도 사용되지 않은 쿠폰이라 취소할 내역이 없습니다.";
    HistoryFull = "history-full", CONFLICT,
        en "Used too often": "This coupon was used and given back too often to be used again.",
        ko "사용 횟수 초과": "사용과 취소를 너무 많이 반복하여 더 이상 사용할 수 없는 쿠폰입니다.";
    Expired = "expired", GONE,
        en "Expired": "This coupon expired at {expiresAt}.",
        ko "유효기간 만료": "유효기간이 끝난 쿠폰입니다. 만료 시각: {expiresAt}.";
    Revoked = "revoked", GONE,
        en "Taken back": "This coupon was taken back at {revokedAt}.",
        ko "회수됨": "회수된 쿠폰입니다. 회수 시각: {revokedAt}.";
    SoldOut = "sold-out", GONE,
        en "Sold out": "All of this coupon have been issued.",
        ko "소진": "쿠폰이 모두 소진되었습니다.";
    Closed = "closed", GONE,
        en "Closed": "Issuing this coupon ended at {closedAt}.",
        ko "발급 종료": "발급이 끝난 쿠폰입니다. 종료 시각: {closedAt}.";
    StaleRevision = "stale-revision", PRECONDITION_FAILED,
        en "Changed meanwhile": "The coupon is at revision {revision} now. Read it again before you change it.",
        ko "그사이 변경됨": "쿠폰이 현재 개정 {revision}입니다. 다시 읽은 뒤 변경하세요.";
    TooLarge = "too-large", PAYLOAD_TOO_LARGE,
        en "Too large": "The body may have at most {limit} bytes.",
        ko "너무 큼": "본문은 {limit}바이트를 넘을 수 없습니다.";
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE,
        en "Unsupported media type": "Send the body as application/json, without a content coding.",
        ko "지원하지 않는 형식": "본문을 압축 등의 콘텐츠 코딩 없이 application/json으로 보내세요.";
    InvalidValues = "invalid-values", UNPROCESSABLE_ENTITY,
        en "Invalid values": "Some fields have values that may not be; see errors.",
        ko "잘못된 값": "허용되지 않는 값이 있습니다. errors를 확인하세요.";
    BelowMinimum = "below-minimum", UNPROCESSABLE_ENTITY,
        en "Order too small": "The order must come to at least {minOrderAmount}.",
        ko "최소 주문 금액 미달": "주문 금액이 {minOrderAmount} 이상이어야 합니다.";
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY,
        en "Idempotency key reused": "This Idempotency-Key was used before with another request. Nothing happened.",
        ko "멱등성 키 재사용": "이 Idempotency-Key는 다른 요청에 이미 사용되었습니다. 아무 일도 일어나지 않았습니다.";
    RateLimited = "rate-limited", TOO_MANY_REQUESTS,
        en "Too many requests": "The limit is {limit} in {window} s. Nothing happened; try again in {retryAfter} s.",
        ko "요청이 너무 많음": "{window}초에 {limit}번까지 요청할 수 있습니다. 아무 일도 일어나지 않았으니 {retryAfter}초 뒤에 다시 시도하세요.";
    Indeterminate = "indeterminate", INTERNAL_SERVER_ERROR,
        en "Unknown outcome": "The server failed while this was being done; it may have happened. Ask again to learn.",
        ko "결과 불명": "처리 중 서버에 문제가 생겨 결과를 알 수 없습니다. 다시 요청하면 확인할 수 있습니다.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE,
        en "Unavailable": "The server cannot do this at the moment. Nothing happened; try again shortly.",
        ko "이용 불가": "지금은 처리할 수 없습니다. 아무 일도 일어나지 않았으니 잠시 뒤에 다시 시도하세요.";
}

/// What a field can be expected to be, as the readers say it, and in Korean.
const EXPECTED: [(&str, &str); 9] = [
    ("a string", "문자열"),
    ("a boolean", "true 또는 false"),
    ("a number", "숫자"),
    ("a sequence", "배열"),
    ("an object", "객체"),
    ("an object of texts", "값이 모두 문자열인 객체"),
    ("an array", "배열"),
    (
        coupon_api::Time::EXPECTED,
        "시간대가 있는 RFC 3339 시각(예: 2026-11-20T09:00:00+09:00)",
    ),
    (
        coupon_api::Duration::EXPECTED,
        "주, 일, 시, 분, 초로 적은 ISO 8601 기간(예: P30D)",
    ),
];

/// What a field should have been. The readers say it in English; what they never said so far stays so.
pub(crate) fn expected(text: &str, language: Language) -> String {
    match language {
        Language::English => text.to_owned(),
        Language::Korean => match text.strip_prefix("one of ") {
            Some(names) => format!("다음 중 하나({names})"),
            None => EXPECTED
                .iter()
                .find(|(en, _)| *en == text)
                .map_or(text, |(_, ko)| ko)
                .to_owned(),
        },
    }
}

/// One row of the table of rules that a value can break.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleMessage {
    pub(crate) name: &'static str,
    en: &'static str,
    ko: &'static str,
}

impl RuleMessage {
    pub(crate) const fn new(name: &'static str, en: &'static str, ko: &'static str) -> Self {
        Self { name, en, ko }
    }

    pub(crate) const fn detail(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Korean => self.ko,
        }
    }
}

pub(crate) const LENGTH: RuleMessage = RuleMessage::new(
    "length",
    "Must have {min} to {max} characters.",
    "{min}자 이상 {max}자 이하여야 합니다.",
);
pub(crate) const BYTES: RuleMessage = RuleMessage::new(
    "length",
    "Must have {min} to {max} bytes of UTF-8.",
    "UTF-8로 {min}바이트 이상 {max}바이트 이하여야 합니다.",
);
pub(crate) const NOT_A_WEBHOOK_URL: RuleMessage = RuleMessage::new(
    "not-a-webhook-url",
    "Must be an absolute https URL of at most {max} bytes, without user, password or fragment.",
    "사용자, 비밀번호, 프래그먼트가 없는 {max}바이트 이하의 절대 https URL이어야 합니다.",
);
pub(crate) const NOT_AN_ADDRESS: RuleMessage = RuleMessage::new(
    "not-an-address",
    "Must be an address for mail such as name@example.com, in ASCII, without anything around it.",
    "name@example.com 형식의 ASCII 이메일 주소여야 하며 다른 내용이 없어야 합니다.",
);
pub(crate) const NOT_A_NAME: RuleMessage = RuleMessage::new(
    "not-a-name",
    "Must have {min} to {max} bytes of UTF-8 without control characters.",
    "제어 문자 없이 UTF-8로 {min}바이트 이상 {max}바이트 이하여야 합니다.",
);
pub(crate) const NOT_ENCRYPTED: RuleMessage = RuleMessage::new(
    "not-encrypted",
    "Must begin with https: this server sends webhooks by https only.",
    "https로 시작해야 합니다. 이 서버는 웹훅을 https로만 보냅니다.",
);
pub(crate) const PRIVATE_ADDRESS: RuleMessage = RuleMessage::new(
    "private-address",
    "Must not be a private, loopback or link-local address.",
    "사설, 루프백 또는 링크 로컬 주소는 쓸 수 없습니다.",
);
pub(crate) const RANGE: RuleMessage = RuleMessage::new(
    "range",
    "Must be a whole number from {min} to {max}.",
    "{min} 이상 {max} 이하의 정수여야 합니다.",
);
pub(crate) const TIME_RANGE: RuleMessage = RuleMessage::new(
    "range",
    "Must be a time from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z.",
    "1970-01-01T00:00:00Z부터 9999-12-31T23:59:59.999999Z까지의 시각이어야 합니다.",
);
pub(crate) const DURATION_RANGE: RuleMessage = RuleMessage::new(
    "range",
    "Must be a duration longer than zero and at most P36525D.",
    "0보다 길고 P36525D 이하인 기간이어야 합니다.",
);
pub(crate) const FORBIDDEN_CHARACTER: RuleMessage = RuleMessage::new(
    "forbidden-character",
    "Must not contain control or bidirectional-control characters.",
    "제어 문자나 양방향 제어 문자를 쓸 수 없습니다.",
);
pub(crate) const NOT_AFTER_OPENING: RuleMessage = RuleMessage::new(
    "not-after-opening",
    "Must be later than opensAt.",
    "opensAt보다 뒤여야 합니다.",
);
pub(crate) const IN_THE_PAST: RuleMessage = RuleMessage::new(
    "in-the-past",
    "Must be in the future.",
    "미래의 시각이어야 합니다.",
);
pub(crate) const BEFORE_CLOSING: RuleMessage = RuleMessage::new(
    "before-closing",
    "Must be at or after closesAt.",
    "closesAt과 같거나 그보다 뒤여야 합니다.",
);
pub(crate) const EXACTLY_ONE_VALIDITY: RuleMessage = RuleMessage::new(
    "exactly-one-validity",
    "Give exactly one of expiresAt and validFor.",
    "expiresAt과 validFor 중 정확히 하나만 지정하세요.",
);
pub(crate) const NOT_A_CURRENCY: RuleMessage = RuleMessage::new(
    "not-a-currency",
    "Must be three capital letters, as in ISO 4217.",
    "ISO 4217의 대문자 세 글자여야 합니다.",
);
pub(crate) const NOT_A_TIME_ZONE: RuleMessage = RuleMessage::new(
    "not-a-time-zone",
    "Must be a name of the IANA time zone database, such as Asia/Seoul.",
    "Asia/Seoul처럼 IANA 시간대 데이터베이스의 이름이어야 합니다.",
);
pub(crate) const TOO_MANY: RuleMessage = RuleMessage::new(
    "too-many",
    "At most {max} entries.",
    "최대 {max}개까지 지정할 수 있습니다.",
);
pub(crate) const NOT_OFFERED: RuleMessage = RuleMessage::new(
    "not-offered",
    "This server does not offer that.",
    "이 서버에서 제공하지 않습니다.",
);
pub(crate) const NOT_A_CODE: RuleMessage = RuleMessage::new(
    "not-a-code",
    "A code has twelve letters and digits, such as 7ZQ4-K0M2-XW9D.",
    "코드는 7ZQ4-K0M2-XW9D처럼 열두 글자입니다.",
);
pub(crate) const EMPTY: RuleMessage =
    RuleMessage::new("empty", "At least one entry.", "하나 이상 지정해야 합니다.");
pub(crate) const REPEATED: RuleMessage = RuleMessage::new(
    "repeated",
    "Each may be named once.",
    "같은 값을 두 번 지정할 수 없습니다.",
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const RULES: [RuleMessage; 22] = [
        TIME_RANGE,
        DURATION_RANGE,
        NOT_AN_ADDRESS,
        NOT_A_NAME,
        LENGTH,
        NOT_A_WEBHOOK_URL,
        NOT_ENCRYPTED,
        PRIVATE_ADDRESS,
        BYTES,
        RANGE,
        FORBIDDEN_CHARACTER,
        NOT_AFTER_OPENING,
        IN_THE_PAST,
        BEFORE_CLOSING,
        EXACTLY_ONE_VALIDITY,
        NOT_A_CURRENCY,
        NOT_A_TIME_ZONE,
        TOO_MANY,
        NOT_OFFERED,
        NOT_A_CODE,
        EMPTY,
        REPEATED,
    ];

    fn is_korean(text: &str) -> bool {
        text.chars().any(|c| ('가'..='힣').contains(&c))
    }

    fn placeholders(text: &str) -> HashSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect()
    }

    #[test]
    fn every_code_has_words_in_both_languages() {
        for code in Code::ALL {
            let message = code.message();
            let (en, ko) = (message.words(Language::English), message.words(Language::Korean));
            for text in [en.title, en.detail] {
                assert!(!text.is_empty() && text.is_ascii(), "{}: {text}", message.name);
            }
            assert!(is_korean(ko.title) && is_korean(ko.detail), "{}", message.name);
            assert_eq!(
                placeholders(ko.detail),
                placeholders(en.detail),
                "{}",
                message.name
            );
            assert!(message.status.is_client_error() || message.status.is_server_error());
        }
    }

    #[test]
    fn every_code_has_a_name_of_its_own_in_lower_case_with_hyphens() {
        let names: HashSet<&str> = Code::ALL.iter().map(|code| code.message().name).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{name}"
            );
        }
    }

    #[test]
    fn the_bounds_of_times_and_durations_are_those_of_the_domain() {
        use coupon_core::{Span, Timestamp};
        let time = |instant| coupon_api::Time(instant).to_string();
        let first = time(Timestamp::MIN).replace(".000000", "");
        let longest = Span::from_micros(coupon_core::limits::MAX_VALID_FOR_US).unwrap();
        for language in [Language::English, Language::Korean] {
            let detail = TIME_RANGE.detail(language);
            assert!(
                detail.contains(&first) && detail.contains(&time(Timestamp::MAX)),
                "{detail}"
            );
            let detail = DURATION_RANGE.detail(language);
            assert!(
                detail.contains(&coupon_api::Duration(longest).to_string()),
                "{detail}"
            );
        }
    }

    #[test]
    fn every_rule_has_words_in_both_languages() {
        for rule in RULES {
            assert!(rule.en.is_ascii() && is_korean(rule.ko), "{}", rule.name);
            assert_eq!(placeholders(rule.en), placeholders(rule.ko), "{}", rule.name);
        }
    }
}
