//! The journal under examination: the contract, crashes at every step, failing disks, damaged files, real files.

#![expect(missing_docs, reason = "tests")]

mod contract;
mod crash;
mod damage;
mod faults;
mod files;
mod rig;
