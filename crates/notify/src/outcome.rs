//! Short forms of what a channel answers.

use coupon_app::{ChannelOutcome, Report};

pub(crate) fn delivered(status: Option<u16>, text: &str) -> ChannelOutcome {
    ChannelOutcome::Delivered(Report::new(status, text))
}

pub(crate) fn later(status: Option<u16>, text: &str) -> ChannelOutcome {
    ChannelOutcome::RetryLater {
        after: None,
        report: Report::new(status, text),
    }
}

pub(crate) fn refused(status: Option<u16>, text: &str) -> ChannelOutcome {
    ChannelOutcome::Refused(Report::new(status, text))
}

pub(crate) fn undeliverable(text: &str) -> ChannelOutcome {
    ChannelOutcome::Undeliverable(Report::new(None, text))
}
