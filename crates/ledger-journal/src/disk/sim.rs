//! A disk in memory that behaves as badly as disks may: it crashes at a chosen step, fails a chosen write or sync,
//! runs full, tears writes by sectors, and forgets what was not synced, names included.

use super::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes at once: a torn write keeps or loses whole sectors.
pub const SECTOR_BYTES: usize = 512;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The power goes, or the process dies, in the middle of this step: nothing works afterwards.
    CrashAtStep(u64),
    /// This write (counted from 1) fails with an input/output error after so many bytes.
    FailWrite {
        /// Which.
        nth: u64,
        /// Bytes that were written all the same.
        after_bytes: usize,
    },
    /// This sync (counted from 1) fails, and the pages it was for are taken for clean from then on, as Linux does.
    FailSync(u64),
    /// This and every later creation of a file (counted from 1) finds the disk full.
    FullAtCreate(u64),
}

/// What is left after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything written: the process died, the kernel lived.
    Everything,
    /// What was synced, and nothing else: the power went.
    Synced,
    /// What was synced, and of the rest some sectors and not others, by this seed: the power went in mid-write.
    Some(u64),
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Debug)]
struct World {
    files: BTreeMap<u64, FileState>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next_file: u64,
    steps: u64,
    writes: u64,
    syncs: u64,
    creates: u64,
    fault: Fault,
    crashed: bool,
}

#[derive(Clone, Debug, Default)]
struct FileState {
    written: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written and not synced.
    dirty: BTreeSet<usize>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new(Fault::None)
    }
}

impl SimDisk {
    /// An empty disk with a fault to come.
    pub fn new(fault: Fault) -> Self {
        Self::with(BTreeMap::new(), BTreeMap::new(), fault)
    }

    fn with(files: BTreeMap<u64, FileState>, names: BTreeMap<String, u64>, fault: Fault) -> Self {
        let next_file = files.keys().max().map_or(0, |last| last + 1);
        let world = World {
            files,
            durable_names: names.clone(),
            names,
            next_file,
            steps: 0,
            writes: 0,
            syncs: 0,
            creates: 0,
            fault,
            crashed: false,
        };
        Self {
            world: Arc::new(Mutex::new(world)),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many steps it has gone: a step is a creation, write, sync, renaming or removal.
    pub fn steps(&self) -> u64 {
        self.world().steps
    }

    /// How many writes it was asked for.
    pub fn writes(&self) -> u64 {
        self.world().writes
    }

    /// How many syncs of files it was asked for.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// How many files it was asked to create.
    pub fn creates(&self) -> u64 {
        self.world().creates
    }

    /// Changes the fault to come, counted from now on as before.
    pub fn set_fault(&self, fault: Fault) {
        self.world().fault = fault;
    }

    /// The disk as the next life finds it, with a fault to come in that life. This one is dead from now on.
    pub fn reboot(&self, keep: Keep, fault: Fault) -> Self {
        let mut world = self.world();
        world.crashed = true;
        let mut dice = Dice(match keep {
            Keep::Some(seed) => seed,
            Keep::Everything | Keep::Synced => 0,
        });
        let survive = |file: &FileState, dice: &mut Dice| {
            if keep == Keep::Everything {
                // What was not synced is still not durable, and still readable.
                return file.clone();
            }
            let mut bytes = file.durable.clone();
            if let Keep::Some(_) = keep {
                bytes.resize(file.written.len(), 0);
                for &sector in file.dirty.iter().filter(|_| dice.heads()) {
                    let range = sector_range(sector, file.written.len());
                    bytes[range.clone()].copy_from_slice(&file.written[range]);
                }
            }
            FileState {
                written: bytes.clone(),
                durable: bytes,
                dirty: BTreeSet::new(),
            }
        };
        let files = world
            .files
            .iter()
            .map(|(id, file)| (*id, survive(file, &mut dice)))
            .collect();
        let names_survive = match keep {
            Keep::Everything => true,
            Keep::Synced => false,
            Keep::Some(_) => dice.heads(),
        };
        let names = if names_survive {
            world.names.clone()
        } else {
            world.durable_names.clone()
        };
        let next_life = Self::with(files, names, fault);
        if keep == Keep::Everything {
            next_life.world().durable_names = world.durable_names.clone();
        }
        next_life
    }

    /// A copy of the disk as it is, apart from this one: to be damaged.
    pub fn copy(&self) -> Self {
        let world = self.world();
        let settle = |file: &FileState| {
            let written = file.written.clone();
            FileState {
                durable: written.clone(),
                written,
                dirty: BTreeSet::new(),
            }
        };
        let files = world.files.iter().map(|(id, file)| (*id, settle(file))).collect();
        Self::with(files, world.names.clone(), Fault::None)
    }

    /// A file's bytes.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.names.get(name).map(|id| world.files[id].written.clone())
    }

    /// Damages a file behind everyone's back.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        if let Some(id) = world.names.get(name).copied() {
            let file = world.files.entry(id).or_default();
            change(&mut file.written);
            file.durable.clone_from(&file.written);
        }
    }
}

