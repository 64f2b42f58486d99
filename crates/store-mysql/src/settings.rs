//! Whether the server is configured strongly enough for what the ledger promises.

use crate::connection::Answered;
use crate::error::{Failure, OpenError};
use crate::limits;
use crate::row::{signed, text};
use crate::script::Script;
use std::collections::{BTreeMap, BTreeSet};

/// One setting that is judged.
#[derive(Debug)]
struct Rule {
    /// Its names; engines and versions differ.
    names: &'static [&'static str],
    /// Whether it counts, given the others.
    counts: fn(&Settings) -> bool,
    /// Whether a value is strong enough.
    strong: fn(&str) -> bool,
    /// What it must be, for people.
    wanted: &'static str,
    /// What is lost otherwise.
    because: &'static str,
}

const ALWAYS: fn(&Settings) -> bool = |_| true;
const BINARY_LOG: fn(&Settings) -> bool = |settings| settings.get(&["log_bin"]).is_none_or(is_on);

/// The pseudo-setting that says whether `SYSDATE` tells the time.
const SYSDATE: &str = "sysdate_is_now";

const RULES: [Rule; 8] = [
    Rule {
        names: &["innodb_flush_log_at_trx_commit"],
        counts: ALWAYS,
        strong: |value| value == "1",
        wanted: "1",
        because: "otherwise a COMMIT returns before it is durable, and a power cut takes back issues that were answered",
    },
    Rule {
        names: &["log_bin"],
        counts: ALWAYS,
        // Either will do; but unless it can be read nobody knows whether sync_binlog matters.
        strong: |_| true,
        wanted: "readable",
        because: "otherwise nobody knows whether sync_binlog matters",
    },
    Rule {
        names: &["sync_binlog"],
        counts: BINARY_LOG,
        strong: |value| value == "1",
        wanted: "1 while the binary log is on",
        because: "otherwise a power cut can undo, on recovery or on the replicas, issues that were answered",
    },
    Rule {
        names: &["binlog_format"],
        counts: BINARY_LOG,
        strong: |value| !value.eq_ignore_ascii_case("STATEMENT"),
        wanted: "ROW or MIXED while the binary log is on",
        because: "statements cannot be logged at the isolation level that the ledger uses",
    },
    Rule {
        names: &["transaction_isolation", "tx_isolation"],
        counts: ALWAYS,
        strong: |value| value.eq_ignore_ascii_case("READ-COMMITTED"),
        wanted: "READ-COMMITTED on our connections",
        because: "what is read after the row lock must be what was committed before it",
    },
    Rule {
        names: &["autocommit"],
        counts: ALWAYS,
        strong: is_on,
        wanted: "ON on our connections",
        because: "otherwise single statements are not durable when they return",
    },
    Rule {
        names: &["sql_mode"],
        counts: ALWAYS,
        strong: |value| value.contains("STRICT_ALL_TABLES"),
        wanted: "strict on our connections (STRICT_ALL_TABLES)",
        because: "otherwise values are cut to fit instead of refused",
    },
    Rule {
        names: &["max_allowed_packet"],
        counts: ALWAYS,
        strong: |value| {
            value
                .parse::<u64>()
                .is_ok_and(|bytes| bytes >= limits::MIN_PACKET_BYTES)
        },
        wanted: "1048576 or more",
        because: "a batch would not fit into a statement",
    },
];

const SYSDATE_RULE: &str =
    "--sysdate-is-now is on, and must be off: the time would be read before the row lock is held";

fn is_on(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("ON")
}

/// What the server says of its settings, as far as it says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    fn get(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .map(String::as_str)
    }
}

/// Settings that the operator answers for: neither weak values nor ones that cannot be read count against them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared(BTreeSet<String>);

impl Declared {
    /// Refuses what is not a setting that is judged.
    pub(crate) fn new(names: &[String]) -> Result<Self, OpenError> {
        for name in names {
            let judged = RULES.iter().any(|rule| rule.names.contains(&name.as_str()));
            if !judged && name != SYSDATE {
                return Err(OpenError::NotASetting(name.clone()));
            }
        }
        Ok(Self(names.iter().cloned().collect()))
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains(*name))
    }
}

/// The questions.
pub(crate) fn questions() -> Script {
    let mut script = Script::new();
    script.statement("SHOW VARIABLES WHERE Variable_name IN (''");
    for name in RULES.iter().flat_map(|rule| rule.names) {
        script.sql(", '").sql(name).sql("'");
    }
    script.sql(")");
    // The time within one statement: NOW stands still, SYSDATE must not.
    script.statement("SELECT SLEEP(0.002), SYSDATE(6) > NOW(6)");
    script
}

