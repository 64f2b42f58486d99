//! Directories for a while: each is locked as long as the process lives that made it, so that what a killed one has left
//! can be told from what is in use, and removed.

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use tempfile::TempDir;

/// A directory that is removed when dropped, and that others leave alone until then.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Locked, which ends with the process; `None` where the file system has no locks, and so nothing is cleared.
    _running: Option<File>,
    directory: TempDir,
}

impl Scratch {
    /// Makes one in `parent` whose name begins with `prefix`, and removes those that `is_ours` and nobody holds.
    pub(crate) fn begin(
        parent: &Path,
        prefix: &str,
        is_ours: impl Fn(&DirEntry) -> bool,
    ) -> io::Result<Self> {
        // Held from the look to the lock, so that nobody takes what has just been made for something left over.
        let turn = clear(parent, is_ours);
        let directory = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
        let running = File::open(directory.path())?;
        let locked = running.lock();
        for error in [turn.as_ref().err(), locked.as_ref().err()].into_iter().flatten() {
            // It costs room at most, and the next one tries again.
            tracing::warn!(%error, path = %parent.display(), "what a killed backup may have left is not looked for");
        }
        drop(turn);
        Ok(Self {
            _running: locked.is_ok().then_some(running),
            directory,
        })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories in `parent` that `is_ours` and nobody holds, and holds `parent` against others who look at it
/// for that.
pub(crate) fn clear(parent: &Path, is_ours: impl Fn(&DirEntry) -> bool) -> io::Result<File> {
    let turn = File::open(parent)?;
    turn.lock()?;
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        // Not a link to one either: the type is the entry's own.
        if !entry.file_type()?.is_dir() || !is_ours(&entry) {
            continue;
        }
        let path = entry.path();
        match File::open(&path).and_then(|it| it.try_lock().map(|()| it).map_err(io::Error::from)) {
            // Held until it is gone.
            Ok(_held) => {
                fs::remove_dir_all(&path)?;
                tracing::info!(path = %path.display(), "what a killed backup left was removed");
            }
            // A backup runs there, or has just ended.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(turn)
}
