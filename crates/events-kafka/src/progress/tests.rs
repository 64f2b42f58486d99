//! Offsets follow what is done, whatever the order.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const PATIENCE: Duration = Duration::from_secs(60);

fn offsets(progress: &Progress<()>) -> Vec<(i32, i64)> {
    progress
        .due()
        .iter()
        .map(|mark| (mark.partition, mark.offset))
        .collect()
}

#[test]
fn a_ticket_names_one_record_of_one_tenure() {
    let stub = Stub {
        partition: 3,
        tenure: 9,
        offset: 1 << 40,
    };
    assert_eq!(Stub::parse(&stub.text()), Some(stub));
    for wrong in ["", "1", "1.2", "1.2.3.4", "a.2.3", "1.2.x"] {
        assert_eq!(Stub::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn an_offset_waits_for_everything_below_it() {
    let now = Instant::now();
    let mut progress = Progress::default();
    // Offsets have gaps where the topic was compacted or cut.
    for offset in [10, 11, 15] {
        progress.receive(0, offset, ());
    }
    let stubs: Vec<Stub> = progress
        .take(9, now, PATIENCE)
        .into_iter()
        .map(|(stub, ())| stub)
        .collect();
    progress.done(stubs[2]);
    assert_eq!(offsets(&progress), []);
    progress.done(stubs[0]);
    assert_eq!(offsets(&progress), [(0, 11)]);
    let due = progress.due();
    progress.committed(&due);
    assert_eq!(offsets(&progress), []);
    progress.done(stubs[1]);
    progress.done(stubs[1]);
    assert_eq!(offsets(&progress), [(0, 16)]);
    assert_eq!((progress.open(), progress.out()), (0, 0));
}

#[test]
fn what_was_forgotten_with_its_partition_is_not_committed() {
    let now = Instant::now();
    let mut progress = Progress::default();
    progress.receive(0, 5, ());
    progress.receive(1, 5, ());
    let stubs = progress.take(9, now, PATIENCE);
    progress.forget(0);
    assert_eq!(progress.open(), 1);
    // It comes back, from where somebody else has left it.
    progress.receive(0, 5, ());
    for (stub, ()) in stubs {
        progress.done(stub);
    }
    assert_eq!(offsets(&progress), [(1, 6)]);
    assert_eq!(progress.take(9, now, PATIENCE).len(), 1);
}

#[test]
fn a_partition_that_goes_back_begins_anew() {
    let now = Instant::now();
    let mut progress = Progress::default();
    progress.receive(0, 8, ());
    let before = progress.take(9, now, PATIENCE);
    progress.receive(0, 3, ());
    progress.done(before[0].0);
    assert_eq!(offsets(&progress), []);
    let again = progress.take(9, now, PATIENCE);
    progress.done(again[0].0);
    assert_eq!(offsets(&progress), [(0, 4)]);
}

#[test]
fn what_stays_in_hand_too_long_is_handed_out_again_and_only_that() {
    let start = Instant::now();
    let mut progress = Progress::default();
    progress.receive(0, 1, 'a');
    progress.receive(0, 2, 'b');
    let first = progress.take(1, start, PATIENCE);
    let second = progress.take(1, start + PATIENCE / 2, PATIENCE);
    assert_eq!((first[0].1, second[0].1), ('a', 'b'));
    assert_eq!(progress.take(9, start + PATIENCE / 2, PATIENCE), []);
    assert_eq!(progress.take(9, start + PATIENCE, PATIENCE), first);
    progress.done(second[0].0);
    assert_eq!(progress.take(9, start + PATIENCE * 3 / 2, PATIENCE), []);
    assert_eq!(progress.in_hand(first[0].0), Some('a'));
    progress.done(first[0].0);
    assert_eq!(progress.in_hand(first[0].0), None);
    assert_eq!(progress.take(9, start + PATIENCE * 9, PATIENCE), []);
}

proptest! {
    #[test]
    fn a_committed_offset_never_passes_a_record_that_is_not_done(steps in proptest::collection::vec((0..5_u8, 0..3_i32, any::<prop::sample::Index>()), 1..200)) {
        let now = Instant::now();
        let mut progress = Progress::default();
        let mut next = [0_i64; 3];
        let mut open: BTreeSet<Stub> = BTreeSet::new();
        let mut stale = Vec::new();
        for (step, partition, pick) in steps {
            match step {
                0 | 1 => {
                    let at = &mut next[usize::try_from(partition).unwrap()];
                    progress.receive(partition, *at, ());
                    *at += 1;
                    open.extend(progress.take(1, now, PATIENCE).into_iter().map(|(stub, ())| stub));
                }
                2 if !open.is_empty() => {
                    let stub = *pick.get(&open.iter().collect::<Vec<_>>());
                    let stub = *stub;
                    progress.done(stub);
                    open.remove(&stub);
                }
                3 => {
                    progress.forget(partition);
                    stale.extend(open.iter().filter(|stub| stub.partition == partition));
                    open.retain(|stub| stub.partition != partition);
                }
                4 => stale.iter().for_each(|stub| progress.done(*stub)),
                _ => {}
            }
            prop_assert_eq!(progress.open(), open.len());
            for mark in progress.due() {
                prop_assert!(open.iter().all(|stub| stub.partition != mark.partition || stub.offset >= mark.offset));
            }
            if step == 2 {
                let due = progress.due();
                progress.committed(&due);
            }
        }
    }
}
