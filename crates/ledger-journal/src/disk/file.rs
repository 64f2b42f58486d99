//! A disk made of real files.

use super::{Disk, DiskFile};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOCK_FILE: &str = "lock";
const JOURNAL_DIR: &str = "journal";

/// The journal's files in a data directory, which is locked as long as this lives.
#[derive(Debug)]
pub struct FileDisk {
    folder: Folder,
    _lock: File,
}

/// The files of a directory, which nobody locks here.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The directory at this path, which must exist when it is used.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

/// A data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenDiskError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another process; stop that one, or give this one a directory of its own with --data-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("the data directory {} cannot be used: {}; it must exist and be writable by this user", .0.display(), .1)]
    Unusable(PathBuf, #[source] io::Error),
}

impl FileDisk {
    /// Locks the data directory and opens its journal directory, made when missing. The data directory itself must
    /// exist.
    pub fn open(data_directory: &Path) -> Result<Self, OpenDiskError> {
        let unusable = |error| OpenDiskError::Unusable(data_directory.to_owned(), error);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(data_directory.join(LOCK_FILE)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenDiskError::InUse(data_directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let directory = data_directory.join(JOURNAL_DIR);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => sync_directory(data_directory).map_err(unusable)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self {
            folder: Folder(directory),
            _lock: lock,
        })
    }
}

impl Disk for FileDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.folder.names()
    }

    fn create(&self, name: &str, bytes: u64, rest: &dyn Fn()) -> io::Result<Arc<dyn DiskFile>> {
        self.folder.create(name, bytes, rest)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.folder.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.folder.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.folder.sync_names()
    }
}

impl Disk for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64, rest: &dyn Fn()) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.0.join(name);
        match create_zeroed(&path, bytes, rest) {
            Ok(file) => Ok(Arc::new(RealFile(file))),
            Err(error) => {
                // Half a file would only take up the space that is missing. It was never named a segment. Why there is
                // none is the error to tell, also where nothing could be made that could be removed.
                drop(fs::remove_file(&path));
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.0.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        sync_directory(&self.0)
    }
}

/// A new segment's zeros are written and synced in pieces of so many bytes.
const ZEROS_BYTES: usize = 256 << 10;

fn create_zeroed(path: &Path, bytes: u64, rest: &dyn Fn()) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    // Reserving first makes a full disk show at once instead of after a long write.
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
    let zeros = vec![0u8; ZEROS_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes - offset).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all_at(&zeros[..left], offset)?;
        sync_data(&file)?;
        rest();
        offset += u64::try_from(left).unwrap_or(u64::MAX);
    }
    Ok(file)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that syncs")]
fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that syncs")]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Links every segment of a data directory's journal into `to`, so that the store's progress cannot take them away
/// while they are being read. For backups from another process: it takes no lock.
pub fn freeze(data_directory: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data_directory.join(JOURNAL_DIR))? {
        let entry = entry?;
        match fs::hard_link(entry.path(), to.join(entry.file_name())) {
            // Released or finished since the directory was read: its content is in the store, or not yet in use.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        sync_data(&self.0)
    }
}
