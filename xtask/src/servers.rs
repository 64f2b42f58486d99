//! `cargo xtask servers`: brings the real servers that tests run against, without touching the system.
//!
//! What a variable or the `PATH` offers is used as it is. Otherwise Debian's packages, with all that they
//! depend on, are unpacked below `target/servers/` and started through their own loader, so that they run on
//! any Linux that has `apt-get` and `dpkg`. Apache Kafka is libraries of Java's, which Maven brings. `coupon-testkit` has the other half: it finds what is here.

mod apt;
mod component;
mod launcher;
mod maven;
mod told;

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};

use crate::checkout::Checkout;
use crate::terminal::Terminal;

use self::apt::Apt;
use self::component::{COMPONENTS, Component};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Bring these programs alone, by name: redis-server, mariadbd, kafka and so on.
    #[arg(value_name = "PROGRAM")]
    programs: Vec<String>,
    /// Bring them again, even if they are here: newer packages, for instance.
    #[arg(long)]
    again: bool,
}

/// What came of one component.
pub(crate) struct Brought {
    pub(crate) program: &'static str,
    /// Why it is not to be had.
    pub(crate) absent: Option<String>,
}

pub(crate) fn run(checkout: &Checkout, options: &Options) -> anyhow::Result<bool> {
    let unknown = options
        .programs
        .iter()
        .find(|name| COMPONENTS.iter().all(|component| component.program != **name));
    if let Some(unknown) = unknown {
        let known: Vec<&str> = COMPONENTS.iter().map(|component| component.program).collect();
        anyhow::bail!("no component is called {unknown}; there are {}", known.join(", "));
    }
    let wanted = |component: &Component| {
        options.programs.is_empty() || options.programs.iter().any(|name| name == component.program)
    };
    let brought = bring(checkout, &Terminal::stdout(), options.again, wanted)?;
    Ok(brought.iter().all(|brought| brought.absent.is_none()))
}

/// Brings every component.
pub(crate) fn bring_all(checkout: &Checkout, terminal: &Terminal) -> anyhow::Result<Vec<Brought>> {
    bring(checkout, terminal, false, |_| true)
}

/// Where `coupon-testkit` looks.
pub(crate) fn home(checkout: &Checkout) -> PathBuf {
    checkout.target().join("servers")
}

/// The variable that tells `coupon-testkit` where that is, for tests that were built elsewhere.
pub(crate) const HOME_VARIABLE: &str = "FIRSTCOME_TEST_SERVERS";

/// The crate through which tests use the servers.
pub(crate) const TEST_BENCH: &str = "coupon-testkit";

/// CI sets `CI=true`: a check that decides about a change must not leave tests out.
pub(crate) fn nothing_may_be_skipped() -> bool {
    component::variable("CI").is_some_and(|value| value != "false" && value != "0")
}

fn bring(
    checkout: &Checkout,
    terminal: &Terminal,
    again: bool,
    wanted: impl Fn(&Component) -> bool,
) -> anyhow::Result<Vec<Brought>> {
    let home = home(checkout);
    for directory in ["bin", "absent"] {
        fs::create_dir_all(home.join(directory)).context("the directory for servers")?;
    }
    // Another run may be at it; what it brings is then already here.
    let lock = File::create(home.join("lock")).context("the lock of the servers")?;
    flock(&lock, FlockOperation::LockExclusive).context("the lock of the servers")?;
    let mut apt = Apt::new(home.join("apt"));
    let mut all = Vec::new();
    for component in COMPONENTS.iter().filter(|component| wanted(component)) {
        let program = component.program;
        let note = home.join("absent").join(program);
        let brought = component.bring(&home, &mut apt, terminal, again);
        let absent = match brought {
            Ok(how) => {
                terminal.say(format_args!("      {program}: {how}"));
                if note.exists() {
                    fs::remove_file(&note).context("the note of an absent component")?;
                }
                None
            }
            Err(error) => {
                let why = format!("{error:#}");
                terminal.say(format_args!("      {program}: NOT TO BE HAD: {why}"));
                // The tests that miss it give this as their reason.
                fs::write(&note, format!("{why}\n")).context("the note of an absent component")?;
                Some(why)
            }
        };
        all.push(Brought { program, absent });
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
