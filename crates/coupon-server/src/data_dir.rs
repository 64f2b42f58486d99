//! The data directory: what is in it, and whether this version may use it.
//!
//! ```text
//! format          the number of this layout
//! lock            held by the running server (ledger_journal::FileDisk)
//! journal/        the ledger's segments
//! store.sqlite3   the store, with SQLite's -wal and -shm beside it
//! admin-key       the first administrator's key   (mode 0600)
//! jwt-secret      what users' tokens are signed with (mode 0600)
//! key-seed        what the secrets of API keys are derived from (mode 0600)
//! backup-*/       the journal as a backup froze it, while that one runs
//! ```

use crate::scratch::{Scratch, clear};
use anyhow::{Context as _, bail};
use ledger_journal::{Disk as _, Folder, keep};
use std::fs::{self, DirBuilder, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The layout that this version reads and writes.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "format";
const STORE_FILE: &str = "store.sqlite3";
const JOURNAL_DIR: &str = "journal";
/// Stands in the format file until a restore is done.
const RESTORING: &str = "restoring";

/// What directories are called that a backup makes in it.
const BACKUP: &str = "backup-";

/// What may lie in a data directory that has not got its format yet: what a first start leaves behind when it is cut
/// short, and what a fresh file system brings.
const BEGINNINGS: [&str; 8] = [
    FORMAT_FILE,
    "format.new",
    "lock",
    JOURNAL_DIR,
    "admin-key",
    "jwt-secret",
    "key-seed",
    "lost+found",
];

/// A data directory of a format that this version can use.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The directory for a server: made when missing, for its owner alone.
    pub(crate) fn open_or_create(path: &Path) -> anyhow::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_other) => bail!(
                "the data directory {} is not a directory; name another with --data-dir",
                path.display()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => create(path)?,
            Err(error) => return Err(error).with_context(|| unusable(path)),
        }
        let directory = Self(path.to_owned());
        if directory.format()?.is_none() {
            directory.refuse_foreign()?;
            directory.write(FORMAT_FILE, &format!("{FORMAT}\n"))?;
        }
        Ok(directory)
    }

    /// A directory that a server has used before.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let directory = Self(path.to_owned());
        if directory.format()?.is_none() {
            bail!(
                "{} is no data directory of firstcome; name the right one with --data-dir",
                path.display()
            );
        }
        Ok(directory)
    }

    /// A new directory to restore into, made when missing. No server starts in it before the restore is done.
    pub(crate) fn begin_restore(path: &Path) -> anyhow::Result<Self> {
        let directory = Self(path.to_owned());
        match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    bail!(
                        "{} is not empty; a restore never mixes with what is there, so name an empty or a new \
                         directory with --data-dir",
                        path.display()
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => create(path)?,
            Err(error) => return Err(error).with_context(|| unusable(path)),
        }
        directory.write(FORMAT_FILE, RESTORING)?;
        Ok(directory)
    }

    /// Everything is restored.
    pub(crate) fn finish_restore(&self) -> anyhow::Result<()> {
        self.write(FORMAT_FILE, &format!("{FORMAT}\n"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The store's file.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.0.join(STORE_FILE)
    }

    /// Reads a small file in it; `None` when there is none or it is empty, as a power loss can leave it.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a small file in it, whole or not at all, durably, for its owner alone.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        keep(&Folder::at(&self.0), name, text.as_bytes()).with_context(|| unusable(&self.0))
    }

    /// A directory in it for a backup that begins, which others leave alone until the process ends; and what backups
    /// left that were killed is removed.
    pub(crate) fn begin_backup(&self) -> io::Result<Scratch> {
        Scratch::begin(&self.0, BACKUP, is_of_a_backup)
    }

    /// Removes what backups left that were killed: links that keep segments of the journal from being freed.
    pub(crate) fn clear_backups(&self) -> io::Result<()> {
        clear(&self.0, is_of_a_backup).map(drop)
    }

    /// The number in the format file. A newer one is refused here, before anything is touched.
    fn format(&self) -> anyhow::Result<Option<u32>> {
        let Some(text) = self.read(FORMAT_FILE)? else {
            return Ok(None);
        };
        if text == RESTORING {
            bail!(
                "a restore into {} was interrupted; remove the directory and restore again",
                self.0.display()
            );
        }
        match text.parse::<u32>() {
            Ok(FORMAT) => Ok(Some(FORMAT)),
            Ok(newer) if newer > FORMAT => bail!(
                "the data directory {} has format {newer}, and this version ({}) knows only {FORMAT}; \
                 run the newer version that wrote it, or restore a backup into another directory",
                self.0.display(),
                env!("CARGO_PKG_VERSION"),
            ),
            Ok(_) | Err(_) => bail!(
                "{} holds {text:?} instead of a format number; this is no data directory of firstcome, or it is \
                 damaged: name another with --data-dir, or restore a backup",
                self.0.join(FORMAT_FILE).display()
            ),
        }
    }

    /// Refuses a directory that holds somebody else's files: nobody wants a journal among their documents.
    fn refuse_foreign(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.0).with_context(|| unusable(&self.0))? {
            let name = entry.with_context(|| unusable(&self.0))?.file_name();
            let name = name.to_string_lossy();
            if !BEGINNINGS.contains(&name.as_ref()) && !name.starts_with(STORE_FILE) {
                bail!(
                    "{} holds other files ({name}) and is no data directory of firstcome; name an empty or a new \
                     one with --data-dir",
                    self.0.display()
                );
            }
        }
        Ok(())
    }
}

/// Everything in a data directory is ours.
fn is_of_a_backup(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(BACKUP)
}

fn create(path: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let names = Folder::at(parent(path)).sync_names();
            names.with_context(|| unusable(path))
        }
        // Somebody else made it meanwhile; the lock decides who has it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // There are file systems that say so too of a place in which nothing can be made, such as /proc.
        Err(error) if error.kind() == ErrorKind::NotFound && !parent(path).exists() => {
            bail!(
                "cannot make the data directory {}: {} does not exist; create it first, or name another with \
                 --data-dir",
                path.display(),
                parent(path).display()
            )
        }
        Err(error) => Err(error).with_context(|| unusable(path)),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| *parent != Path::new(""))
        .unwrap_or(Path::new("."))
}

fn unusable(path: &Path) -> String {
    format!(
        "the data directory {} cannot be used; it must be writable by this user, or name another with --data-dir",
        path.display()
    )
}
