//! Why a server could not be used.

use std::io;

/// Why a server could not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The component is not on this machine. Tests that need it are skipped, see [`or_skip`](crate::or_skip).
    #[error("no {component}: {reason}")]
    Absent {
        /// The program, or what else is missing.
        component: &'static str,
        /// Why it is missing, or what would bring it.
        reason: String,
    },
    /// It is there and did not come up.
    #[error("{component} did not start: {reason}")]
    Failed {
        /// The program.
        component: &'static str,
        /// What happened, with the end of the server's log.
        reason: String,
    },
    /// The server answered a question with an error of its own.
    #[error("{component} refused: {said}")]
    Refused {
        /// The program.
        component: &'static str,
        /// In the server's words.
        said: String,
    },
    /// The conversation with it broke.
    #[error("talking to {component}: {source}")]
    Talk {
        /// The program.
        component: &'static str,
        /// How it broke.
        source: io::Error,
    },
    /// A file or directory that the server needs could not be prepared.
    #[error("preparing {component}: {what}: {source}")]
    Prepare {
        /// The program.
        component: &'static str,
        /// What was being done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}
