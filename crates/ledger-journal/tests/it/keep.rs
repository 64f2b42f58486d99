//! Small files, kept through a crash at every step.

use ledger_journal::keep;
use ledger_journal::sim::{Fault, Keep, SimDisk};

const KEEPS: [Keep; 4] = [Keep::Everything, Keep::Synced, Keep::Some(1), Keep::Some(2)];

#[test]
fn a_small_file_is_the_old_one_or_the_new_one_after_a_crash_at_any_step_and_the_new_one_when_it_was_kept() {
    let (old, new) = (vec![b'o'; 64], vec![b'n'; 65]);
    let whole = SimDisk::new(Fault::None);
    keep(&whole, "secret", &old).unwrap();
    let before = whole.steps();
    keep(&whole, "secret", &new).unwrap();
    let steps = whole.steps() - before;
    assert!(steps >= 4, "a creation, a write, a sync and a name: {steps}");
    let mut outcomes = [0, 0];
    for left in KEEPS {
        for step in 1..=steps + 1 {
            let disk = SimDisk::new(Fault::None);
            keep(&disk, "secret", &old).unwrap();
            disk.set_fault(Fault::CrashAtStep(before + step));
            let kept = keep(&disk, "secret", &new).is_ok();
            assert_eq!(kept, step > steps, "{left:?}, step {step}");
            let found = disk.reboot(left, Fault::None).bytes("secret");
            let is_new = found.as_ref() == Some(&new);
            assert!(
                is_new || found.as_ref() == Some(&old),
                "{left:?}, step {step}: {found:?}"
            );
            assert!(is_new || !kept, "{left:?}: it was called kept");
            outcomes[usize::from(is_new)] += 1;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}
