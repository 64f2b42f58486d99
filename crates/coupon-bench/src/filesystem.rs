//! Which file system a directory lies on, and whether it can keep anything at all.

use anyhow::{Context as _, bail};
use std::path::Path;

/// Magic numbers of statfs(2).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const EXT: u64 = 0xef53;
const XFS: u64 = 0x5846_5342;
const BTRFS: u64 = 0x9123_683e;
const OVERLAY: u64 = 0x794c_7630;
const ZFS: u64 = 0x2fc1_2fc1;
const F2FS: u64 = 0xf2f5_2010;

/// The file system of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    magic: u64,
}

impl FileSystem {
    /// Asks the kernel.
    pub(crate) fn of(directory: &Path) -> anyhow::Result<Self> {
        let found = rustix::fs::statfs(directory)
            .with_context(|| format!("cannot tell the file system of {}", directory.display()))?;
        Ok(Self::of_magic(found.f_type))
    }

    fn of_magic(magic: impl TryInto<u64>) -> Self {
        // The type differs between machines; the numbers fit 32 bits, and some sign-extend them.
        let magic = magic.try_into().unwrap_or(0) & 0xffff_ffff;
        Self { magic }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match self.magic {
            TMPFS => "tmpfs".to_owned(),
            RAMFS => "ramfs".to_owned(),
            EXT => "ext4".to_owned(),
            XFS => "xfs".to_owned(),
            BTRFS => "btrfs".to_owned(),
            OVERLAY => "overlay".to_owned(),
            ZFS => "zfs".to_owned(),
            F2FS => "f2fs".to_owned(),
            other => format!("{other:#x}"),
        }
    }

    /// Refuses file systems that live in memory: a sync costs nothing there, and so says nothing.
    pub(crate) fn must_keep(&self) -> anyhow::Result<()> {
        if matches!(self.magic, TMPFS | RAMFS) {
            bail!(
                "the scratch directory lies on {}, in memory, where a sync costs nothing: durable measures would \
                 mean nothing. Name a directory on a disk with --scratch, or choose others with --only",
                self.name()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_in_memory_is_refused_and_one_on_a_disk_is_not() {
        for memory in [TMPFS, RAMFS] {
            let refused = FileSystem::of_magic(memory).must_keep().unwrap_err();
            assert!(refused.to_string().contains("in memory"), "{refused}");
        }
        for disk in [EXT, XFS, BTRFS, OVERLAY, 0x1234] {
            FileSystem::of_magic(disk).must_keep().unwrap();
        }
    }

    #[test]
    fn shared_memory_is_known_for_what_it_is() {
        let shared = Path::new("/dev/shm");
        if shared.is_dir() {
            assert_eq!(FileSystem::of(shared).unwrap().name(), "tmpfs");
        }
    }
}
