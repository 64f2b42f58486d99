//! Reading JSON so that a mistake is named: which field, and whether it is unknown, repeated, missing or of a wrong
//! type. `serde_json` puts these into sentences; here they stay apart.

mod fault;
mod node;

pub(crate) use fault::Fault;
pub(crate) use node::Node;

use crate::error::Problem;
use crate::limits::JSON_DEPTH;
use serde::de::DeserializeOwned;

/// Reads an object. An empty body is `{}`.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let node: Node = match serde_json::from_slice(body) {
        Ok(node) => node,
        Err(error) => return Err(unreadable(&error)),
    };
    if node.depth() > JSON_DEPTH {
        return Err(Problem::TooDeep { limit: JSON_DEPTH });
    }
    if !matches!(node, Node::Object(_)) {
        return Err(Problem::NotAnObject);
    }
    Ok(T::deserialize(node)?)
}

/// What is wrong with a text that could not be read. `serde_json` tells what is JSON and only too much of it from what is
/// none by its words alone; a test holds them.
fn unreadable(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    if words.starts_with("recursion limit exceeded") {
        Problem::TooDeep { limit: JSON_DEPTH }
    } else if words.starts_with("number out of range") {
        Problem::NumberTooLarge { line, column }
    } else {
        Problem::MalformedJson { line, column }
    }
}

