//! Templates: what mails say, in the words of this house or of the operator.

use super::variables::{Variables, names, sample};
use crate::limits::{MAX_TEMPLATE_BYTES, TEMPLATE_FUEL};
use coupon_app::NotificationKind;
use coupon_core::Language;
use minijinja::{Environment, UndefinedBehavior};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The texts of every kind in every language, each checked: it can be parsed, it uses no variable that its kind does not
/// have, and it could be rendered with values made up for the purpose.
///
/// A kind has two files in the directory of its language: `issued.txt`, whose first line is the subject, and
/// `issued.html`.
#[derive(Clone, Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

/// A mail's texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The subject, on one line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// A template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The directory or a file in it cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nothing of this name is ever looked at, so it would have no effect.
    #[error("{} is no template: there are LANGUAGE/KIND.txt and LANGUAGE/KIND.html, such as ko/issued.txt", .0.display())]
    NoTemplate(PathBuf),
    /// More than a template may have.
    #[error("the template {0} has more than {MAX_TEMPLATE_BYTES} bytes")]
    TooLong(String),
    /// The first line of the text is empty: a mail without a subject.
    #[error("the template {0} has no subject: its first line is empty")]
    NoSubject(String),
    /// It names what its kind does not have.
    #[error(
        "the template {template} uses {variable}, which mails of this kind do not have; they have {known}"
    )]
    UnknownVariable {
        /// Which template.
        template: String,
        /// The variable.
        variable: String,
        /// Those there are.
        known: String,
    },
    /// It cannot be parsed or rendered.
    #[error("the template {template}: {cause}")]
    Broken {
        /// Which template.
        template: String,
        /// What is wrong.
        cause: minijinja::Error,
    },
}

/// The name of a kind's files.
const fn stem(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Issued => "issued",
        NotificationKind::Expiring => "expiring",
        NotificationKind::Redeemed => "redeemed",
        NotificationKind::RedemptionCancelled => "redemption-cancelled",
        NotificationKind::Expired => "expired",
        NotificationKind::Revoked => "revoked",
        NotificationKind::SoldOut => "sold-out",
    }
}

/// What the engine calls the first line of a text.
const SUBJECT: &str = "subject";

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

/// The texts of this house.
const BUILT_IN: [(&str, &str); 28] = built_in![
    "en/issued.txt",
    "en/issued.html",
    "en/expiring.txt",
    "en/expiring.html",
    "en/redeemed.txt",
    "en/redeemed.html",
    "en/redemption-cancelled.txt",
    "en/redemption-cancelled.html",
    "en/expired.txt",
    "en/expired.html",
    "en/revoked.txt",
    "en/revoked.html",
    "en/sold-out.txt",
    "en/sold-out.html",
    "ko/issued.txt",
    "ko/issued.html",
    "ko/expiring.txt",
    "ko/expiring.html",
    "ko/redeemed.txt",
    "ko/redeemed.html",
    "ko/redemption-cancelled.txt",
    "ko/redemption-cancelled.html",
    "ko/expired.txt",
    "ko/expired.html",
    "ko/revoked.txt",
    "ko/revoked.html",
    "ko/sold-out.txt",
    "ko/sold-out.html",
];

