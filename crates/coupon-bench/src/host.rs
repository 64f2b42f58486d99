//! What the host of a virtual machine takes away: processor time in which this machine wanted to run and did not.
//! Measures cannot be kept free of it, so they say how much of it there was.

use serde::{Deserialize, Serialize};
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What the processors of this machine have done since it started, all together, in ticks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessorTime {
    /// Whatever became of it, idleness included.
    all: u64,
    /// Given to somebody else by the host although a processor of this machine had something to do ("steal").
    taken: u64,
}

impl ProcessorTime {
    /// `None` where the kernel does not tell.
    fn so_far() -> Option<Self> {
        parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// How much of all processor time since `earlier` the host took, in percent; `None` if no tick has passed.
    fn percent_taken_since(self, earlier: Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|ticks| *ticks > 0)?;
        let taken = self.taken.checked_sub(earlier.taken)?;
        Some(taken as f64 * 100.0 / all as f64)
    }
}

/// The first line counts all processors: user, nice, system, idle, iowait, irq, softirq, steal, and two that are parts of
/// user and nice.
fn parse(stat: &str) -> Option<ProcessorTime> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let counted = line
        .split_ascii_whitespace()
        .take(8)
        .map(|field| field.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    let taken = *counted.get(7)?;
    Some(ProcessorTime {
        all: counted.iter().sum(),
        taken,
    })
}

/// Does some work; and says how much of all processor time the host took meanwhile, in percent. Nothing where the kernel
/// does not tell, and of work that ended within one of its ticks.
pub(crate) fn meanwhile<T>(work: impl FnOnce() -> T) -> (T, Option<f64>) {
    let before = ProcessorTime::so_far();
    let done = work();
    let after = ProcessorTime::so_far();
    let percent = before
        .zip(after)
        .and_then(|(before, after)| after.percent_taken_since(before));
    (done, percent)
}

/// What the host took while something was done, in percent of all processor time. It takes in bursts, so that the whole
/// alone says little about tails.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostTook {
    /// Of the whole time.
    pub(crate) percent: f64,
    /// Of the second in which it took most.
    pub(crate) worst_second_percent: f64,
}

/// Looks every second at what the host takes, in a thread of its own, until it is ended or dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Never used: the thread ends when this does.
    end: Sender<()>,
    watching: JoinHandle<Option<HostTook>>,
}

impl Watch {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        let (end, ended) = channel();
        let watching = std::thread::spawn(move || watch(&ended));
        Self { end, watching }
    }

    /// What was taken since; `None` where the kernel does not tell.
    pub(crate) fn end(self) -> Option<HostTook> {
        drop(self.end);
        self.watching.join().ok().flatten()
    }
}

fn watch(ended: &Receiver<()>) -> Option<HostTook> {
    let mut span = Span::from(ProcessorTime::so_far()?);
    while ended.recv_timeout(SECOND) == Err(RecvTimeoutError::Timeout) {
        span.second(ProcessorTime::so_far()?);
    }
    span.took(ProcessorTime::so_far()?)
}

/// What has been seen of the host, second by second.
struct Span {
    began: ProcessorTime,
    last: ProcessorTime,
    worst_percent: f64,
}

impl Span {
    fn from(began: ProcessorTime) -> Self {
        Self {
            began,
            last: began,
            worst_percent: 0.0,
        }
    }

    /// One more second has passed.
    fn second(&mut self, now: ProcessorTime) {
        let percent = now.percent_taken_since(self.last).unwrap_or(0.0);
        self.worst_percent = self.worst_percent.max(percent);
        self.last = now;
    }

    /// What was begun after the last full second counts for the whole alone: a tick is much of a moment.
    fn took(&self, now: ProcessorTime) -> Option<HostTook> {
        let percent = now.percent_taken_since(self.began)?;
        Some(HostTook {
            percent,
            worst_second_percent: self.worst_percent.max(percent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_the_eighth_number_of_the_line_of_all_processors() {
        let all = "cpu  100 2 30 4000 50 6 7 805 99 1\n";
        let each = "cpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\nintr 7\n";
        let told = Some(ProcessorTime {
            all: 5_000,
            taken: 805,
        });
        for (stat, time) in [
            (format!("{all}{each}"), told),
            (format!("{each}{all}"), told),
            // Guests of this machine are counted in user and nice already, and older kernels know none.
            ("cpu 100 2 30 4000 50 6 7 805".to_owned(), told),
            ("cpu 100 2 30 4000 50 6 7\n".to_owned(), None),
            ("cpu 100 2 30 4000 50 6 7 some 0 0\n".to_owned(), None),
            ("cpu 100 2 -30 4000 50 6 7 805 0 0\n".to_owned(), None),
            (each.to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(&stat), time, "{stat}");
        }
    }

    fn time(all: u64, taken: u64) -> ProcessorTime {
        ProcessorTime { all, taken }
    }

    #[test]
    fn a_share_is_of_all_processor_time_since() {
        for (earlier, later, percent) in [
            (time(1_000, 10), time(1_200, 10), Some(0.0)),
            (time(1_000, 10), time(1_200, 70), Some(30.0)),
            (time(1_000, 10), time(1_000, 10), None),
            // A kernel that corrects itself downwards tells nothing.
            (time(1_000, 10), time(900, 10), None),
            (time(1_000, 10), time(1_200, 9), None),
        ] {
            assert_eq!(
                later.percent_taken_since(earlier),
                percent,
                "{earlier:?} {later:?}"
            );
        }
    }

    #[test]
    fn the_worst_second_stands_beside_the_whole() {
        let mut span = Span::from(time(0, 0));
        for (all, taken) in [(200, 0), (400, 120), (600, 130)] {
            span.second(time(all, taken));
        }
        let took = span.took(time(650, 130)).unwrap();
        assert_eq!((took.percent, took.worst_second_percent), (20.0, 60.0));
        // Less than a second in all.
        let took = Span::from(time(0, 0)).took(time(100, 7)).unwrap();
        assert_eq!((took.percent, took.worst_second_percent), (7.0, 7.0));
        assert_eq!(Span::from(time(5, 5)).took(time(5, 5)), None);
    }
}
