//! The fuse box: the binary `firstcome`. Parses the command line, runs one command, and exits with its verdict.
//!
//! Only here do all the crates meet ([`wiring`]), and only here is the environment read ([`environment`]).

mod banner;
mod cli;
mod client;
mod clock;
mod commands;
mod complaint;
mod config;
mod data_dir;
mod environment;
mod follower;
mod forgetful_disk;
mod hall;
mod keys;
mod lifecycle;
mod open_files;
mod priority;
mod scratch;
mod store_watch;
mod table;
mod telemetry;
mod terminal;
mod times;
mod user_tokens;
mod wiring;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let as_json = cli.shared.json;
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            complaint::tell(&error, as_json);
            ExitCode::FAILURE
        }
    }
}
