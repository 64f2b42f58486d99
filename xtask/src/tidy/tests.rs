//! Every rule in one table: a snippet that it must find, beside one that it must leave alone.

use std::collections::BTreeSet;

use super::*;

/// A file of a made-up tree.
type Snippet = (&'static str, &'static str);

/// Rule, files, expected findings of that rule (errors and warnings).
const CASES: &[(&str, &[Snippet], usize)] = &[
    (
        "security-test",
        &[
            (
                "docs/SECURITY.md",
                "| 1.2.3 | a | `what_is_so_is_so` |\n| 1.2.4 | b | `auth/a.rs` |\n\nand `what_was_so_is_gone`\n",
            ),
            ("crates/x/src/a.rs", "//! A.\nfn what_was_so_is_gone() {}\n"),
            ("crates/x/tests/it/a.rs", "//! A.\nfn what_is_so_is_so() {}\n"),
        ],
        2,
    ),
    (
        "security-test",
        &[
            (
                "docs/SECURITY.md",
                "| row | tests |\n|---|---|\n| 1.2.3 | `what_is_so_is_so`, `a_case_is_a_test`, `a_unit_is_a_test` |\n",
            ),
            (
                "crates/y/src/contract/a.rs",
                "//! A.\npub fn a_case_is_a_test(h: &mut H) {}\n",
            ),
            (
                "crates/y/src/b.rs",
                "//! B.\n#[cfg(test)]\nmod tests {\n    fn a_unit_is_a_test() {}\n}\n",
            ),
            ("crates/x/tests/it/a.rs", "//! A.\nfn what_is_so_is_so() {}\n"),
        ],
        0,
    ),
    ("opening", &[("crates/x/src/lib.rs", "fn f() {}\n")], 1),
    ("opening", &[("crates/x/src/lib.rs", "// For x.\n")], 1),
    (
        "opening",
        &[("crates/x/src/lib.rs", "//! For x.\n"), ("a.sql", "select 1;\n")],
        0,
    ),
    ("module-name", &[("crates/x/src/utils.rs", "//! X.\n")], 1),
    ("module-name", &[("crates/x/src/common/mod.rs", "//! X.\n")], 1),
    (
        "module-name",
        &[(
            "crates/x/src/lib.rs",
            "//! X.\nmod helper {}\npub(crate) mod misc;\n",
        )],
        2,
    ),
    (
        "module-name",
        &[("crates/x/src/baseline.rs", "//! X.\nmod utilisation;\n")],
        0,
    ),
    (
        "unfinished",
        &[(
            "crates/x/src/a.rs",
            "fn f() { todo!() }\nfn g() { unimplemented!(); }\ndbg!(x);\n",
        )],
        3,
    ),
    (
        "unfinished",
        &[(
            "crates/x/src/a.rs",
            "// todo!\nfn f() { g(\"dbg!\"); undbg!() }\n",
        )],
        0,
    ),
    (
        "later",
        &[(
            "crates/x/src/a.rs",
            "// TODO: more\n/* FIXME */ fn f() {} // XXX\n",
        )],
        2,
    ),
    ("later", &[("deploy/a.sql", "-- TODO\n")], 1),
    (
        "later",
        &[("crates/x/src/a.rs", "const A: &str = \"TODO\"; // TODOS\n")],
        0,
    ),
    (
        "ignored-test",
        &[("crates/x/tests/a.rs", "#[test]\n#[ignore]\nfn f() {}\n")],
        1,
    ),
    (
        "ignored-test",
        &[(
            "crates/x/tests/a.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n",
        )],
        0,
    ),
    (
        "allow",
        &[(
            "crates/x/src/a.rs",
            "#[allow(dead_code)]\n#![allow (x)]\n#[cfg_attr(y, allow(z))]\n",
        )],
        3,
    ),
    (
        "allow",
        &[(
            "crates/x/src/a.rs",
            "#[expect(x, reason = \"allow(y)\")]\nfn g() { self.allow(z) }\n",
        )],
        0,
    ),
    (
        "conflict",
        &[("a.toml", "<<<<<<< ours\n=======\n>>>>>>> theirs\n")],
        2,
    ),
    ("conflict", &[("crates/x/src/a.rs", "=======\n")], 1),
    ("conflict", &[("a.md", "Heading\n=======\n")], 0),
    ("trailing-space", &[("a.md", "a \nb\t\nc\r\n")], 3),
    (
        "trailing-space",
        &[("planted/a.patch", " \n"), ("a.md", "a\n")],
        0,
    ),
    (
        "core-is-pure",
        &[("crates/coupon-core/src/a.rs", "async fn f() {}\n")],
        1,
    ),
    (
        "core-is-pure",
        &[(
            "crates/coupon-core/src/a.rs",
            "use std::time::SystemTime;\nlet a = Instant::now();\n",
        )],
        2,
    ),
    (
        "core-is-pure",
        &[(
            "crates/coupon-core/src/a.rs",
            "use std::fs;\nuse std::net::IpAddr;\nstd::env::args();\n",
        )],
        3,
    ),
    (
        "core-is-pure",
        &[(
            "crates/coupon-core/src/a.rs",
            "use std::{fmt, fs};\nuse std::{env::args, fmt};\n",
        )],
        2,
    ),
    (
        "core-is-pure",
        &[(
            "crates/coupon-core/src/a.rs",
            "// no async\nuse std::fmt;\nuse std::{fsx};\n",
        )],
        0,
    ),
    (
        "core-is-pure",
        &[("crates/coupon-core/tests/a.rs", "use std::fs;\n")],
        0,
    ),
    (
        "core-is-pure",
        &[(
            "crates/coupon-app/src/a.rs",
            "async fn f() { std::time::Instant::now(); }\n",
        )],
        0,
    ),
    (
        "environment",
        &[(
            "crates/coupon-http/src/a.rs",
            "std::env::var(\"A\");\nenv::var_os(\"B\");\nenv::vars();\n",
        )],
        3,
    ),
    (
        "environment",
        &[("crates/coupon-server/src/a.rs", "env::var(\"A\");\n")],
        0,
    ),
    (
        "environment",
        &[(
            "crates/coupon-http/src/a.rs",
            "env::args();\nmy_env::variable();\n",
        )],
        0,
    ),
    (
        "environment",
        &[(
            "crates/coupon-http/src/a.rs",
            "#[cfg(test)]\nmod tests {\n env::var(\"A\");\n}\n",
        )],
        0,
    ),
    (
        "status-codes",
        &[("crates/coupon-app/src/a.rs", "fn f() -> StatusCode {}\n")],
        1,
    ),
    (
        "status-codes",
        &[("crates/coupon-http/src/a.rs", "fn f() -> StatusCode {}\n")],
        0,
    ),
    (
        "status-codes",
        &[("crates/coupon-rehearsal/src/a.rs", "fn f() -> StatusCode {}\n")],
        0,
    ),
    (
        "status-codes",
        &[
            (
                "crates/coupon-server/src/commands/healthcheck.rs",
                "fn f() -> StatusCode {}\n",
            ),
            ("crates/coupon-server/src/wiring.rs", "fn f() -> StatusCode {}\n"),
        ],
        1,
    ),
    (
        "syncs",
        &[(
            "crates/ledger-journal/src/journal/writer.rs",
            "file.sync_data()?;\nfdatasync(&file)?;\n",
        )],
        2,
    ),
    (
        "syncs",
        &[("crates/store-sqlite/src/a.rs", "file.sync_all()?;\n")],
        1,
    ),
    (
        "syncs",
        &[(
            "crates/store-sqlite/src/a.rs",
            "pragma(\"synchronous\", \"fsync\");\n",
        )],
        0,
    ),
    (
        "syncs",
        &[("crates/ledger-journal/src/disk/file.rs", "file.sync_data()?;\n")],
        0,
    ),
    (
        "syncs",
        &[(
            "crates/ledger-journal/src/disk.rs",
            "rustix::fs::fsync(&file)?;\n",
        )],
        0,
    ),
    (
        "syncs",
        &[("crates/ledger-journal/tests/it.rs", "file.sync_all().unwrap();\n")],
        0,
    ),
    (
        "witness",
        &[(
            "crates/coupon-rehearsal/src/a.rs",
            "use coupon_core::decide;\ndecide_command(&a);\n",
        )],
        2,
    ),
    (
        "witness",
        &[(
            "crates/coupon-rehearsal/src/a.rs",
            "// what decide did\nlet undecided = 1;\n",
        )],
        0,
    ),
    ("machine-path", &[("a.md", concat!("see /wo", "rk/main\n"))], 1),
    (
        "machine-path",
        &[(
            "a.toml",
            concat!("p = \"/ho", "me/me/x\"\nq = 'file:///ro", "ot/x'\n"),
        )],
        2,
    ),
    ("machine-path", &[("a.ps1", concat!("C:\\Us", "ers\\me\n"))], 1),
    (
        "machine-path",
        &[("a.md", concat!("https://host/wo", "rk/x and ./ho", "me/x\n"))],
        0,
    ),
    (
        "registry",
        &[(
            "a.toml",
            concat!("index = \"sparse+ht", "tps://mirror.example/\"\n"),
        )],
        1,
    ),
    (
        "registry",
        &[(
            "Cargo.lock",
            concat!("source = \"registry+ht", "tps://mirror.example/index\"\n"),
        )],
        1,
    ),
    (
        "registry",
        &[
            (
                "Cargo.lock",
                concat!(
                    "source = \"registry+ht",
                    "tps://github.com/rust-lang/crates.io",
                    "-index\"\n"
                ),
            ),
            ("a.md", "https://crates.io/crates/serde\n"),
        ],
        0,
    ),
    ("link", &[("docs/a.md", "[b](b.md) and [c](../c.md#x)\n")], 2),
    (
        "link",
        &[(
            "docs/a.md",
            "[b]: gone.md\n![p](img/p.svg \"p\")\n[up](../../x)\n",
        )],
        3,
    ),
    (
        "link",
        &[
            (
                "docs/a.md",
                "[b](b.md#there) [root](/c.md) [dir](../docs) [web](https://x.example/y) [here](#x)\n",
            ),
            ("docs/b.md", "```\n[x](none.md)\n```\nand `[y](none.md)`\n"),
            ("c.md", "[a](docs/a.md)\n"),
        ],
        0,
    ),
    ("readme-pair", &[("README.md", "# A\n")], 1),
    ("readme-pair", &[("README.ko.md", "# A\n")], 1),
    (
        "readme-pair",
        &[("README.md", "# A\n## B\n"), ("README.ko.md", "# 가\n")],
        1,
    ),
    (
        "readme-pair",
        &[("README.md", "```\na\n```\n"), ("README.ko.md", "```\nb\n```\n")],
        1,
    ),
    (
        "readme-pair",
        &[("README.md", "```\na\n```\n"), ("README.ko.md", "\n")],
        1,
    ),
    (
        "readme-pair",
        &[
            ("README.md", "# A\n```\n# a\n```\n"),
            ("README.ko.md", "# 가\n\n```\n# a\n```\n"),
        ],
        0,
    ),
];

