//! Members of the server's JSON as cells of a table.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

/// What a table shows of the member `name`: nothing as `-`, times to the second, lists with commas.
pub(crate) fn cell(object: &Value, name: &str) -> String {
    object.get(name).map_or_else(|| "-".to_owned(), shown)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => time(text).unwrap_or_else(|| text.clone()),
        Value::Array(elements) => elements.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// How a table shows an instant.
const TO_THE_SECOND: &str = "%Y-%m-%d %H:%M:%SZ";

/// A time, in seconds and UTC; names and ids that merely look like one do not parse. Not by way of an instant, because
/// jiff's end a day before the year 9999 does, and "never" is often written as its last second.
fn time(text: &str) -> Option<String> {
    let civil = text.strip_suffix('Z').filter(|text| text.contains('T'))?;
    let time: DateTime = civil.parse().ok()?;
    Some(time.strftime(TO_THE_SECOND).to_string())
}

/// An instant as a table shows it.
pub(crate) fn to_the_second(instant: Timestamp) -> String {
    instant.strftime(TO_THE_SECOND).to_string()
}

#[cfg(test)]
mod tests {
    use super::cell;
    use serde_json::json;

    #[test]
    fn times_are_shown_to_the_second_and_what_is_none_as_it_is() {
        for (value, shown) in [
            (json!("2026-11-21T18:38:38.239196Z"), "2026-11-21 18:38:38Z"),
            (json!("9999-12-31T23:59:59.000000Z"), "9999-12-31 23:59:59Z"),
            (json!("2026-11-21Z"), "2026-11-21Z"),
            (json!("Grand opening"), "Grand opening"),
            (json!(["a", 1, true]), "a, 1, true"),
            (json!(null), "-"),
        ] {
            assert_eq!(cell(&json!({ "it": value }), "it"), shown);
        }
        assert_eq!(cell(&json!({}), "it"), "-");
    }
}