/// Like [`read`] for a type that is read all the time and almost always right: first the fast way, and only if that
/// fails the way that names the mistake.
pub(crate) fn read_fast<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde's derive would also read a struct from an array.
    if body.first() == Some(&b'{')
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Ok(value);
    }
    read(body)
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let field = fault.path();
        match fault.kind {
            fault::Kind::Unknown => Self::UnknownField { field },
            fault::Kind::Repeated => Self::RepeatedField { field },
            fault::Kind::Missing => Self::MissingField { field },
            fault::Kind::Type(expected) => Self::WrongType { field, expected },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Code;
    use coupon_api::{ChangeCouponBody, CreateCouponBody, CreateKeyBody, IssueBody};

    /// What is wrong with a body as a whole.
    const WHOLE: [Code; 4] = [
        Code::MalformedJson,
        Code::NotAnObject,
        Code::TooDeep,
        Code::NumberTooLarge,
    ];

    fn fault<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (Code, String) {
        let problem = read::<T>(body.as_bytes()).unwrap_err();
        let code = problem.code();
        let (Problem::WrongType { field, .. }
        | Problem::UnknownField { field }
        | Problem::RepeatedField { field }
        | Problem::MissingField { field }) = problem
        else {
            assert!(WHOLE.contains(&code), "{code:?}");
            return (code, String::new());
        };
        (code, field)
    }

    #[test]
    fn the_first_mistake_is_named_with_its_field() {
        let create =
            r#"{"name":"n","opensAt":"2026-01-01T00:00:00Z","closesAt":"2026-01-02T00:00:00Z","quantity":1"#;
        for (tail, code, field) in [
            (r#","x":1}"#, Code::UnknownField, "x"),
            (r#","name":"n"}"#, Code::RepeatedField, "name"),
            (r#","currency":null}"#, Code::WrongType, "currency"),
            (r#","currency":7}"#, Code::WrongType, "currency"),
            (r#","showRemaining":"yes"}"#, Code::WrongType, "showRemaining"),
            (
                r#","expiresAt":"2026-01-02T00:00:00"}"#,
                Code::WrongType,
                "expiresAt",
            ),
            (r#","validFor":"P1M"}"#, Code::WrongType, "validFor"),
            (r#","strategy":"paper"}"#, Code::WrongType, "strategy"),
            (r#","ack":"none"}"#, Code::WrongType, "ack"),
            (r#","discount":7}"#, Code::WrongType, "discount"),
            (r#","discount":["percent",7]}"#, Code::WrongType, "discount"),
            (r#","discount":{"value":7}}"#, Code::MissingField, "discount.type"),
            (
                r#","discount":{"type":"half","value":7}}"#,
                Code::WrongType,
                "discount.type",
            ),
            (
                r#","discount":{"type":"percent"}}"#,
                Code::MissingField,
                "discount.value",
            ),
            (
                r#","discount":{"type":"percent","value":"7"}}"#,
                Code::WrongType,
                "discount.value",
            ),
            (
                r#","discount":{"type":"percent","value":7,"value":7}}"#,
                Code::RepeatedField,
                "discount.value",
            ),
            (
                r#","discount":{"type":"percent","value":7,"x":{}}}"#,
                Code::UnknownField,
                "discount.x",
            ),
            (r#","labels":{"a":1}}"#, Code::WrongType, "labels.a"),
            (r#","labels":{"a":"1","a":"2"}}"#, Code::RepeatedField, "labels.a"),
            (r#","labels":[]}"#, Code::WrongType, "labels"),
        ] {
            let body = format!("{create}{tail}");
            assert_eq!(
                fault::<CreateCouponBody>(&body),
                (code, field.to_owned()),
                "{body}"
            );
        }
        assert_eq!(
            fault::<CreateCouponBody>("{}"),
            (Code::MissingField, "name".to_owned())
        );
        assert_eq!(
            fault::<CreateCouponBody>(""),
            (Code::MissingField, "name".to_owned())
        );
        assert_eq!(
            fault::<CreateKeyBody>(r#"{"name":"n","scopes":["issue","fly"]}"#),
            (Code::WrongType, "scopes.1".to_owned())
        );
        assert_eq!(
            fault::<IssueBody>(r#"{"userId":["a"]}"#),
            (Code::WrongType, "userId".to_owned())
        );
    }

    #[test]
    fn null_and_absence_differ_where_they_mean_different_things() {
        let change: ChangeCouponBody = read(br#"{"quantity":null,"discount":null}"#).unwrap();
        assert!(matches!(
            (change.quantity, change.discount),
            (Some(None), Some(None))
        ));
        let change: ChangeCouponBody = read(b"{}").unwrap();
        assert!(matches!((change.quantity, change.discount), (None, None)));
        let quantity = r#"{"name":"n","opensAt":"2026-01-01T00:00:00Z","closesAt":"2026-01-02T00:00:00Z"}"#;
        assert_eq!(
            fault::<CreateCouponBody>(quantity),
            (Code::MissingField, "quantity".to_owned())
        );
    }

    #[test]
    fn what_is_not_one_json_object_is_told_why() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let deep_array = format!("{{\"userId\":{}", "[".repeat(100_000));
        let deep_but_whole = format!("{}1{}", "{\"a\":".repeat(20), "}".repeat(20));
        for body in [
            " ",
            "{",
            "}",
            "{}{}",
            "{} x",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "\u{feff}{}",
            "{\"userId\":\"\\ud800\"}",
            "{\"userId\":\"a\nb\"}",
            "{\"userId\"",
            "{\"userId\":NaN}",
        ] {
            assert_eq!(
                fault::<IssueBody>(body).0,
                Code::MalformedJson,
                "{}",
                &body[..body.len().min(40)]
            );
        }
        for (body, code) in [
            ("[]", Code::NotAnObject),
            ("null", Code::NotAnObject),
            ("7", Code::NotAnObject),
            ("\"\"", Code::NotAnObject),
            (&deep, Code::TooDeep),
            (&deep_array, Code::TooDeep),
            (&deep_but_whole, Code::TooDeep),
            ("{\"userId\":1e400}", Code::NumberTooLarge),
            ("{\"userId\":-1e400}", Code::NumberTooLarge),
        ] {
            let shown = &body[..body.len().min(40)];
            assert_eq!(fault::<IssueBody>(body).0, code, "{shown}");
        }
        assert!(matches!(
            read::<IssueBody>(b"{\"userId\":\"\xff\"}"),
            Err(Problem::MalformedJson { .. })
        ));
    }

    #[test]
    fn the_fast_way_and_the_careful_way_agree() {
        for body in [
            "",
            "{}",
            " {}",
            r#"{"userId":"a"}"#,
            r#"{"userId":"\u0061"}"#,
            r#"["a"]"#,
            r#"{"userId":null}"#,
            "{",
        ] {
            let fast = read_fast::<IssueBody>(body.as_bytes()).map(|body| body.user_id);
            let careful = read::<IssueBody>(body.as_bytes()).map(|body| body.user_id);
            assert_eq!(format!("{fast:?}"), format!("{careful:?}"), "{body}");
        }
    }
}
