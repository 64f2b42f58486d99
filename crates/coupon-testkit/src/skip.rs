//! A test whose server is not to be had: said on standard error, where `cargo xtask test` counts it, and a
//! failure where nothing may be left out.

use std::io::Write as _;

use crate::error::ServerError;
use crate::place;

/// How the line begins by which `cargo xtask test` knows a skipped test.
const MARK: &str = "coupon-testkit skips ";

/// The server, or `None` if the component is absent: the test then returns, and is counted as skipped with
/// the reason.
///
/// # Panics
///
/// If the component is there but could not be used, and, with `CI` set, if it is absent: a check that
/// decides about a change must not leave tests out.
#[track_caller]
#[expect(
    clippy::panic,
    reason = "this runs in tests, where a panic is how a failure is told"
)]
pub fn or_skip<T>(started: Result<T, ServerError>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(absent @ ServerError::Absent { .. }) if !place::nothing_may_be_skipped() => {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            // Written past the harness, which keeps what a passing test prints to itself; in one piece, so that
            // lines of other tests do not get in between. If standard error is closed there is nobody to tell.
            let line = format!("\n{MARK}{test}: {absent}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
        Err(error) => panic!("{error}"),
    }
}
