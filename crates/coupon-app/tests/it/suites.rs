//! A case that no macro lists would never run.

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// The names of the functions in `source` that take a harness.
fn cases(source: &str) -> Vec<String> {
    let functions = source.split("\npub fn ").skip(1);
    functions
        .filter_map(|function| {
            let (name, rest) = function.split_once('(')?;
            rest.trim_start().starts_with("harness").then(|| name.to_owned())
        })
        .collect()
}

#[test]
fn every_case_is_listed_by_the_macro_of_its_suite() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
    let mut count = 0;
    for suite in ["ledger", "combiner", "store", "desk", "redemption", "addresses"] {
        let listed = std::fs::read_to_string(contract.join(suite).with_extension("rs")).unwrap();
        let listed: Vec<&str> = listed.lines().map(str::trim).collect();
        for file in sources(&contract.join(suite)) {
            for case in cases(&std::fs::read_to_string(&file).unwrap()) {
                assert!(listed.contains(&case.as_str()), "{suite} does not list {case}");
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} cases were found");
}
