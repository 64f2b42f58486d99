//! What the numbers were measured on.

use crate::filesystem::FileSystem;
use crate::sync;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes of one issue in a frame of its own.
const LONE_BYTES: usize = 80;
/// Bytes of a batch of 1,024.
const FULL_BYTES: usize = 44_000;
const SYNCS: u64 = 300;

/// A machine, and how busy it was with other things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// Cores that this program may use.
    pub(crate) cores: usize,
    /// The processor's own name for itself.
    pub(crate) processor: String,
    /// The operating system's name and release.
    pub(crate) kernel: String,
    /// Of the scratch directory.
    pub(crate) file_system: String,
    /// The one-minute load average before the first measure.
    pub(crate) load_average: f64,
    /// `fdatasync` calls a second, each after a write of 80 bytes into a file of zeros.
    pub(crate) syncs_per_second: f64,
    /// The median of one, in microseconds.
    pub(crate) sync_us: f64,
    /// The median of one after a write of 44,000 bytes.
    pub(crate) full_sync_us: f64,
}

impl Machine {
    /// Looks and measures.
    pub(crate) fn find(scratch: &Path) -> anyhow::Result<Self> {
        let system = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let lone = sync::measure(scratch, SYNCS, LONE_BYTES)?;
        let full = sync::measure(scratch, SYNCS, FULL_BYTES)?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: processor(&std::fs::read_to_string("/proc/cpuinfo")?),
            kernel: format!("{} {}", text(system.sysname()), text(system.release())),
            file_system: FileSystem::of(scratch)?.name(),
            load_average: load_average(&std::fs::read_to_string("/proc/loadavg")?),
            syncs_per_second: lone.rate(),
            sync_us: lone.median_us(),
            full_sync_us: full.median_us(),
        })
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} cores of {}, {}, {}, {:.0} fdatasync a second (median {:.0} us; of 44,000 bytes {:.0} us), load \
             average {:.2} before the run",
            self.cores,
            self.processor,
            self.kernel,
            self.file_system,
            self.syncs_per_second,
            self.sync_us,
            self.full_sync_us,
            self.load_average
        )
    }
}

fn processor(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, name)| name.trim().to_owned(),
    )
}

fn load_average(loadavg: &str) -> f64 {
    let first = loadavg.split_ascii_whitespace().next();
    first.and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_and_without_a_name_its_kind_is() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz\n"),
            "Fast CPU @ 2 GHz"
        );
        assert_eq!(processor("nothing"), std::env::consts::ARCH);
    }
}
