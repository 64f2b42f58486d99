//! Finds the position of a user among millions, by hash: eight bytes an entry, most often one line of cache a search.
//!
//! Many small tables, split one at a time as they fill (linear hashing: Litwin, VLDB 1980), so that no single issue ever
//! pays for moving millions. A table is an open hash table whose places are lines of cache, eight entries each, filled
//! from the front; what does not fit into its line goes into the next (Knuth 6.4, linear probing with buckets). Nothing is
//! ever removed, so a search ends at the first line that is not full. The line that a search reads is the line that an
//! insertion writes: whoever has touched it ahead waits for memory neither time.

/// Entries a line: 64 bytes, a line of cache on every processor of today's servers.
const LINE: usize = 8;
/// Entries per table, on average, at which one table is split.
const SPLIT_AT: usize = 1_024;
/// A table grows when of its places this share, in sixteenths, is taken: above, searches run on into further lines.
const FULL_SIXTEENTHS: usize = 13;

/// Positions of one coupon by their users' hashes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tables: Vec<Table>,
    entries: usize,
}

impl Index {
    /// The position among those with this hash that `holds`.
    pub(crate) fn find(&self, hash: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
        self.tables.get(self.table(hash))?.find(hash, holds)
    }

    /// Reads the line that [`Index::find`] and [`Index::insert`] will need, so that it is near by then. The number says
    /// nothing.
    pub(crate) fn touch(&self, hash: u32) -> u64 {
        let table = self.tables.get(self.table(hash));
        table.map_or(0, |table| table.lines[table.home(hash)].0[0])
    }

    /// Adds a position, counted from one.
    pub(crate) fn insert(&mut self, hash: u32, position: u32) {
        if self.entries >= SPLIT_AT * self.tables.len() {
            self.split();
        }
        let table = self.table(hash);
        self.tables[table].insert(Entry::new(hash, position));
        self.entries += 1;
    }

    /// Which table a hash lives in: by its low bits, one more of them for tables already split in this round.
    fn table(&self, hash: u32) -> usize {
        let tables = self.tables.len();
        let round = tables.next_power_of_two();
        let wide = to_usize(hash) & (round - 1);
        if wide < tables { wide } else { wide - round / 2 }
    }

    /// Adds a table and moves to it what now belongs there, all from one other table.
    fn split(&mut self) {
        let added = self.tables.len();
        self.tables.push(Table::with_room(0));
        if added == 0 {
            return;
        }
        let from = added - (1 << added.ilog2());
        let old = std::mem::replace(&mut self.tables[from], Table::with_room(0));
        let stay = old
            .entries()
            .filter(|entry| self.table(entry.hash()) == from)
            .count();
        let (mut stays, mut goes) = (Table::for_now(stay), Table::for_now(old.taken - stay));
        for entry in old.entries() {
            if self.table(entry.hash()) == from {
                stays.put(entry);
            } else {
                goes.put(entry);
            }
        }
        self.tables[from] = stays;
        self.tables[added] = goes;
    }

    #[cfg(test)]
    pub(crate) fn tables(&self) -> usize {
        self.tables.len()
    }
}

/// The hash in the upper half, the position in the lower. Positions count from one, so that none is zero.
#[derive(Clone, Copy, Debug)]
struct Entry(u64);

impl Entry {
    fn new(hash: u32, position: u32) -> Self {
        debug_assert_ne!(position, 0, "positions count from one");
        Self(u64::from(hash) << 32 | u64::from(position))
    }

    fn hash(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    fn position(self) -> u32 {
        self.0 as u32
    }
}

/// Zero where nothing is.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([u64; LINE]);

impl Line {
    fn is_full(&self) -> bool {
        self.0[LINE - 1] != 0
    }
}

#[derive(Debug)]
struct Table {
    lines: Box<[Line]>,
    taken: usize,
}

impl Table {
    /// An empty one that takes so many entries before it grows.
    fn with_room(entries: usize) -> Self {
        let lines = (entries * 16).div_ceil(LINE * FULL_SIXTEENTHS).max(1);
        Self {
            lines: vec![Line::default(); lines].into_boxed_slice(),
            taken: 0,
        }
    }

    /// An empty one for so many entries and nearly half as many to come: a table doubles before it is split, and so it
    /// grows once in between. By less at a time, entries would be moved more often; by more, more places would stand
    /// empty.
    fn for_now(entries: usize) -> Self {
        Self::with_room(entries + entries * 7 / 16 + 1)
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let places = self.lines.iter().flat_map(|line| line.0);
        places.filter(|entry| *entry != 0).map(Entry)
    }

