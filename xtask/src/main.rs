//! The tool shed: `cargo xtask test`, `servers`, `tidy`, `arrows`, `planted`, `bench`.
//!
//! Everything here needs the Rust toolchain and nothing else, so that a fresh clone can check itself; what more
//! the servers need, they say when it is missing.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on the terminal"
)]

mod arrows;
mod bench;
mod checkout;
mod libtest;
mod licences;
mod planted;
mod process;
mod servers;
mod terminal;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checkout::Checkout;
use crate::terminal::Terminal;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tool shed of firstcome", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check and every test, and end with one line that counts them.
    Test(test::Options),
    /// Bring the servers that tests run against into `target/servers/`; the system is not touched.
    Servers(servers::Options),
    /// Check what a compiler does not: opening lines, sizes, names, absences, links.
    Tidy,
    /// Check which crate may know which.
    Arrows,
    /// Check licences and bans over the tree of dependencies.
    Licences,
    /// Apply each planted bug to a scratch copy and expect the tests to fail.
    Planted(planted::Options),
    /// Measure: runs the benchmark harness in release mode and hands it every argument.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether everything was found in order; an error means that it could not be looked at.
fn run(command: &Command) -> anyhow::Result<bool> {
    let checkout = Checkout::of_this_workspace()?;
    match command {
        Command::Test(options) => test::run(&checkout, options),
        Command::Servers(options) => servers::run(&checkout, options),
        Command::Tidy => Ok(tidy::check(&checkout)?.tell(&Terminal::stdout())),
        Command::Arrows => Ok(arrows::check(&checkout)?.tell(&Terminal::stdout())),
        Command::Licences => Ok(licences::check(&checkout)?.tell(&Terminal::stdout())),
        Command::Planted(options) => planted::run(&checkout, options),
        Command::Bench(options) => bench::run(&checkout, options),
    }
}
