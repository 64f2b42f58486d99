//! Settings of mail.

use super::{Findings, Secret, authorities};
use anyhow::Context as _;
use coupon_core::{EmailAddress, Language};
use notify::{ContactLookup, ContactLookupOptions, MailOptions, MailSecurity, Mailbox, Templates, limits};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How people are told by mail. Without a host there is none.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MailSettings {
    /// The mail server; empty for no mail at all.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How the connection is protected.
    pub(crate) security: Security,
    /// Authorities to trust besides the system's, as a PEM file, for the mail server and for the look-up URL; empty for
    /// none.
    pub(crate) tls_authority_file: PathBuf,
    /// The user, if the server asks for one.
    pub(crate) user: String,
    /// The password; a secret.
    pub(crate) password: Secret,
    /// Who the mail is from: an address, or `Name <address>`.
    pub(crate) from: String,
    /// Whom answers go to, if not there.
    pub(crate) reply_to: String,
    /// Who is told when a coupon is sold out.
    pub(crate) administrators: Vec<String>,
    /// The language of those whose own is not known.
    pub(crate) language: MailLanguage,
    /// A directory with templates that take the place of ours; empty for none.
    pub(crate) templates: PathBuf,
    /// Where the shop is asked how a user is reached, with `{userId}` in it; empty: the contacts that it gave us count.
    pub(crate) lookup_url: String,
    /// What the shop is shown as a bearer token then; a secret.
    pub(crate) lookup_token: Secret,
    /// How long the conversation with the mail server may take. Too high lets a slow one hold up others;
    /// too low sends again what a slow one has already taken.
    pub(crate) timeout_ms: u64,
    /// The waits between attempts, in seconds; none: one attempt.
    pub(crate) retry_s: Vec<u32>,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    /// TLS after `STARTTLS`, which is insisted on.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None.
    None,
}

/// A language that there are templates in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum MailLanguage {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            security: Security::default(),
            tls_authority_file: PathBuf::new(),
            user: String::new(),
            password: Secret::default(),
            from: String::new(),
            reply_to: String::new(),
            administrators: Vec::new(),
            language: MailLanguage::default(),
            templates: PathBuf::new(),
            lookup_url: String::new(),
            lookup_token: Secret::default(),
            timeout_ms: 15_000,
            retry_s: vec![60, 300, 1_800, 7_200, 18_000, 43_200],
        }
    }
}

impl MailSettings {
    /// Whether there is any mail.
    pub(crate) fn is_set(&self) -> bool {
        !self.host.is_empty()
    }

    /// The templates: ours, and the operator's in their places.
    pub(crate) fn templates(&self) -> anyhow::Result<Templates> {
        let directory = Some(self.templates.as_path()).filter(|path| *path != Path::new(""));
        Templates::load(directory).context("mail.templates")
    }

    /// How the shop is asked for contacts; `None` if those that it gave us count.
    pub(crate) fn lookup(&self) -> anyhow::Result<Option<ContactLookup>> {
        if self.lookup_url.is_empty() {
            return Ok(None);
        }
        let lookup = ContactLookup::new(ContactLookupOptions {
            url: self.lookup_url.clone(),
            token: self.lookup_token.get(),
            authorities: authorities(&self.tls_authority_file).context("mail.tls_authority_file")?,
        });
        lookup.context("mail.lookup_url").map(Some)
    }

    /// As the channel takes them.
    pub(crate) fn options(&self) -> anyhow::Result<MailOptions> {
        let reply_to = Some(self.reply_to.as_str()).filter(|text| !text.is_empty());
        let administrators: Result<Vec<EmailAddress>, _> = self
            .administrators
            .iter()
            .map(|text| EmailAddress::parse(text.as_str()))
            .collect();
        Ok(MailOptions {
            host: self.host.clone(),
            port: self.port,
            security: match self.security {
                Security::Starttls => MailSecurity::StartTls,
                Security::Tls => MailSecurity::Tls,
                Security::None => MailSecurity::None,
            },
            authorities: authorities(&self.tls_authority_file).context("mail.tls_authority_file")?,
            credentials: self.password.get().map(|password| (self.user.clone(), password)),
            from: self.from.parse().context("mail.from")?,
            reply_to: reply_to
                .map(str::parse::<Mailbox>)
                .transpose()
                .context("mail.reply_to")?,
            administrators: administrators.context("mail.administrators")?,
            language: match self.language {
                MailLanguage::English => Language::English,
                MailLanguage::Korean => Language::Korean,
            },
            answer_within: Duration::from_millis(self.timeout_ms),
            patience: notify::patience(&self.retry_s).context("mail.retry_s")?,
        })
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let mailbox = |text: &str| text.parse::<Mailbox>().is_ok();
        findings.expect(
            !self.is_set() || mailbox(&self.from),
            "mail.from",
            "must be an address such as shop@example.com, or Shop <shop@example.com>, with mail.host",
        );
        findings.expect(
            self.reply_to.is_empty() || mailbox(&self.reply_to),
            "mail.reply_to",
            "must be an address such as help@example.com, or Help <help@example.com>",
        );
        let address = |text: &String| EmailAddress::parse(text.as_str()).is_ok();
        let few = self.administrators.len() <= coupon_app::limits::MAX_RECIPIENTS;
        findings.expect(
            few && self.administrators.iter().all(address),
            "mail.administrators",
            format!(
                "must be addresses such as boss@example.com, at most {}",
                coupon_app::limits::MAX_RECIPIENTS
            ),
        );
        findings.expect(
            self.user.is_empty() == self.password.get().is_none(),
            "mail.user",
            "and mail.password must be set together",
        );
        findings.expect(
            self.user.is_empty() || self.security != Security::None,
            "mail.security",
            "must not be none where a password is sent",
        );
        findings.expect(self.port != 0, "mail.port", "must not be 0");
        let authorities = authorities(&self.tls_authority_file);
        if let Err(error) = &authorities {
            findings.expect(
                false,
                "mail.tls_authority_file",
                format!("cannot be used: {error:#}"),
            );
        }
        findings.expect(
            authorities.is_err() || self.lookup().is_ok(),
            "mail.lookup_url",
            "must be an http or https URL with {userId} in its path or query",
        );
        let most = u64::try_from(limits::SMTP_WITHIN.as_millis()).unwrap_or(u64::MAX);
        findings.expect_range(self.timeout_ms, (100, most), "mail.timeout_ms");
        if let Err(error) = notify::patience(&self.retry_s) {
            findings.expect(false, "mail.retry_s", format!("must have {error}"));
        }
    }
}
