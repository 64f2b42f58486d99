//! What the command says and leaves behind, without bringing anything.

use super::*;

#[test]
fn an_unknown_program_is_named_with_those_there_are() {
    let scratch = tempfile::tempdir().unwrap();
    let options = Options {
        programs: vec!["oracle".to_owned()],
        again: false,
    };
    let error = run(&Checkout::at(scratch.path()), &options)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("no component is called oracle; there are redis-server, "),
        "{error}"
    );
}

#[test]
fn the_names_and_variables_are_those_that_the_testkit_looks_for() {
    let place = include_str!("../../../crates/coupon-testkit/src/place.rs");
    for component in COMPONENTS {
        for name in [component.program, component.variable, component.address] {
            assert!(place.contains(&format!("\"{name}\"")), "{name}");
        }
    }
    assert!(place.contains(&format!("\"{HOME_VARIABLE}\"")));
}
