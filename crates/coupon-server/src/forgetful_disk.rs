//! A disk that shows the journal's files and forgets what is written: for looking at a data directory at rest with the
//! ledger's own eyes, without changing a byte.

use ledger_journal::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Reads through to another disk and keeps every change in memory.
pub(crate) struct ForgetfulDisk {
    below: Arc<dyn Disk>,
    /// What differs from the disk below: a file in memory, or a name that is gone.
    changed: Mutex<BTreeMap<String, Option<Arc<MemoryFile>>>>,
}

impl ForgetfulDisk {
    pub(crate) fn over(below: Arc<dyn Disk>) -> Self {
        Self {
            below,
            changed: Mutex::new(BTreeMap::new()),
        }
    }

    fn changed(&self) -> MutexGuard<'_, BTreeMap<String, Option<Arc<MemoryFile>>>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file as it stands here, copied from below when nobody has asked for it before.
    fn file(&self, name: &str) -> io::Result<Arc<MemoryFile>> {
        if let Some(known) = self.changed().get(name) {
            return known
                .as_ref()
                .map(Arc::clone)
                .ok_or_else(|| io::ErrorKind::NotFound.into());
        }
        let below = self.below.open(name)?;
        let length = usize::try_from(below.length()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        below.read(&mut bytes, 0)?;
        Ok(self.keep(name, bytes))
    }

    fn keep(&self, name: &str, bytes: Vec<u8>) -> Arc<MemoryFile> {
        let file = Arc::new(MemoryFile(Mutex::new(bytes)));
        self.changed().insert(name.to_owned(), Some(Arc::clone(&file)));
        file
    }
}

impl Disk for ForgetfulDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.below.names()?;
        let changed = self.changed();
        names.retain(|name| !changed.contains_key(name));
        let here = changed.iter().filter(|(_, file)| file.is_some());
        names.extend(here.map(|(name, _)| name.clone()));
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64, _rest: &dyn Fn()) -> io::Result<Arc<dyn DiskFile>> {
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        Ok(self.keep(name, vec![0; length]))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(name)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.file(from)?;
        let mut changed = self.changed();
        changed.insert(from.to_owned(), None);
        changed.insert(to.to_owned(), Some(file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.changed().insert(name.to_owned(), None);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryFile {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        u64::try_from(self.bytes().len()).map_err(io::Error::other)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.bytes();
        let wanted = bytes.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, written: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let mut bytes = self.bytes();
        let end = start + written.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(written);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ForgetfulDisk;
    use ledger_journal::{Disk as _, FileDisk};
    use std::sync::Arc;

    #[test]
    fn what_is_written_is_read_back_here_and_never_reaches_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let below = Arc::new(FileDisk::open(directory.path()).unwrap());
        below.create("old", 4, &|| ()).unwrap().write(b"abcd", 0).unwrap();
        let disk = ForgetfulDisk::over(Arc::<FileDisk>::clone(&below));
        disk.open("old").unwrap().write(b"X", 1).unwrap();
        disk.create("new", 2, &|| ()).unwrap();
        disk.rename("new", "newer").unwrap();
        let mut bytes = [0; 4];
        disk.open("old").unwrap().read(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"aXcd");
        let mut names = disk.names().unwrap();
        names.sort();
        assert_eq!(names, ["newer", "old"]);
        disk.remove("old").unwrap();
        assert!(disk.open("old").is_err());
        below.open("old").unwrap().read(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"abcd");
        assert_eq!(below.names().unwrap(), ["old"]);
    }
}
