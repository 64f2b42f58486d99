//! The yardstick of everything durable: writing bytes into a file that was filled with zeros before, and one
//! `fdatasync` a batch. No code of the product.

use anyhow::Context as _;
use hdrhistogram::Histogram;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// A file of zeros that is written from its beginning and, at its end, from its beginning again.
#[derive(Debug)]
pub(crate) struct ZeroedFile {
    file: File,
    length: u64,
    offset: u64,
}

impl ZeroedFile {
    /// Makes one in `directory`, durable.
    pub(crate) fn create(directory: &Path, length: u64) -> anyhow::Result<Self> {
        let path = directory.join("yardstick");
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let zeros = vec![0u8; 1 << 20];
        let mut offset = 0;
        while offset < length {
            let left = usize::try_from(length - offset).map_or(zeros.len(), |left| left.min(zeros.len()));
            file.write_all_at(&zeros[..left], offset)?;
            offset += u64::try_from(left)?;
        }
        let zeroed = Self {
            file,
            length,
            offset: 0,
        };
        zeroed.sync()?;
        Ok(zeroed)
    }

    /// Writes a batch behind the last one and syncs it.
    pub(crate) fn append(&mut self, batch: &[u8]) -> anyhow::Result<()> {
        let bytes = u64::try_from(batch.len())?;
        if self.offset + bytes > self.length {
            self.offset = 0;
        }
        self.file.write_all_at(batch, self.offset)?;
        self.sync()?;
        self.offset += bytes;
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the bare sync that the rest is compared with"
    )]
    fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_data().context("the disk failed to sync")
    }
}

/// How long batches took.
#[derive(Debug)]
pub(crate) struct SyncTimes {
    /// All of them together.
    pub(crate) total: Duration,
    /// One by one, in nanoseconds.
    pub(crate) each: Histogram<u64>,
}

impl SyncTimes {
    /// Batches a second.
    pub(crate) fn rate(&self) -> f64 {
        self.each.len() as f64 / self.total.as_secs_f64()
    }

    /// The median, in microseconds.
    pub(crate) fn median_us(&self) -> f64 {
        self.latency_us(0.5)
    }

    /// The latency that this share of batches did not exceed, in microseconds.
    pub(crate) fn latency_us(&self, quantile: f64) -> f64 {
        self.each.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// Writes and syncs `batches` batches of `bytes` bytes.
pub(crate) fn measure(directory: &Path, batches: u64, bytes: usize) -> anyhow::Result<SyncTimes> {
    let mut file = ZeroedFile::create(directory, 64 << 20)?;
    let batch = vec![0xa5; bytes];
    let mut each = Histogram::new(3)?;
    let start = Instant::now();
    for _ in 0..batches {
        let before = Instant::now();
        file.append(&batch)?;
        each.record(u64::try_from(before.elapsed().as_nanos())?)?;
    }
    Ok(SyncTimes {
        total: start.elapsed(),
        each,
    })
}