/// The answers.
pub(crate) fn read(answered: &[Answered]) -> Result<Settings, Failure> {
    let mut settings = BTreeMap::new();
    if let Some(variables) = answered.first() {
        for row in &variables.rows {
            settings.insert(text(row, 0)?.to_ascii_lowercase(), text(row, 1)?);
        }
    }
    if let Some(row) = answered.get(1).and_then(|one| one.rows.first()) {
        let stands_still = signed(row, 1)? == 0;
        settings.insert(
            SYSDATE.to_owned(),
            if stands_still { "ON" } else { "OFF" }.to_owned(),
        );
    }
    Ok(Settings(settings))
}

/// Everything that is too weak or cannot be read, with why; `None` when nothing is.
pub(crate) fn weaknesses(settings: &Settings, declared: &Declared) -> Option<String> {
    let mut found = Vec::new();
    for rule in &RULES {
        if declared.has(rule.names) || !(rule.counts)(settings) {
            continue;
        }
        let (name, wanted, because) = (rule.names[0], rule.wanted, rule.because);
        match settings.get(rule.names) {
            Some(value) if (rule.strong)(value) => {}
            Some(value) => found.push(format!("{name} is {value}, and must be {wanted}: {because}")),
            None => found.push(format!("{name} cannot be read, and must be {wanted}: {because}")),
        }
    }
    if !declared.has(&[SYSDATE]) && settings.get(&[SYSDATE]) != Some("OFF") {
        found.push(SYSDATE_RULE.to_owned());
    }
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strong() -> Settings {
        let pairs = [
            ("innodb_flush_log_at_trx_commit", "1"),
            ("log_bin", "ON"),
            ("sync_binlog", "1"),
            ("binlog_format", "ROW"),
            ("transaction_isolation", "READ-COMMITTED"),
            ("autocommit", "ON"),
            ("sql_mode", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"),
            ("max_allowed_packet", "16777216"),
            (SYSDATE, "OFF"),
        ];
        Settings(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    fn with(changes: &[(&str, Option<&str>)]) -> Settings {
        let mut settings = strong();
        for (name, value) in changes {
            match value {
                Some(value) => settings.0.insert((*name).to_owned(), (*value).to_owned()),
                None => settings.0.remove(*name),
            };
        }
        settings
    }

    fn declared(names: &[&str]) -> Declared {
        Declared::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn weak_or_unreadable_is_named_and_a_declared_one_is_not() {
        let none = declared(&[]);
        assert_eq!(weaknesses(&strong(), &none), None);
        let cases: [(&str, Option<&str>); 12] = [
            ("innodb_flush_log_at_trx_commit", Some("2")),
            ("innodb_flush_log_at_trx_commit", Some("0")),
            ("innodb_flush_log_at_trx_commit", None),
            ("log_bin", None),
            ("sync_binlog", Some("0")),
            ("sync_binlog", Some("1000")),
            ("sync_binlog", None),
            ("binlog_format", Some("STATEMENT")),
            ("transaction_isolation", Some("REPEATABLE-READ")),
            ("autocommit", Some("OFF")),
            ("sql_mode", Some("NO_ENGINE_SUBSTITUTION")),
            ("max_allowed_packet", Some("1024")),
        ];
        for (name, value) in cases {
            let settings = with(&[(name, value)]);
            let found = weaknesses(&settings, &none).unwrap();
            assert!(found.starts_with(name), "{name} {value:?}: {found}");
            assert_eq!(
                weaknesses(&settings, &declared(&[name])),
                None,
                "{name} {value:?} declared"
            );
        }
        assert!(weaknesses(&with(&[(SYSDATE, Some("ON"))]), &none).is_some());
        assert!(weaknesses(&with(&[(SYSDATE, None)]), &none).is_some());
    }

    #[test]
    fn what_concerns_the_binary_log_counts_only_while_it_is_on() {
        let off = with(&[
            ("log_bin", Some("OFF")),
            ("sync_binlog", Some("0")),
            ("binlog_format", None),
        ]);
        assert_eq!(weaknesses(&off, &declared(&[])), None);
        let old_name = with(&[
            ("transaction_isolation", None),
            ("tx_isolation", Some("READ-COMMITTED")),
        ]);
        assert_eq!(weaknesses(&old_name, &declared(&[])), None);
    }

    #[test]
    fn only_what_is_judged_can_be_declared() {
        assert!(Declared::new(&["sync_binlog".to_owned()]).is_ok());
        assert!(Declared::new(&["sync-binlog".to_owned()]).is_err());
    }
}
