//! The process: start, configuration, signals, kill and recovery, examined on the real binary.

mod backups;
mod commands;
mod configuration;
mod crash;
mod data_dir;
mod harness;
mod shutdown;
mod start;
