//! `firstcome notification preview`: what a mail of a kind looks like.

use crate::cli::Shared;
use crate::terminal;
use clap::{Args, Subcommand, ValueEnum};
use coupon_app::NotificationKind;
use coupon_core::Language;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints a mail with made-up values, from the templates in force
    #[command(after_help = "\
Examples:
  firstcome notification preview issued
  firstcome notification preview expiring --language ko --part html > expiring.html
  firstcome notification preview redeemed --set mail.templates=./templates")]
    Preview(Preview),
}

#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// What the mail tells
    #[arg(value_enum)]
    kind: Kind,

    /// In which language
    #[arg(long, value_enum, default_value_t = Tongue::En)]
    language: Tongue,

    /// Which part of it; subject and text by default
    #[arg(long, value_enum)]
    part: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Issued,
    Expiring,
    Redeemed,
    RedemptionCancelled,
    Expired,
    Revoked,
    SoldOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tongue {
    En,
    Ko,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Subject,
    Text,
    Html,
}

impl Kind {
    const fn kind(self) -> NotificationKind {
        match self {
            Self::Issued => NotificationKind::Issued,
            Self::Expiring => NotificationKind::Expiring,
            Self::Redeemed => NotificationKind::Redeemed,
            Self::RedemptionCancelled => NotificationKind::RedemptionCancelled,
            Self::Expired => NotificationKind::Expired,
            Self::Revoked => NotificationKind::Revoked,
            Self::SoldOut => NotificationKind::SoldOut,
        }
    }
}

impl Tongue {
    const fn language(self) -> Language {
        match self {
            Self::En => Language::English,
            Self::Ko => Language::Korean,
        }
    }
}

pub(crate) fn run(shared: &Shared, command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Preview(options) = command;
    let settings = shared.settle(Vec::new())?.settings;
    let templates = settings.mail.templates()?;
    let mail = templates.preview(options.kind.kind(), options.language.language())?;
    match options.part {
        None if shared.json => {
            terminal::say_json(&json!({ "subject": mail.subject, "text": mail.text, "html": mail.html }))?
        }
        None => terminal::say(&format!("{}\n\n{}", mail.subject, mail.text))?,
        Some(Part::Subject) => terminal::say_line(mail.subject)?,
        Some(Part::Text) => terminal::say(&mail.text)?,
        Some(Part::Html) => terminal::say(&mail.html)?,
    }
    Ok(ExitCode::SUCCESS)
}
