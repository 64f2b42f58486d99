//! Shows the settings in force, each with its source, and no secret.

use super::layers::leaves;
use super::{Effective, KEPT_KEYS, SECRET_KEYS, Source};
use serde_json::json;
use std::fmt::Write as _;
use toml::{Table, Value};

/// What stands in place of a secret that is set.
const MASK: &str = "***";

/// As a configuration file, with the source of each value in a comment.
pub(crate) fn shown_as_toml(effective: &Effective) -> String {
    let mut text = String::new();
    let mut section = "";
    let shown = shown(effective);
    for (key, value, source) in &shown {
        let (this, name) = key.split_once('.').unwrap_or(("", key));
        if this != section {
            section = this;
            let _ = write!(text, "\n[{section}]\n");
        }
        // A mask is no secret: whoever copies the output must not end up with one that everybody knows.
        let comment = if SECRET_KEYS.contains(&key.as_str()) {
            "# "
        } else {
            ""
        };
        let _ = writeln!(text, "{:<56} # {source}", format!("{comment}{name} = {value}"));
    }
    text
}

/// As JSON: `{"log.format": {"value": "auto", "source": "default"}}`.
pub(crate) fn shown_as_json(effective: &Effective) -> serde_json::Value {
    let members = shown(effective).into_iter().map(|(key, value, source)| {
        let value = serde_json::to_value(value).unwrap_or_default();
        (key, json!({ "value": value, "source": source }))
    });
    serde_json::Value::Object(members.collect())
}

/// Every setting with its value, masked where secret, and its source; keys without a section first.
fn shown(effective: &Effective) -> Vec<(String, Value, String)> {
    let table = Table::try_from(&effective.settings).expect("settings are made of tables, texts and numbers");
    let mut all: Vec<_> = leaves(&table)
        .into_iter()
        .map(|(key, value)| {
            let source = effective.sources.get(&key).unwrap_or(&Source::Default);
            let unset = *source == Source::Default;
            let kept = KEPT_KEYS.contains(&key.as_str()) && unset && !effective.settings.database.is_set();
            let source = if kept {
                format!("kept in {}", effective.settings.data_dir.display())
            } else {
                source.to_string()
            };
            let hidden = SECRET_KEYS.contains(&key.as_str()) && (kept || !unset);
            let value = if hidden {
                Value::String(MASK.to_owned())
            } else {
                value
            };
            (key, value, source)
        })
        .collect();
    all.sort_by_key(|(key, _, _)| key.contains('.'));
    all
}