/// A small generator of coin tosses (SplitMix64, Steele et al. 2014); the same seed, the same tosses.
struct Dice(u64);

impl Dice {
    fn heads(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) & 1 == 1
    }
}

fn sector_range(sector: usize, length: usize) -> std::ops::Range<usize> {
    sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(length)
}

fn crashed() -> io::Error {
    io::Error::other("the simulated disk has crashed")
}

impl World {
    /// Counts a step and says whether the crash comes in the middle of it.
    fn step(&mut self) -> io::Result<bool> {
        if self.crashed {
            return Err(crashed());
        }
        self.steps += 1;
        self.crashed = self.fault == Fault::CrashAtStep(self.steps);
        Ok(self.crashed)
    }

    fn file(&self, name: &str) -> io::Result<u64> {
        if self.crashed {
            return Err(crashed());
        }
        self.names
            .get(name)
            .copied()
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Disk for SimDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64, _rest: &dyn Fn()) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let dies = world.step()?;
        world.creates += 1;
        if let Fault::FullAtCreate(nth) = world.fault
            && world.creates >= nth
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = usize::try_from(bytes).map_err(io::Error::other)?;
        let id = world.next_file;
        world.next_file += 1;
        let dirty = (0..length.div_ceil(SECTOR_BYTES)).collect();
        world.files.insert(
            id,
            FileState {
                written: vec![0; length],
                durable: Vec::new(),
                dirty,
            },
        );
        world.names.insert(name.to_owned(), id);
        if dies {
            Err(crashed())
        } else {
            Ok(Arc::new(SimFile {
                disk: self.clone(),
                id,
            }))
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let id = self.world().file(name)?;
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        let id = world.file(from)?;
        let dies = world.step()?;
        world.names.remove(from);
        world.names.insert(to.to_owned(), id);
        if dies { Err(crashed()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.file(name)?;
        let dies = world.step()?;
        world.names.remove(name);
        if dies { Err(crashed()) } else { Ok(()) }
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut world = self.world();
        if world.step()? {
            return Err(crashed());
        }
        world.durable_names = world.names.clone();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        let world = self.disk.world();
        u64::try_from(world.files[&self.id].written.len()).map_err(io::Error::other)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let world = self.disk.world();
        if world.crashed {
            return Err(crashed());
        }
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = world.files[&self.id].written.get(from..from + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let dies = world.step()?;
        world.writes += 1;
        let (mut keep, mut fails) = (bytes.len(), false);
        if let Fault::FailWrite { nth, after_bytes } = world.fault
            && nth == world.writes
        {
            (keep, fails) = (after_bytes.min(bytes.len()), true);
        }
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let file = world.files.entry(self.id).or_default();
        let end = from + keep;
        if file.written.len() < end {
            file.written.resize(end, 0);
        }
        file.written[from..end].copy_from_slice(&bytes[..keep]);
        if keep > 0 {
            file.dirty.extend(from / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
        }
        match (fails, dies) {
            (_, true) => Err(crashed()),
            (true, false) => Err(io::Error::other("the simulated write failed")),
            (false, false) => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        if world.step()? {
            return Err(crashed());
        }
        world.syncs += 1;
        let fails = world.fault == Fault::FailSync(world.syncs);
        let file = world.files.entry(self.id).or_default();
        let dirty = std::mem::take(&mut file.dirty);
        if fails {
            return Err(io::Error::other("the simulated sync failed"));
        }
        file.durable.resize(file.written.len(), 0);
        for sector in dirty {
            let range = sector_range(sector, file.written.len());
            file.durable[range.clone()].copy_from_slice(&file.written[range]);
        }
        Ok(())
    }
}
