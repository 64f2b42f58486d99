//! The bell: brings notifications to the shop's systems by webhooks and to people by mail.
//!
//! Both are a [`coupon_app::Channel`]: [`WebhookChannel`] and [`MailChannel`]. Which attempt is made when, and what is
//! kept of it, is decided elsewhere.

mod authority;
mod contact;
mod event;
pub mod limits;
mod mail;
mod network;
mod outcome;
mod patience;
mod post;
mod retry_after;
mod webhook;

pub use authority::{Authorities, AuthoritiesError};
pub use contact::{ContactLookup, ContactLookupError, ContactLookupOptions};
pub use mail::{
    Composed, MailChannel, MailError, MailOptions, MailSecurity, Mailbox, MailboxError, TemplateError,
    Templates,
};
pub use network::{Network, NetworkError, Reach};
pub use patience::{PatienceError, patience};
pub use webhook::{WebhookChannel, WebhookError, WebhookOptions, secret_text};
