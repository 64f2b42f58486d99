//! What a worker holds of each partition, what of it is done, and how far offsets may be committed. No I/O.
//!
//! 1. An offset is committed only when everything below it is done.
//! 2. What was forgotten with its partition is never committed, whoever says that it is done.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Names a record while this worker has its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stub {
    pub(crate) partition: i32,
    /// Which time that this worker has the partition.
    pub(crate) tenure: u64,
    pub(crate) offset: i64,
}

impl Stub {
    /// As a ticket carries it.
    pub(crate) fn text(self) -> String {
        format!("{}.{}.{}", self.partition, self.tenure, self.offset)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let stub = Self {
            partition: parts.next()?.parse().ok()?,
            tenure: parts.next()?.parse().ok()?,
            offset: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(stub)
    }
}

/// How far one partition may be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) partition: i32,
    pub(crate) tenure: u64,
    /// The offset of the first record that is not done.
    pub(crate) offset: i64,
}

#[derive(Debug)]
enum Held<L> {
    Waiting(L),
    InHand { letter: L, since: Instant },
    Done,
}

#[derive(Debug)]
struct Tenure<L> {
    number: u64,
    held: BTreeMap<i64, Held<L>>,
    /// One above the highest offset that came.
    next: i64,
    committed: i64,
}

impl<L> Tenure<L> {
    /// The first offset that is not done.
    fn first_open(&self) -> i64 {
        let open = self.held.iter().find(|(_, held)| !matches!(held, Held::Done));
        open.map_or(self.next, |(offset, _)| *offset)
    }
}

/// Everything that one worker holds.
#[derive(Debug)]
pub(crate) struct Progress<L> {
    tenures: BTreeMap<i32, Tenure<L>>,
    last_tenure: u64,
    waiting: VecDeque<Stub>,
    /// In the order in which they were handed out.
    handed: VecDeque<(Instant, Stub)>,
    open: usize,
}

impl<L> Default for Progress<L> {
    fn default() -> Self {
        Self {
            tenures: BTreeMap::new(),
            last_tenure: 0,
            waiting: VecDeque::new(),
            handed: VecDeque::new(),
            open: 0,
        }
    }
}

impl<L: Clone> Progress<L> {
    /// A record came. If the partition goes back, because its log was cut or its offset was reset, it begins anew.
    pub(crate) fn receive(&mut self, partition: i32, offset: i64, letter: L) {
        if self
            .tenures
            .get(&partition)
            .is_some_and(|tenure| offset < tenure.next)
        {
            self.forget(partition);
        }
        let last_tenure = &mut self.last_tenure;
        let tenure = self.tenures.entry(partition).or_insert_with(|| {
            *last_tenure += 1;
            Tenure {
                number: *last_tenure,
                held: BTreeMap::new(),
                next: offset,
                committed: offset,
            }
        });
        tenure.next = offset + 1;
        tenure.held.insert(offset, Held::Waiting(letter));
        self.waiting.push_back(Stub {
            partition,
            tenure: tenure.number,
            offset,
        });
        self.open += 1;
    }

    /// The partition is somebody else's, or comes anew.
    pub(crate) fn forget(&mut self, partition: i32) {
        if let Some(tenure) = self.tenures.remove(&partition) {
            let open = tenure.held.values().filter(|held| !matches!(held, Held::Done));
            self.open -= open.count();
        }
        self.waiting.retain(|stub| stub.partition != partition);
        self.handed.retain(|(_, stub)| stub.partition != partition);
    }

    fn held(&mut self, stub: Stub) -> Option<&mut Held<L>> {
        let tenure = self.tenures.get_mut(&stub.partition)?;
        if tenure.number != stub.tenure {
            return None;
        }
        tenure.held.get_mut(&stub.offset)
    }

    /// At most `max` records to hand out at `now`: first those that have been in somebody's hands for `patience`.
    pub(crate) fn take(&mut self, max: usize, now: Instant, patience: Duration) -> Vec<(Stub, L)> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let overdue = self
                .handed
                .front()
                .is_some_and(|(since, _)| now.saturating_duration_since(*since) >= patience);
            let next = if overdue {
                self.handed.pop_front().map(|(since, stub)| (Some(since), stub))
            } else {
                self.waiting.pop_front().map(|stub| (None, stub))
            };
            let Some((handed_at, stub)) = next else { break };
            let Some(held) = self.held(stub) else { continue };
            let letter = match held {
                Held::Waiting(letter) => letter.clone(),
                Held::InHand { letter, since } if Some(*since) == handed_at => letter.clone(),
                Held::InHand { .. } | Held::Done => continue,
            };
            *held = Held::InHand {
                letter: letter.clone(),
                since: now,
            };
            self.handed.push_back((now, stub));
            taken.push((stub, letter));
        }
        taken
    }

    /// The record of a stub that is in somebody's hands.
    pub(crate) fn in_hand(&mut self, stub: Stub) -> Option<L> {
        match self.held(stub)? {
            Held::InHand { letter, .. } => Some(letter.clone()),
            Held::Waiting(_) | Held::Done => None,
        }
    }

    /// This one is done.
    pub(crate) fn done(&mut self, stub: Stub) {
        if let Some(held @ Held::InHand { .. }) = self.held(stub) {
            *held = Held::Done;
            self.open -= 1;
        }
    }

    /// How far each partition may be committed that can be committed further.
    pub(crate) fn due(&self) -> Vec<Mark> {
        let due = self.tenures.iter().map(|(partition, tenure)| {
            let mark = Mark {
                partition: *partition,
                tenure: tenure.number,
                offset: tenure.first_open(),
            };
            (mark, tenure.committed)
        });
        due.filter(|(mark, committed)| mark.offset > *committed)
            .map(|(mark, _)| mark)
            .collect()
    }

    /// These were committed.
    pub(crate) fn committed(&mut self, marks: &[Mark]) {
        for mark in marks {
            let tenure = self.tenures.get_mut(&mark.partition);
            if let Some(tenure) = tenure.filter(|tenure| tenure.number == mark.tenure) {
                tenure.committed = tenure.committed.max(mark.offset);
                tenure.held = tenure.held.split_off(&mark.offset);
            }
        }
        // Records that were done long ago leave no trace among those that were handed out.
        while let Some((_, stub)) = self.handed.front().copied() {
            if matches!(self.held(stub), Some(Held::InHand { .. })) {
                break;
            }
            self.handed.pop_front();
        }
    }

    /// How many are held and not done.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// How many have an entry here: those, and the ones that are done above one that is not.
    pub(crate) fn entries(&self) -> usize {
        self.tenures.values().map(|tenure| tenure.held.len()).sum()
    }

    /// How many are in somebody's hands.
    pub(crate) fn out(&self) -> usize {
        self.open - self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