impl Templates {
    /// The texts of this house, with those that are found in `directory` in their places.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        // What ends in .html is escaped by the engine's own rule; a value that is missing is an error, not nothing.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(TEMPLATE_FUEL));
        environment.set_keep_trailing_newline(true);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        for (name, source) in BUILT_IN {
            add(&mut environment, name.to_owned(), source.to_owned())?;
        }
        if let Some(directory) = directory {
            for (name, source) in replacements(directory)? {
                add(&mut environment, name, source)?;
            }
        }
        let templates = Self { environment };
        for language in Language::ALL {
            for kind in NotificationKind::ALL {
                templates.check(kind, language)?;
            }
        }
        Ok(templates)
    }

    /// What a mail of this kind looks like, with made-up values.
    pub fn preview(&self, kind: NotificationKind, language: Language) -> Result<Composed, TemplateError> {
        self.compose(kind, language, &sample(kind))
    }

    /// The texts of a mail.
    pub(super) fn compose(
        &self,
        kind: NotificationKind,
        language: Language,
        variables: &Variables,
    ) -> Result<Composed, TemplateError> {
        let [subject_name, text_name, html_name] = part_names(kind, language);
        let subject = self.render(&subject_name, variables)?;
        // A header has one line, whatever a value brings along.
        let subject: String = subject
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let subject = subject.trim().to_owned();
        if subject.is_empty() {
            return Err(TemplateError::NoSubject(subject_name));
        }
        Ok(Composed {
            subject,
            text: self.render(&text_name, variables)?,
            html: self.render(&html_name, variables)?,
        })
    }

    fn render(&self, name: &str, variables: &Variables) -> Result<String, TemplateError> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(variables))
            .map_err(|cause| TemplateError::Broken {
                template: name.to_owned(),
                cause,
            })
    }

    fn check(&self, kind: NotificationKind, language: Language) -> Result<(), TemplateError> {
        let known: BTreeSet<&str> = names(kind).collect();
        for name in part_names(kind, language) {
            let template = self
                .environment
                .get_template(&name)
                .map_err(|cause| TemplateError::Broken {
                    template: name.clone(),
                    cause,
                })?;
            let used = template.undeclared_variables(true);
            if let Some(unknown) = used.iter().find(|used| !known.contains(used.as_str())) {
                return Err(TemplateError::UnknownVariable {
                    template: name,
                    variable: unknown.clone(),
                    known: Vec::from_iter(known).join(", "),
                });
            }
        }
        // With every value, and with the ones that may be missing left empty, so that both branches are walked.
        let full = sample(kind);
        let mut sparse = full.clone();
        for may_be_empty in ["user_name", "discount"] {
            if let Some(value) = sparse.get_mut(may_be_empty) {
                value.clear();
            }
        }
        self.compose(kind, language, &full)?;
        self.compose(kind, language, &sparse).map(|_composed| ())
    }
}

/// Subject, text and HTML of a kind, each a template of its own for the engine.
fn part_names(kind: NotificationKind, language: Language) -> [String; 3] {
    let (code, stem) = (language.code(), stem(kind));
    [
        format!("{code}/{stem}.{SUBJECT}"),
        format!("{code}/{stem}.txt"),
        format!("{code}/{stem}.html"),
    ]
}

/// Takes a file in: a text as its first line, which is the subject, and the rest.
fn add(environment: &mut Environment<'static>, name: String, source: String) -> Result<(), TemplateError> {
    let Some(stem) = name.strip_suffix("txt") else {
        return add_part(environment, name, source);
    };
    let (subject, text) = source.split_once('\n').unwrap_or((&source, ""));
    let text = text.trim_start_matches(['\r', '\n']).to_owned();
    add_part(environment, format!("{stem}{SUBJECT}"), subject.to_owned())?;
    add_part(environment, name, text)
}

fn add_part(
    environment: &mut Environment<'static>,
    name: String,
    source: String,
) -> Result<(), TemplateError> {
    environment
        .add_template_owned(name.clone(), source)
        .map_err(|cause| TemplateError::Broken {
            template: name,
            cause,
        })
}

/// What an operator has put into a directory: name and text of each template.
fn replacements(directory: &Path) -> Result<Vec<(String, String)>, TemplateError> {
    let mut found = Vec::new();
    for folder in entries(directory)? {
        if !folder.is_dir() {
            return Err(TemplateError::NoTemplate(folder));
        }
        for file in entries(&folder)? {
            let name = file
                .strip_prefix(directory)
                .ok()
                .and_then(Path::to_str)
                .map(|name| name.replace('\\', "/"));
            let Some(name) = name.filter(|name| BUILT_IN.iter().any(|(known, _)| known == name)) else {
                return Err(TemplateError::NoTemplate(file));
            };
            let source = read(&file)?.ok_or_else(|| TemplateError::TooLong(name.clone()))?;
            found.push((name, source));
        }
    }
    Ok(found)
}

/// The entries of a directory but for hidden ones, in order.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let unreadable = |cause| TemplateError::Unreadable {
        path: directory.to_owned(),
        cause,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

/// The text of a file; `None` if it is too long.
fn read(path: &Path) -> Result<Option<String>, TemplateError> {
    let unreadable = |cause| TemplateError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut source = String::new();
    let most = MAX_TEMPLATE_BYTES + 1;
    let length = fs::File::open(path)
        .and_then(|file| file.take(most).read_to_string(&mut source))
        .map_err(unreadable)?;
    Ok((u64::try_from(length).is_ok_and(|length| length < most)).then_some(source))
}
