//! The command line.

use crate::measure::Id;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Measures how fast firstcome is against what the machine can do at all.
#[derive(Debug, Parser)]
#[command(name = "coupon-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Order>,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Write the table of docs/PERFORMANCE.md anew from the raw results.
    Render(Render),
    /// Serve as the baseline (for the bench itself).
    #[command(hide = true)]
    Baseline {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The answer to give.
        #[arg(long)]
        answer: PathBuf,
    },
    /// Fill a ledger and say what the process weighs (for the bench itself).
    #[command(hide = true)]
    Hold {
        /// An empty directory.
        #[arg(long)]
        directory: PathBuf,
        /// How many issues.
        #[arg(long)]
        count: u64,
    },
}

/// A run of measures.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Only these, such as P1,P10. Others that they refer to are taken too.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MEASURES")]
    pub(crate) only: Vec<Id>,
    /// Short rounds, for trying: the numbers mean little and are not kept with the committed ones.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Alternating rounds of each measure and its baseline.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: Option<u16>,
    /// Threads of the load.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) load_threads: u16,
    /// The file that keeps the raw results; measures that were not taken stay as they are in it.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// A `firstcome` to measure, instead of building one.
    #[arg(long)]
    pub(crate) product: Option<PathBuf>,
    /// A directory on a disk for data, instead of one under target/.
    #[arg(long)]
    pub(crate) scratch: Option<PathBuf>,
}

/// How to write the table.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Write nothing; fail if the table is not what the raw results say.
    #[arg(long)]
    pub(crate) check: bool,
    /// The raw results.
    #[arg(long)]
    pub(crate) from: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn measures_are_named_as_in_the_specification() {
        let cli = Cli::parse_from(["coupon-bench", "--quick", "--only", "P1,P16"]);
        assert_eq!(cli.run.only, [Id::P1, Id::P16]);
        assert!(Cli::try_parse_from(["coupon-bench", "--only", "P2"]).is_err());
    }
}
