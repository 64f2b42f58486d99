//! The harness on a small workspace of its own, with a patch for each verdict it can give.

use std::fs;
use std::path::Path;

use super::*;

const LIB: &str = "//! Small.

/// Whether one more may be given out.
pub fn may_issue(issued: u32, quantity: u32) -> bool {
    issued < quantity
}

/// Counts up.
pub fn next(position: u32) -> u32 {
    let next = position + 1;
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_goes_out_and_no_more() {
        assert!(may_issue(9, 10));
        assert!(!may_issue(10, 10));
    }

    #[test]
    fn positions_count_up() {
        assert!(next(1) > 1);
    }
}
";

/// A patch that replaces one line, found by its number; the lines around it are the context.
fn patch(header: &str, number: usize, replacement: &str) -> String {
    let lines: Vec<&str> = LIB.lines().collect();
    let at = number - 1;
    format!(
        "{header}--- a/crates/stock/src/lib.rs\n+++ b/crates/stock/src/lib.rs\n@@ -{},3 +{},3 @@\n {}\n-{}\n+{replacement}\n {}\n",
        number - 1,
        number - 1,
        lines[at - 1],
        lines[at],
        lines[at + 1],
    )
}

fn header(test: &str) -> String {
    format!("# bug: For the harness.\n# caught-by: -p stock {test}\n# invariant: I1\n")
}

/// The line in which the quantity is compared, and the one in which the position is counted.
const COMPARES: usize = 5;
const COUNTS: usize = 10;
/// Counts for ever.
const HANG: &str = "    let next = loop { if position > 1 { break position } };";

fn workspace(patches: &[(&str, String)]) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = scratch.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n",
    );
    let manifest = "[package]\nname = \"stock\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    write("crates/stock/Cargo.toml", manifest);
    write("crates/stock/src/lib.rs", LIB);
    for (name, text) in patches {
        write(&format!("planted/{name}.patch"), text);
    }
    scratch
}

/// Tries everything planted; answers with name, verdict and text.
fn verdicts(root: &Path, jobs: usize, limit: Duration) -> Vec<(String, &'static str, String)> {
    let checkout = Checkout::at(root);
    let plants = chosen(&checkout, &[]).unwrap();
    let tried = try_all(
        &checkout,
        &plants,
        jobs,
        Limits::tests(limit),
        &Terminal::stdout(),
    )
    .unwrap();
    tried
        .iter()
        .map(|tried| {
            (
                tried.plant.name.clone(),
                tried.verdict.name(),
                tried.verdict.text(),
            )
        })
        .collect()
}

#[test]
fn each_verdict_is_given_where_it_is_due() {
    let stock = header("the_last_one");
    let scratch = workspace(&[
        ("a-caught", patch(&stock, COMPARES, "    issued <= quantity")),
        (
            "b-survives",
            patch(&header("positions"), COMPARES, "    issued <= quantity"),
        ),
        (
            "c-does-not-compile",
            patch(&stock, COMPARES, "    issued < \"ten\""),
        ),
        (
            "d-does-not-apply",
            patch(&stock, COMPARES, "x").replace("issued < quantity", "issued == quantity"),
        ),
        (
            "e-no-such-test",
            patch(&header("no_such_test"), COMPARES, "    issued <= quantity"),
        ),
        (
            "f-hangs",
            patch(&format!("{}# expect: hang\n", header("positions")), COUNTS, HANG),
        ),
        (
            "h-aborts",
            patch(&stock, COMPARES, "    issued < quantity || std::process::abort()"),
        ),
        (
            "i-one-of-two",
            patch(
                &format!("{stock}# caught-by: -p stock positions\n"),
                COMPARES,
                "    issued <= quantity",
            ),
        ),
    ]);
    // Room enough for a first run on a busy machine; the one that hangs uses it up.
    let verdicts = verdicts(scratch.path(), 1, Duration::from_secs(10));
    let names: Vec<(&str, &str)> = verdicts
        .iter()
        .map(|(name, verdict, _)| (name.as_str(), *verdict))
        .collect();
    let expected = [
        ("a-caught", "caught"),
        ("b-survives", "survived"),
        ("c-does-not-compile", "invalid"),
        ("d-does-not-apply", "invalid"),
        ("e-no-such-test", "invalid"),
        ("f-hangs", "caught"),
        ("h-aborts", "caught"),
        ("i-one-of-two", "survived"),
    ];
    assert_eq!(names, expected, "{verdicts:#?}");
    assert!(
        verdicts[0].2.contains("the_last_one_goes_out_and_no_more"),
        "{verdicts:#?}"
    );
    assert!(verdicts[2].2.contains("mismatched types"), "{verdicts:#?}");
    assert!(verdicts[3].2.contains("does not apply"), "{verdicts:#?}");
    assert!(verdicts[4].2.contains("no test has such a name"), "{verdicts:#?}");
    assert!(verdicts[5].2.contains("hang of"), "{verdicts:#?}");
    assert!(verdicts[6].2.contains("SIGABRT"), "{verdicts:#?}");
    assert_eq!(
        fs::read_to_string(scratch.path().join("crates/stock/src/lib.rs")).unwrap(),
        LIB
    );
    let copy = scratch.path().join("target/planted/tree/crates/stock/src/lib.rs");
    assert_eq!(fs::read_to_string(copy).unwrap(), LIB);
}

