//! A crash at every step of a workload and of the recovery after it, with everything a crash may leave behind.

use super::rig::{Rig, Witness, command, creation, issue};
use coupon_app::Request;
use coupon_app::contract::coupon_id;
use coupon_app::memory::MemoryStore;
use coupon_core::{Command, TermsChange};
use ledger_journal::sim::{Fault, Keep, SimDisk};

const KEEPS: [Keep; 6] = [
    Keep::Everything,
    Keep::Synced,
    Keep::Some(1),
    Keep::Some(2),
    Keep::Some(3),
    Keep::Some(4),
];

/// What the administrators and users of three coupons do, batch by batch: one sells out, one is paused and raised, one
/// is large enough to roll into the next segments.
fn script() -> Vec<Vec<Request>> {
    let (one, two, three) = (coupon_id(1), coupon_id(2), coupon_id(3));
    let raise = TermsChange {
        quantity: Some(coupon_app::contract::quantity(9)),
        ..TermsChange::default()
    };
    let mut batches = vec![
        vec![creation(3)],
        vec![creation(5), creation(0)],
        vec![issue(one, 1), issue(one, 2), issue(one, 1)],
        vec![issue(two, 1), command(two, Command::Pause), issue(two, 2)],
        vec![issue(one, 3), issue(one, 4), issue(two, 3)],
        vec![
            command(two, Command::Resume),
            command(two, Command::Change(Box::new(raise))),
        ],
        (10..16).map(|number| issue(two, number)).collect(),
    ];
    batches.extend((0..10).map(|batch| (0..900).map(|n| issue(three, 1_000 * batch + n)).collect()));
    batches.push(vec![
        issue(one, 1),
        issue(two, 10),
        command(one, Command::Close),
        issue(one, 5),
    ]);
    batches
}

/// Runs the script until the disk dies; carries records to the store on the way.
fn run(rig: &Rig, witness: &mut Witness, script: &[Vec<Request>]) {
    for (number, batch) in script.iter().enumerate() {
        if !witness.ask(rig, batch.clone()) {
            return;
        }
        // The store follows by fits and starts, and its own steps can be the ones that the crash comes in.
        if number % 3 == 2 && rig.carry(if number % 2 == 0 { 1 } else { 5_000 }).is_err() {
            return;
        }
    }
    let _closed_or_crashed = rig.close();
}

#[test]
fn nothing_answered_is_lost_by_a_crash_at_any_step() {
    let script = script();
    let quiet = SimDisk::new(Fault::None);
    run(
        &Rig::open(&quiet, &MemoryStore::new()).unwrap(),
        &mut Witness::default(),
        &script,
    );
    let steps = quiet.steps();
    assert!(quiet.creates() >= 3, "the workload rolls into further segments");
    for step in 1..=steps {
        for keep in KEEPS {
            let (mut witness, store, disk) = (
                Witness::default(),
                MemoryStore::new(),
                SimDisk::new(Fault::CrashAtStep(step)),
            );
            if let Ok(rig) = Rig::open(&disk, &store) {
                run(&rig, &mut witness, &script);
            }
            let disk = disk.reboot(keep, Fault::None);
            let rig = Rig::open(&disk, &store);
            let rig = rig.unwrap_or_else(|error| panic!("step {step}, {keep:?}: {error}"));
            witness.examine(&rig);
            finish(rig, witness, &script);
        }
    }
}

/// The users whose answer was lost ask again; in the end everyone has a definite answer and one more life agrees.
fn finish(rig: Rig, mut witness: Witness, script: &[Vec<Request>]) {
    let issues = script.iter().map(|batch| {
        let issues = batch
            .iter()
            .filter(|request| matches!(request, Request::Issue(_)));
        issues.cloned().collect::<Vec<_>>()
    });
    for batch in issues.filter(|batch| !batch.is_empty()) {
        assert!(witness.ask(&rig, batch), "a recovered journal answers");
    }
    witness.examine(&rig);
    rig.carry(usize::MAX).unwrap();
    let rig = rig.crash(Keep::Synced).unwrap();
    witness.examine(&rig);
}

#[test]
fn a_crash_in_the_middle_of_recovery_loses_nothing_either() {
    let script = script();
    let quiet = SimDisk::new(Fault::None);
    run(
        &Rig::open(&quiet, &MemoryStore::new()).unwrap(),
        &mut Witness::default(),
        &script,
    );
    for step in 1..=quiet.steps() {
        let (mut witness, store, disk) = (
            Witness::default(),
            MemoryStore::new(),
            SimDisk::new(Fault::CrashAtStep(step)),
        );
        if let Ok(rig) = Rig::open(&disk, &store) {
            run(&rig, &mut witness, &script);
        }
        let torn = Keep::Some(step);
        for second in 1.. {
            let disk = disk.reboot(torn, Fault::CrashAtStep(second));
            let survived = Rig::open(&disk, &store).is_ok() && disk.steps() < second;
            let disk = disk.reboot(Keep::Some(second), Fault::None);
            let rig = Rig::open(&disk, &store);
            witness.examine(&rig.unwrap_or_else(|error| panic!("steps {step} and {second}: {error}")));
            if survived {
                break;
            }
        }
    }
}

#[test]
fn a_segment_stays_until_the_store_has_its_last_batch() {
    let mut witness = Witness::default();
    let mut rig = Rig::fresh();
    for batch in script() {
        assert!(witness.ask(&rig, batch));
    }
    let segments = rig.disk.creates();
    assert!(segments >= 3, "the workload rolls into further segments");
    let batches = rig.ledger.outbox().durable();
    for _ in 0..batches {
        rig.carry(1).unwrap();
        // The process dies and the kernel lives: a removal that was not synced counts too.
        rig = rig.crash(Keep::Everything).unwrap();
        witness.examine(&rig);
    }
}
