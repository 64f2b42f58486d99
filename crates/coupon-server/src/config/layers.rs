//! Lays the sources over each other and remembers which one spoke.

use super::{SECRET_KEYS, Settings, Wrong};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// The sources of settings, before they are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The file named by `--config`.
    pub(crate) file: Option<PathBuf>,
    /// What the command line sets; later ones win.
    pub(crate) flags: Vec<SettingFlag>,
}

/// One setting on the command line.
#[derive(Clone, Debug)]
pub(crate) struct SettingFlag {
    /// The flag, as people know it.
    pub(crate) flag: &'static str,
    /// Which setting, as `section.name`.
    pub(crate) key: String,
    /// What it is set to.
    pub(crate) value: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Variable(String),
    /// The file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// The values.
    pub(crate) settings: Settings,
    /// Where each came from, by `section.name`, in the order of the file.
    pub(crate) sources: BTreeMap<String, Source>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {why}", .path.display())]
    Unreadable { path: PathBuf, why: std::io::Error },
    /// A file that is to hold a secret cannot be read.
    #[error("cannot read {}, which {name} names: {why}", .path.display())]
    UnreadableSecret {
        name: String,
        path: PathBuf,
        why: std::io::Error,
    },
    /// The file has a line that cannot be.
    #[error("{}, line {line}: {why}", .path.display())]
    BadLine { path: PathBuf, line: usize, why: String },
    /// A flag names a setting that does not exist.
    #[error("there is no setting {key:?}; `firstcome config show` lists them all")]
    UnknownKey { key: String },
    /// A flag names a secret.
    #[error(
        "{key} is a secret, and other users of this machine can read a command line; set {} instead",
        variable_of(.key)
    )]
    SecretFlag { key: String },
    /// A value is not of its setting's type.
    #[error("{key} (set by {origin}): {why}")]
    BadValue {
        key: String,
        origin: Source,
        why: String,
    },
    /// Values that may not be.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
}

impl Layers {
    /// Reads every source; `variable` reads the environment.
    pub(crate) fn settle(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Effective, SettingsError> {
        let defaults = default_table();
        let mut merged = Merged::of(&defaults);
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(&path).map_err(|why| SettingsError::Unreadable {
                path: path.clone(),
                why,
            })?;
            for (key, value) in leaves(&parse_file(&path, &text)?) {
                merged.set(&key, value, Source::File(path.clone()));
            }
        }
        for (key, default) in leaves(&defaults) {
            let name = variable_of(&key);
            if let Some(text) = variable(&name) {
                merged.set_text(&key, &default, &text, Source::Variable(name))?;
            } else if let Some((name, path)) = file_variable(&key, &variable) {
                let text = std::fs::read_to_string(&path).map_err(|why| SettingsError::UnreadableSecret {
                    name: name.clone(),
                    path,
                    why,
                })?;
                merged.set_text(&key, &default, text.trim_end(), Source::Variable(name))?;
            }
        }
        for SettingFlag { flag, key, value } in self.flags {
            let known = leaves(&defaults).into_iter().find(|(known, _)| *known == key);
            let (_, default) = known.ok_or(SettingsError::UnknownKey { key: key.clone() })?;
            if SECRET_KEYS.contains(&key.as_str()) {
                return Err(SettingsError::SecretFlag { key });
            }
            merged.set_text(&key, &default, &value, Source::Flag(flag))?;
        }
        merged.finish()
    }
}

/// The environment variable of a setting.
pub(crate) fn variable_of(key: &str) -> String {
    format!("FIRSTCOME_{}", key.replace('.', "_").to_uppercase())
}

/// The variable that names the file which holds a secret, as orchestrators hand secrets out, and that file.
fn file_variable(key: &str, variable: impl Fn(&str) -> Option<String>) -> Option<(String, PathBuf)> {
    if !SECRET_KEYS.contains(&key) {
        return None;
    }
    let name = format!("{}_FILE", variable_of(key));
    let path = variable(&name)?;
    Some((name, PathBuf::from(path)))
}

