//! The reference office of dead letters sits the exam.

use coupon_app::DeadLetter;
use coupon_app::contract::dead_letter::{
    letters_are_looked_after_from_the_front, letters_of_several_offices_are_one_list,
};
use coupon_app::contract::run;
use coupon_app::memory::MemoryLetters;
use std::sync::Arc;

fn letters(whole: &[bool]) -> MemoryLetters {
    let office = MemoryLetters::new();
    for whole in whole {
        office.keep(DeadLetter {
            name: "".into(),
            why: "it is no event".to_owned(),
            origin: "a topic".to_owned(),
            group: "store".to_owned(),
            whole: *whole,
            contents: None,
        });
    }
    office
}

#[test]
fn the_reference_looks_after_letters_from_the_front() {
    run(async {
        let office = letters(&[true, true, true, false, true, true]);
        let sent = letters_are_looked_after_from_the_front(Arc::new(office.clone())).await;
        assert_eq!((sent, office.brought().len()), (4, 4));
    });
}

#[test]
fn offices_stand_beside_each_other() {
    run(async {
        let (one, two) = (letters(&[true; 3]), letters(&[true; 2]));
        letters_of_several_offices_are_one_list(Arc::new(one), Arc::new(two)).await;
    });
}
