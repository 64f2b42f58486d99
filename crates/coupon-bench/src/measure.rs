//! What is measured. The numbers are those of the specification.

mod crowded;
mod durable_issue;
mod in_process;
mod lone_client;
mod memory;
mod open_load;
mod recovery;
mod redemption;
mod refusal;

pub(crate) use memory::hold;

use crate::results::Found;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[clap(rename_all = "verbatim")]
pub(crate) enum Id {
    P1,
    P4,
    P10,
    P11,
    P12,
    P13,
    P14,
    P16,
    P17,
}

impl Id {
    /// All of them, in the order in which they are taken.
    pub(crate) const ALL: [Self; 9] = [
        Self::P1,
        Self::P4,
        Self::P10,
        Self::P11,
        Self::P12,
        Self::P13,
        Self::P14,
        Self::P16,
        Self::P17,
    ];

    /// What it is.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::P1 => "durable issue over HTTP with a service key",
            Self::P4 => "in process, through the combiner, batches of 1,024",
            Self::P10 => "refusals: sold out, already issued",
            Self::P11 => "open load at half of saturation",
            Self::P12 => "one client, one request under way",
            Self::P13 => "recovery from the journal's tail and from the store",
            Self::P14 => "4,096 connections against 64",
            Self::P16 => "memory and cost at 10 million",
            Self::P17 => "durable redemption over HTTP",
        }
    }

    /// About how long it takes on two cores, in seconds.
    pub(crate) fn seconds(self, quick: bool) -> u64 {
        let (full, short) = match self {
            Self::P1 => (90, 10),
            Self::P4 => (40, 10),
            Self::P10 => (90, 15),
            Self::P11 => (110, 10),
            Self::P12 => (40, 5),
            Self::P13 => (90, 15),
            Self::P14 => (90, 15),
            Self::P16 => (240, 20),
            Self::P17 => (60, 10),
        };
        if quick { short } else { full }
    }

    /// What keeps the number from being better, as far as we have found out.
    pub(crate) fn what_limits(self) -> &'static str {
        match self {
            Self::P1 => "",
            Self::P4 => "",
            Self::P10 => "",
            Self::P11 => "",
            Self::P12 => "",
            Self::P13 => "",
            Self::P14 => "",
            Self::P16 => "",
            Self::P17 => "",
        }
    }

    /// Takes it.
    pub(crate) fn take(self, session: &mut Session) -> anyhow::Result<Found> {
        match self {
            Self::P1 => durable_issue::take(session),
            Self::P4 => in_process::take(session),
            Self::P10 => refusal::take(session),
            Self::P11 => open_load::take(session),
            Self::P12 => lone_client::take(session),
            Self::P13 => recovery::take(session),
            Self::P14 => crowded::take(session),
            Self::P16 => memory::take(session),
            Self::P17 => redemption::take(session),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