/// Those of the variables that set nothing: probably misspelt.
pub(crate) fn unknown_variables(names: Vec<String>) -> Vec<String> {
    let of_settings = leaves(&default_table())
        .into_iter()
        .map(|(key, _)| variable_of(&key));
    let of_commands = ["FIRSTCOME_CONFIG", "FIRSTCOME_SERVER"].map(str::to_owned);
    let of_files = SECRET_KEYS.iter().map(|key| format!("{}_FILE", variable_of(key)));
    let known: BTreeSet<String> = of_settings.chain(of_files).chain(of_commands).collect();
    names.into_iter().filter(|name| !known.contains(name)).collect()
}

/// The default settings as a table.
pub(super) fn default_table() -> Table {
    Table::try_from(Settings::default()).expect("settings are made of tables, texts and numbers")
}

/// Every setting of a table with its `section.name`.
pub(super) fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                let inner = leaves(section).into_iter();
                found.extend(inner.map(|(inner, value)| (format!("{name}.{inner}"), value)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => found.push((name.clone(), value.clone())),
        }
    }
    found
}

struct Merged {
    table: Table,
    sources: BTreeMap<String, Source>,
}

impl Merged {
    fn of(defaults: &Table) -> Self {
        let keys = leaves(defaults).into_iter().map(|(key, _)| key);
        Self {
            table: defaults.clone(),
            sources: keys.map(|key| (key, Source::Default)).collect(),
        }
    }

    fn set(&mut self, key: &str, value: Value, source: Source) {
        put(&mut self.table, key, value);
        self.sources.insert(key.to_owned(), source);
    }

    /// Sets what is written as text, having checked it alone, so that an error names its origin.
    fn set_text(&mut self, key: &str, like: &Value, text: &str, origin: Source) -> Result<(), SettingsError> {
        let bad = |why: String| SettingsError::BadValue {
            key: key.to_owned(),
            origin: origin.clone(),
            why,
        };
        let value = parse_like(like, text).map_err(|why| bad(why.to_owned()))?;
        let mut alone = Table::new();
        put(&mut alone, key, value.clone());
        Settings::deserialize(alone).map_err(|error| bad(error.message().to_owned()))?;
        self.set(key, value, origin);
        Ok(())
    }

    fn finish(self) -> Result<Effective, SettingsError> {
        let settings = Settings::deserialize(self.table)
            .map_err(|error| SettingsError::Wrong(vec![error.message().to_owned()]))?;
        let wrong: Vec<String> = settings
            .findings()
            .into_iter()
            .map(|Wrong { key, must }| {
                let origin = self.sources.get(key).unwrap_or(&Source::Default);
                format!("{key} (set by {origin}) {must}")
            })
            .collect();
        if wrong.is_empty() {
            let sources = self.sources;
            Ok(Effective { settings, sources })
        } else {
            Err(SettingsError::Wrong(wrong))
        }
    }
}

/// Puts a value at `section.name`.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, name)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, name, value);
            }
        }
    }
}

/// Reads a text as a value of the same type as `like`.
fn parse_like(like: &Value, text: &str) -> Result<Value, &'static str> {
    match like {
        Value::Integer(_) => text
            .parse()
            .map(Value::Integer)
            .map_err(|_not_a_number| "must be a whole number"),
        Value::Boolean(_) => text
            .parse()
            .map(Value::Boolean)
            .map_err(|_neither| "must be true or false"),
        Value::Array(elements) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let of_numbers = matches!(elements.first(), Some(Value::Integer(_)));
            let element = |part: &str| match part.parse() {
                Ok(number) if of_numbers => Ok(Value::Integer(number)),
                Err(_not_a_number) if of_numbers => Err("must be whole numbers with commas between"),
                Ok(_) | Err(_) => Ok(Value::String(part.to_owned())),
            };
            parts.map(element).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
            Ok(Value::String(text.to_owned()))
        }
    }
}

