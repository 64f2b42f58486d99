//! The strongroom: the embedded ledger. Memory of one process decides; an append-only, checksummed journal makes it
//! durable with one `fdatasync` per batch; the store takes the records over from there.
//!
//! * [`JournalLedger`] is the ledger port, [`JournalOutbox`] the outbox port.
//! * [`Disk`] is what it asks of a disk; [`FileDisk`] is one of files.
//! * [`Recovery`] tells what was found at start, [`OpenError`] why it refuses to start and what to do.
//!
//! docs/JOURNAL-FORMAT.md has the format to the byte.

mod books;
mod disk;
mod frame;
mod index;
mod ledger;
pub mod limits;
mod members;
mod outbox;
mod preparer;
mod reader;
mod record;
mod recovery;
mod segment;
mod writer;

pub use books::Contradiction;
#[cfg(feature = "sim")]
pub use disk::sim;
pub use disk::{Disk, DiskFile, FileDisk, Folder, OpenDiskError, freeze, keep};
pub use ledger::{JournalLedger, JournalOptions, begin_after, segment_name};
pub use outbox::JournalOutbox;
pub use reader::{FrozenError, frozen_entries};
pub use record::UnreadableRecord;
pub use recovery::{Cut, Damage, OpenError, Recovery};
