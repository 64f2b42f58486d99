//! The port to the disk, and the only place in the house that syncs.
//!
//! The journal asks little of a disk: fixed-size files that are made ready in advance, positioned reads and writes,
//! and syncs whose failure is told. Tests bring disks of their own ([`sim`]) that crash, fail, fill up, tear writes
//! and forget what was not synced.

mod file;
mod keep;
#[cfg(feature = "sim")]
pub mod sim;

pub use file::{FileDisk, Folder, OpenDiskError, freeze};
pub use keep::keep;

use std::io;
use std::sync::Arc;

/// A directory of segment files.
///
/// What MUST hold: a file's bytes are durable after its [`DiskFile::sync`] succeeded, its name after
/// [`Disk::sync_names`] succeeded, and neither before. After a failed sync nothing may be assumed of what was not
/// synced before.
pub trait Disk: Send + Sync + 'static {
    /// The names of all files, in no order.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `bytes` zeros, written and not merely reserved, so that later writes move no metadata. Neither
    /// the zeros nor the name are durable yet. A file of that name is replaced. A full disk is `StorageFull` and
    /// leaves nothing behind. Between two pieces of the work it calls `rest`, which may take its time: a disk that is
    /// given a whole segment at once lets the journal's sync wait for all of it.
    fn create(&self, name: &str, bytes: u64, rest: &dyn Fn()) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable: those created, changed and removed.
    fn sync_names(&self) -> io::Result<()>;
}

/// An open segment file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; an end of file before that is `UnexpectedEof`.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes every write so far durable.
    fn sync(&self) -> io::Result<()>;
}
