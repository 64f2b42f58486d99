//! What a process has used, as the kernel counts it.

use anyhow::Context as _;
use std::time::Duration;

/// Processor time and memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// In user and kernel mode, of all its threads, those that have ended too.
    pub(crate) cpu: Duration,
    /// Resident now.
    pub(crate) resident_bytes: u64,
}

impl Usage {
    /// Of the process with this id.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{name}"))
                .with_context(|| format!("cannot read {name} of process {pid}"))
        };
        Ok(Self {
            cpu: cpu(&read("stat")?, rustix::param::clock_ticks_per_second())
                .context("an unreadable stat")?,
            resident_bytes: resident(&read("status")?).context("an unreadable status")?,
        })
    }

    /// Of this process.
    pub(crate) fn of_this() -> anyhow::Result<Self> {
        Self::of(std::process::id())
    }
}

/// utime and stime are the 14th and 15th field; the second one, the name, may contain anything but ends with the last
/// parenthesis.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64(
        (user + system) as f64 / ticks_per_second as f64,
    ))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 100";
        assert_eq!(cpu(stat, 100), Some(Duration::from_secs(2)));
        assert_eq!(cpu("17 (cut", 100), None);
    }

    #[test]
    fn resident_memory_is_told_in_bytes() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"),
            Some(2 << 20)
        );
        assert_eq!(resident("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of_this().unwrap();
        assert!(usage.resident_bytes > 1 << 20);
    }
}