#[test]
fn a_hang_that_the_header_does_not_expect_is_no_catch() {
    let scratch = workspace(&[("a", patch(&header("positions"), COUNTS, HANG))]);
    let verdicts = verdicts(scratch.path(), 1, Duration::from_secs(10));
    assert_eq!(verdicts[0].1, "survived");
    assert!(verdicts[0].2.contains("hung"), "{verdicts:#?}");
}

#[test]
fn two_lanes_share_the_bugs() {
    let stock = header("the_last_one");
    let scratch = workspace(&[
        ("a", patch(&stock, COMPARES, "    issued <= quantity")),
        ("b", patch(&stock, COMPARES, "    issued != quantity + 1")),
        (
            "c",
            patch(&stock, COMPARES, "    quantity > 99 && issued < quantity"),
        ),
    ]);
    let verdicts = verdicts(scratch.path(), 2, Duration::from_secs(60));
    assert!(
        verdicts.iter().all(|(_, verdict, _)| *verdict == "caught"),
        "{verdicts:#?}"
    );
    assert_eq!(verdicts.len(), 3);
}

#[test]
fn tests_that_are_red_without_the_bug_catch_nothing() {
    let scratch = workspace(&[(
        "a",
        patch(&header("the_last_one"), COUNTS, "    let next = position;"),
    )]);
    let lib = scratch.path().join("crates/stock/src/lib.rs");
    fs::write(&lib, LIB.replace("issued < quantity", "issued <= quantity")).unwrap();
    let verdicts = verdicts(scratch.path(), 1, Duration::from_secs(60));
    assert_eq!(verdicts[0].1, "invalid");
    assert!(verdicts[0].2.contains("fails without the bug"), "{verdicts:#?}");
}

#[test]
fn the_check_names_patches_that_no_longer_apply_or_say_nothing() {
    let good = patch(&header("x"), COMPARES, "    issued <= quantity");
    let scratch = workspace(&[
        ("a", good.clone()),
        ("b", good.replace("issued < ", "given < ")),
        ("c", "no header\n".into()),
    ]);
    let report = check(&Checkout::at(scratch.path())).unwrap();
    assert_eq!(report.errors.len(), 2, "{:?}", report.errors);
    assert!(
        report.errors[0].starts_with("b does not apply"),
        "{:?}",
        report.errors
    );
    assert!(report.errors[1].contains("c.patch"), "{:?}", report.errors);
}

#[test]
fn the_copy_is_put_back_whatever_was_done_to_it() {
    let scratch = workspace(&[]);
    let checkout = Checkout::at(scratch.path());
    let bed = Bed::prepare(&checkout, 0).unwrap();
    let tree = scratch.path().join("target/planted/tree");
    fs::write(tree.join("crates/stock/src/lib.rs"), "changed").unwrap();
    fs::remove_file(tree.join("Cargo.toml")).unwrap();
    fs::create_dir_all(tree.join("crates/stock/proptest-regressions")).unwrap();
    fs::write(tree.join("crates/stock/proptest-regressions/lib.txt"), "cc 1").unwrap();
    bed.restore().unwrap();
    assert_eq!(
        fs::read_to_string(tree.join("crates/stock/src/lib.rs")).unwrap(),
        LIB
    );
    assert!(tree.join("Cargo.toml").exists());
    assert!(!tree.join("crates/stock/proptest-regressions").exists());
}