/// Reads the file: every key must exist and have its type.
fn parse_file(path: &std::path::Path, text: &str) -> Result<Table, SettingsError> {
    let bad_line = |error: toml::de::Error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..before]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        let key = text
            .lines()
            .nth(line - 1)
            .and_then(|line| line.split('=').next())
            .unwrap_or_default()
            .trim();
        let is_secret = SECRET_KEYS
            .iter()
            .any(|secret| secret.rsplit('.').next() == Some(key));
        let why = if is_secret {
            format!("{key}: must be a text in quotes")
        } else if error.message().contains(&format!("`{key}`")) {
            error.message().to_owned()
        } else {
            format!("{key}: {}", error.message())
        };
        SettingsError::BadLine {
            path: path.to_owned(),
            line,
            why,
        }
    };
    toml::from_str::<Settings>(text).map_err(bad_line)?;
    text.parse::<Table>().map_err(bad_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::io::Write as _;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn settle(
        text: &str,
        variables: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Effective, SettingsError> {
        let file = file(text);
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        let flags = flags.iter().map(|(key, value)| SettingFlag {
            flag: "--set",
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        let layers = Layers {
            file: Some(file.path().to_owned()),
            flags: flags.collect(),
        };
        layers.settle(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_first_source_that_speaks_wins_and_is_remembered() {
        let text = "[shutdown]\ndrain_deadline_ms = 1\nfollow_deadline_ms = 1\n[log]\nfilter = \"warn\"";
        let variables = [
            ("FIRSTCOME_SHUTDOWN_DRAIN_DEADLINE_MS", "2"),
            ("FIRSTCOME_LISTEN", "127.0.0.1:2"),
        ];
        let effective = settle(text, &variables, &[("shutdown.drain_deadline_ms", "3")]).unwrap();
        let settings = &effective.settings;
        assert_eq!(settings.shutdown.drain_deadline_ms, 3);
        assert_eq!(settings.shutdown.follow_deadline_ms, 1);
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.log.filter, "warn");
        let source = |key: &str| effective.sources[key].to_string();
        assert_eq!(source("shutdown.drain_deadline_ms"), "--set");
        assert_eq!(source("listen"), "FIRSTCOME_LISTEN");
        assert_eq!(source("data_dir"), "default");
        assert!(matches!(effective.sources["log.filter"], Source::File(_)));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_with_key_and_line() {
        for (text, line, told) in [
            ("listen = \"127.0.0.1:1\"\nlisten_on = 1", "line 2", "`listen_on`"),
            ("\n[log]\nformat = \"xml\"", "line 3", "format"),
            (
                "\n\n[shutdown]\ndrain_deadline_ms = \"soon\"",
                "line 4",
                "drain_deadline_ms",
            ),
            ("[shut]\n", "line 1", "shut"),
            ("listen = \"nowhere\"", "line 1", "listen"),
            ("listen", "line 1", "listen"),
        ] {
            let error = settle(text, &[], &[]).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_variable_or_a_flag_is_told_with_its_name() {
        let error = settle("", &[("FIRSTCOME_SHUTDOWN_DRAIN_DEADLINE_MS", "soon")], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "shutdown.drain_deadline_ms (set by FIRSTCOME_SHUTDOWN_DRAIN_DEADLINE_MS): must be a whole number"
        );
        let error = settle("", &[("FIRSTCOME_LOG_FORMAT", "xml")], &[]).unwrap_err();
        assert!(error.to_string().contains("FIRSTCOME_LOG_FORMAT"), "{error}");
        let error = settle("", &[], &[("log.formt", "json")]).unwrap_err();
        assert!(error.to_string().contains("log.formt"), "{error}");
        let error = settle("[shutdown]\ndrain_deadline_ms = 99999999", &[], &[]).unwrap_err();
        assert!(
            error.to_string().contains("must lie between 0 and 3600000"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_is_refused_when_short_or_on_the_command_line_and_never_shown() {
        let error = settle("", &[("FIRSTCOME_JWT_SECRET", "hush-hush")], &[]).unwrap_err();
        assert!(error.to_string().contains("FIRSTCOME_JWT_SECRET") && !error.to_string().contains("hush"));
        let error = settle("jwt_secret = 4711", &[], &[]).unwrap_err();
        assert!(!error.to_string().contains("4711"), "{error}");
        let error = settle("", &[], &[("admin_key", "hush-hush")]).unwrap_err();
        assert!(error.to_string().contains("FIRSTCOME_ADMIN_KEY") && !error.to_string().contains("hush"));
        let error = settle("[database]\nurl = 4711", &[], &[]).unwrap_err();
        assert!(!error.to_string().contains("4711"), "{error}");
        let error = settle("", &[], &[("database.url", "mysql://hush@db/shop")]).unwrap_err();
        assert!(error.to_string().contains("FIRSTCOME_DATABASE_URL") && !error.to_string().contains("hush"));
        let long = "hush".repeat(10);
        let effective = settle("", &[("FIRSTCOME_ADMIN_KEY", &long)], &[]).unwrap();
        assert!(!format!("{effective:?}").contains("hush"));
    }

    #[test]
    fn a_secret_is_read_from_the_file_that_a_variable_names() {
        let secret = file("mysql://shop:hush@127.0.0.1/shop\n");
        let path = secret.path().to_str().unwrap();
        let effective = settle("", &[("FIRSTCOME_DATABASE_URL_FILE", path)], &[]).unwrap();
        let url = effective.settings.database.url.get().unwrap();
        assert_eq!(
            secrecy::ExposeSecret::expose_secret(&url),
            "mysql://shop:hush@127.0.0.1/shop"
        );
        assert_eq!(
            effective.sources["database.url"].to_string(),
            "FIRSTCOME_DATABASE_URL_FILE"
        );
        let error = settle("", &[("FIRSTCOME_ADMIN_KEY_FILE", "/nowhere/at/all")], &[]).unwrap_err();
        assert!(error.to_string().contains("FIRSTCOME_ADMIN_KEY_FILE"), "{error}");
        assert_eq!(
            unknown_variables(vec!["FIRSTCOME_REDIS_PASSWORD_FILE".to_owned()]),
            [""; 0]
        );
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let database = "[database]\nurl = \"mysql://shop@db/shop\"\n";
        let cases = [
            ("[redis]\naddresses = [\"r:6379\"]", "redis.addresses"),
            ("default_strategy = \"database\"", "default_strategy"),
            ("default_strategy = \"redis-script\"", "default_strategy"),
            ("[redis]\ngroup = \"main\"", "redis.group"),
            ("[redis]\nkind = \"sentinel\"", "redis.group"),
            ("[redis]\naddresses = [\"r\"]", "redis.addresses"),
            ("[redis]\naddresses = [\"r:1\", \"r:2\"]", "redis.addresses"),
            ("[redis]\nuser = \"shop\"", "redis.user"),
            ("[redis]\ntls_authority_file = \"ca.pem\"", "redis.tls"),
            ("[redis]\ndeclared = [\"save\"]", "redis.declared"),
            ("[redis]\nprefix = \"{a}\"", "redis.prefix"),
            ("[database]\ncombiners = 0", "database.combiners"),
            (
                "[database]\nurl = \"http://shop@db/shop\"",
                "must begin with mysql://",
            ),
            ("[database]\nurl = \"shop@db/shop\"", "must begin with mysql://"),
            ("[work]\nbatch_records = 0", "work.batch_records"),
        ];
        for (text, key) in cases {
            let error = settle(text, &[], &[]).unwrap_err().to_string();
            assert!(error.contains(key), "{text}: {error}");
        }
        for strategy in ["redis-script", "redis-lock", "database", "auto"] {
            let text =
                format!("default_strategy = \"{strategy}\"\n{database}[redis]\naddresses = [\"r:6379\"]");
            settle(&text, &[], &[]).unwrap();
        }
        let journal = format!("default_strategy = \"journal\"\n{database}");
        assert!(settle(&journal, &[], &[]).is_err());
    }
}
