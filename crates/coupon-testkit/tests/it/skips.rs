//! What is said about a component that is not to be had.

use std::process::{Command, Output};

const ROLE: &str = "COUPON_TESTKIT_TEST_ROLE";

/// Runs one test of this binary on a machine that has no server at all.
fn on_a_bare_machine(test: &str, ci: &str) -> Output {
    let nothing = tempfile::tempdir().unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env_remove(ROLE)
        .env_remove("FIRSTCOME_TEST_REDIS_SERVER")
        .env("PATH", nothing.path())
        .env("FIRSTCOME_TEST_SERVERS", nothing.path())
        .env("CI", ci)
        .output()
        .unwrap()
}

#[test]
fn a_test_without_its_server_passes_and_says_that_it_was_skipped() {
    let output = on_a_bare_machine("redis::redis_answers", "");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said
        .lines()
        .find(|line| line.starts_with("coupon-testkit skips "));
    let expected =
        "coupon-testkit skips redis::redis_answers: no redis-server: `cargo xtask servers` brings it, ";
    assert!(line.unwrap().starts_with(expected), "{said}");
}

#[test]
fn in_ci_a_test_without_its_server_fails() {
    let output = on_a_bare_machine("redis::redis_answers", "true");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no redis-server"), "{said}");
}

#[test]
fn a_variable_that_names_no_program_is_a_failure_and_no_skip() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redis::redis_answers"])
        .env("FIRSTCOME_TEST_REDIS_SERVER", "no/such/program")
        .env_remove("CI")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("names no/such/program, which is no program"),
        "{said}"
    );
}
