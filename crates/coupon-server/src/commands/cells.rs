//! Members of the server's JSON as cells of a table.

use jiff::Timestamp;
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

/// A time, in seconds and UTC; names and ids that merely look like one do not parse.
fn time(text: &str) -> Option<String> {
    text.parse().ok().map(to_the_second)
}

/// An instant as a table shows it.
pub(crate) fn to_the_second(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
