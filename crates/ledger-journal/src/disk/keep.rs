//! A small file that is there whole or not at all, whatever ends the process or the power.

use super::Disk;
use std::io;

/// Puts `contents`, which must not be empty, into the place of whatever has this name, durably: when it returns, they are
/// there after a power failure too; when it fails or never returns, either they or what was there before.
pub fn keep(disk: &dyn Disk, name: &str, contents: &[u8]) -> io::Result<()> {
    let beside = format!("{name}.new");
    let bytes = u64::try_from(contents.len()).map_err(io::Error::other)?;
    let file = disk.create(&beside, bytes, &|| {})?;
    file.write(contents, 0)?;
    // Before the name: a name that is durable must not lead to a file that is not.
    file.sync()?;
    disk.rename(&beside, name)?;
    disk.sync_names()
}