fn found(rule: &str, snippets: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = snippets
        .iter()
        .map(|(path, text)| File::new(path, Some((*text).to_owned())))
        .collect();
    let findings = look(&files);
    findings
        .errors
        .iter()
        .chain(&findings.warnings)
        .filter(|found| found.rule == rule)
        .map(Finding::text)
        .collect()
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    for (rule, snippets, expected) in CASES {
        let found = found(rule, snippets);
        assert_eq!(found.len(), *expected, "{rule} on {snippets:?} found {found:?}");
    }
}

#[test]
fn each_rule_has_a_case_in_which_it_fails() {
    let failing: BTreeSet<&str> = CASES
        .iter()
        .filter(|(_, _, expected)| *expected > 0)
        .map(|(rule, _, _)| *rule)
        .chain(["length"])
        .collect();
    let rules: BTreeSet<&str> = rules().map(|rule| rule.name).collect();
    assert_eq!(failing, rules);
}

#[test]
fn a_long_file_is_pointed_out_and_a_very_long_one_refused() {
    for (lines, errors, warnings) in [(600, 0, 0), (601, 0, 1), (1_000, 0, 1), (1_001, 1, 0)] {
        let file = File::new(
            "crates/x/src/a.rs",
            Some(format!("//! X.\n{}", "\n".repeat(lines - 1))),
        );
        let findings = look(&[file]);
        assert_eq!(
            (findings.errors.len(), findings.warnings.len()),
            (errors, warnings),
            "{lines} lines"
        );
    }
}

#[test]
fn what_is_not_text_is_left_alone() {
    let file = File::new("docs/plot.png", Some(concat!("\0 /wo", "rk/ \n").to_owned()));
    assert!(look(&[file]).errors.is_empty());
}

#[test]
fn a_finding_says_where() {
    let files = [File::new(
        "crates/x/src/a.rs",
        Some("//! X.\nfn f() { todo!() }\n".to_owned()),
    )];
    assert_eq!(
        look(&files).errors[0].text(),
        "crates/x/src/a.rs:2: `todo!` is not finished work [unfinished]"
    );
}
