//! The whole command on small workspaces: one in order, one in which several things are wrong.

use std::path::Path;

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A workspace of one crate without dependencies.
fn workspace(lib: &str) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    write(
        root,
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n",
    );
    write(
        root,
        "crates/coupon-core/Cargo.toml",
        "[package]\nname = \"coupon-core\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    write(root, "crates/coupon-core/src/lib.rs", lib);
    write(
        root,
        "deny.toml",
        "licenses = { allow = [] }\nbans = { deny = [] }\n",
    );
    scratch
}

/// Runs the steps and answers with the totals in `test.json` and whether the command was content.
fn run_in(scratch: &tempfile::TempDir, only: &[Step]) -> (bool, serde_json::Value) {
    let checkout = Checkout::at(scratch.path());
    let options = Options {
        only: only.to_vec(),
        packages: Vec::new(),
        json: false,
    };
    let content = run(&checkout, &options).unwrap();
    let document = fs::read(scratch.path().join("target/xtask/test.json")).unwrap();
    (content, serde_json::from_slice(&document).unwrap())
}

/// Clippy is left out: not every toolchain that runs the tests brings it.
const STEPS: &[Step] = &[
    Step::Tidy,
    Step::Arrows,
    Step::Licences,
    Step::Planted,
    Step::Tests,
    Step::Doc,
];

#[test]
fn a_workspace_in_order_is_counted_and_passes() {
    let scratch = workspace(
        "//! Small.\n\n/// One.\n///\n/// ```\n/// assert_eq!(coupon_core::one(), 1);\n/// ```\npub fn one() -> u32 {\n    1\n}\n\n\
         #[test]\nfn it_is_one() {\n    assert_eq!(one(), 1);\n}\n\n\
         #[test]\n#[ignore = \"needs two machines\"]\nfn it_is_one_elsewhere() {}\n",
    );
    let (content, document) = run_in(&scratch, STEPS);
    assert!(content, "{document:#}");
    // Five checks, one test, one documentation test.
    assert_eq!(document["passed"], 7, "{document:#}");
    assert_eq!(document["failed"], 0);
    assert_eq!(document["skipped"], 1);
    assert!(
        document["steps"][4]["skips"][0]
            .as_str()
            .unwrap()
            .ends_with("needs two machines")
    );
}

#[test]
fn after_a_failing_step_the_others_still_run() {
    let scratch = workspace(
        "//! Small.\n\n#[test]\nfn good() {}\n\n#[test]\nfn bad() {\n    panic!(\"said why\"); \n}\n\n\
         /// [`nowhere`]\npub fn two() {}\n",
    );
    let (content, document) = run_in(&scratch, STEPS);
    assert!(!content);
    let failed: Vec<(&str, u64)> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["failed"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("tidy", 1),
        ("arrows", 0),
        ("licences", 0),
        ("planted", 0),
        ("tests", 1),
        ("doc", 1),
    ];
    assert_eq!(failed, expected, "{document:#}");
    let output = document["steps"][4]["failures"][0]["output"].to_string();
    assert!(output.contains("said why"), "{output}");
}

#[test]
fn tests_that_do_not_build_are_one_failure_with_the_compilers_words() {
    let scratch = workspace("//! Small.\n\npub fn f() -> u32 {}\n");
    let (content, document) = run_in(&scratch, &[Step::Tests]);
    assert!(!content);
    assert_eq!(document["failed"], 1, "{document:#}");
    assert!(
        document["steps"][0]["failures"][0]["output"]
            .to_string()
            .contains("mismatched types"),
        "{document:#}"
    );
}

#[test]
fn the_closing_line_has_exactly_one_shape() {
    let totals = Totals {
        passed: 412,
        failed: 0,
        skipped: 3,
    };
    assert_eq!(totals.to_string(), "412 passed, 0 failed, 3 skipped");
}