    /// The line where a search begins. The kept 32 bits are spread over 64 (Fibonacci hashing, Knuth 6.4): the low ones,
    /// which all entries of a table have in common, choose nothing, and every bit has a say in the upper half of the
    /// product, which is scaled to the lines.
    fn home(&self, hash: u32) -> usize {
        let product = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let upper =
            usize::try_from(product >> 32).expect("a usize holds 32 bits on every machine this runs on");
        (upper * self.lines.len()) >> 32
    }

    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }

    fn find(&self, hash: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let line = &self.lines[at];
            // All eight are looked at without a branch; almost always none has the hash.
            let mut same = 0_u32;
            for (place, entry) in line.0.iter().enumerate() {
                same |= u32::from(Entry(*entry).hash() == hash) << place;
            }
            while same != 0 {
                let entry = Entry(line.0[to_usize(same.trailing_zeros())]);
                // An empty place has the hash zero, and no position.
                if entry.0 != 0 && holds(entry.position()) {
                    return Some(entry.position());
                }
                same &= same - 1;
            }
            if !line.is_full() {
                return None;
            }
            at = self.after(at);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if (self.taken + 1) * 16 > self.lines.len() * LINE * FULL_SIXTEENTHS {
            let mut larger = Self::for_now(self.taken);
            for entry in self.entries() {
                larger.put(entry);
            }
            *self = larger;
        }
        self.put(entry);
    }

    /// Puts an entry where there is room for it.
    fn put(&mut self, entry: Entry) {
        let mut at = self.home(entry.hash());
        while self.lines[at].is_full() {
            at = self.after(at);
        }
        let line = &mut self.lines[at];
        let place = line.0.iter().filter(|entry| **entry != 0).count();
        line.0[place] = entry.0;
        self.taken += 1;
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).expect("a usize holds 32 bits on every machine this runs on")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads numbers over 32 bits, each to another.
    fn hash(number: u32) -> u32 {
        (number ^ number >> 16).wrapping_mul(0x045d_9f3b)
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else_at_every_size() {
        let mut index = Index::default();
        for position in 1..=20_000 {
            assert_eq!(index.find(hash(position), |_| true), None, "{position} is new");
            index.insert(hash(position), position);
            if position < 40 || position % 997 == 0 {
                for earlier in 1..=position {
                    assert_eq!(index.find(hash(earlier), |found| found == earlier), Some(earlier));
                }
            }
        }
        assert!(index.tables() >= 19, "the index has split");
        let kept = index.tables.iter().map(|table| table.entries().count());
        assert_eq!(index.entries, kept.sum::<usize>());
    }

    #[test]
    fn users_whose_hashes_are_the_same_are_told_apart_by_who_holds() {
        let mut index = Index::default();
        for same in [0, 7, u32::MAX] {
            for position in 1..=100 {
                index.insert(same, position);
            }
            for position in 1..=100 {
                assert_eq!(
                    index.find(same, |found| found == position),
                    Some(position),
                    "hash {same}"
                );
            }
            assert_eq!(index.find(same, |_| false), None);
        }
        assert_eq!(index.find(8, |_| true), None);
    }

    #[test]
    fn entries_of_one_table_do_not_crowd_into_one_corner_of_it() {
        // With 4,096 tables the entries of one have their low twelve bits in common.
        let table = Table::with_room(1_024);
        let homes: std::collections::HashSet<usize> = (0..1_024u32)
            .map(|n| table.home(n.wrapping_mul(0x9e37_79b9) << 12 | 0x2a5))
            .collect();
        assert!(
            homes.len() > table.lines.len() * 9 / 10,
            "1,024 entries share {} of {} lines",
            homes.len(),
            table.lines.len()
        );
    }

    #[test]
    fn a_table_is_neither_crowded_nor_empty() {
        let mut index = Index::default();
        for position in 1..=1_000_000 {
            index.insert(hash(position), position);
        }
        let places: usize = index.tables.iter().map(|table| table.lines.len() * LINE).sum();
        let bytes = places * 8 / 1_000_000;
        assert!((9..=12).contains(&bytes), "{bytes} bytes an entry");
        let longest = index.tables.iter().map(longest_run).max();
        assert!(longest < Some(30), "a search reads {longest:?} lines");
    }

    /// The longest run of full lines in a table.
    fn longest_run(table: &Table) -> usize {
        let runs = table.lines.split(|line| !line.is_full());
        runs.map(<[Line]>::len).max().unwrap_or(0)
    }
}
