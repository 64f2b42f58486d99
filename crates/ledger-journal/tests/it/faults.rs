//! Disks that fail without crashing: poison, a full disk, and what the next life makes of it.

use super::rig::{Rig, Witness, creation, first, issue};
use coupon_app::memory::MemoryStore;
use coupon_app::{Health, IssueLedger, LedgerError, Reason};
use coupon_core::Outcome;
use ledger_journal::sim::{Fault, Keep, SimDisk};

/// Two batches that are answered, then one into which the fault comes.
fn until_the_fault(fault: Fault, witness: &mut Witness) -> (Rig, MemoryStore) {
    let store = MemoryStore::new();
    let rig = Rig::open(&SimDisk::new(Fault::None), &store).unwrap();
    assert!(witness.ask(&rig, vec![creation(100)]));
    assert!(witness.ask(&rig, vec![issue(first(), 1), issue(first(), 2)]));
    let (writes, syncs) = (rig.disk.writes(), rig.disk.syncs());
    rig.disk.set_fault(match fault {
        Fault::FailWrite { nth, after_bytes } => Fault::FailWrite {
            nth: writes + nth,
            after_bytes,
        },
        Fault::FailSync(nth) => Fault::FailSync(syncs + nth),
        Fault::None | Fault::CrashAtStep(_) | Fault::FullAtCreate(_) => fault,
    });
    (rig, store)
}

fn failures() -> Vec<Fault> {
    let partly = [0, 1, 35, 36, 512, 600].map(|after_bytes| Fault::FailWrite { nth: 1, after_bytes });
    partly.into_iter().chain([Fault::FailSync(1)]).collect()
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_written_or_answered_any_more() {
    for fault in failures() {
        let mut witness = Witness::default();
        let (rig, _store) = until_the_fault(fault, &mut witness);
        let answers = rig.commit(vec![issue(first(), 3), issue(first(), 1)]);
        for answer in answers {
            assert!(
                matches!(answer, Err(LedgerError::Indeterminate(_))),
                "{fault:?}: {answer:?}"
            );
        }
        assert_eq!(
            rig.board.get(first()).unwrap().issued,
            2,
            "{fault:?}: the board shows only what is durable"
        );
        rig.disk.set_fault(Fault::None);
        let (writes, syncs) = (rig.disk.writes(), rig.disk.syncs());
        for _ in 0..3 {
            let answer = rig.issue(first(), 4);
            assert!(
                matches!(answer, Err(LedgerError::Unavailable(Reason::Poisoned))),
                "{fault:?}: {answer:?}"
            );
        }
        assert!(matches!(rig.ledger.health(), Health::NotReady(_)));
        assert!(
            rig.close().is_err(),
            "a poisoned journal does not pretend to close well"
        );
        assert_eq!(
            (rig.disk.writes(), rig.disk.syncs()),
            (writes, syncs),
            "{fault:?}: no retry, no vouching"
        );
    }
}

#[test]
fn the_next_life_knows_what_became_of_an_indeterminate_issue_and_keeps_it_through_a_power_cut() {
    for fault in failures() {
        for keep in [Keep::Everything, Keep::Synced, Keep::Some(1), Keep::Some(2)] {
            let mut witness = Witness::default();
            let (rig, _store) = until_the_fault(fault, &mut witness);
            // Larger than a sector: what is written next to it must not happen to write it again.
            let crowd: Vec<_> = (3..43).map(|number| issue(first(), number)).collect();
            assert!(!witness.ask(&rig, crowd.clone()));
            let rig = rig.crash(keep).unwrap();
            witness.examine(&rig);
            // Asked again, the user learns the truth; and the truth must be durable, although the kernel may think
            // that the pages of the failed sync are clean.
            assert!(witness.ask(&rig, crowd));
            let rig = rig.crash(Keep::Synced).unwrap();
            witness.examine(&rig);
        }
    }
}

#[test]
fn a_full_disk_refuses_without_side_effects_and_goes_on_when_there_is_room() {
    let rig = Rig::fresh();
    let coupon = rig.create(0);
    rig.disk.set_fault(Fault::FullAtCreate(0));
    let mut issued = 0;
    let refused = (0..100_000).find_map(|number| match rig.issue(coupon, number) {
        Ok(Outcome::Issued(_)) => {
            issued += 1;
            None
        }
        other => Some((number, other)),
    });
    let (number, answer) = refused.expect("the segment is full at some time");
    assert!(issued > 100, "the prepared segment was used first");
    assert!(
        matches!(answer, Err(LedgerError::Unavailable(Reason::Adapter(_)))),
        "{answer:?}"
    );
    assert!(matches!(rig.ledger.health(), Health::NotReady(_)));
    assert_eq!(rig.positions_after_refusal(coupon), issued, "nothing happened");
    rig.disk.set_fault(Fault::None);
    let Ok(Outcome::Issued(grant)) = rig.issue(coupon, number) else {
        panic!("there is room again")
    };
    assert_eq!(
        usize::try_from(grant.position.get()).unwrap(),
        issued + 1,
        "no position was used up"
    );
    assert_eq!(rig.ledger.health(), Health::Ready);
    let rig = rig.crash(Keep::Synced).unwrap();
    assert_eq!(rig.positions(coupon).len(), issued + 1);
}

impl Rig {
    fn positions_after_refusal(&self, coupon: coupon_core::CouponId) -> usize {
        usize::try_from(self.board.get(coupon).unwrap().issued).unwrap()
    }
}
