//! Places that exist on one machine only: absolute paths of whoever wrote the line, and the addresses of
//! package registries and their mirrors.

use super::source::File;
use super::{Findings, Look, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "machine-path",
        look: Look::AtEach(machine_path),
    },
    Rule {
        name: "registry",
        look: Look::AtEach(registry),
    },
];

// Written in two parts, so that this file does not find itself.
const MACHINE_PATHS: &[&str] = &[
    concat!("/work", "/"),
    concat!("/root", "/"),
    concat!("/home", "/"),
    concat!("/Users", "/"),
    concat!(":\\", "Users\\"),
];

const REGISTRIES: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("crates.io", "-index"),
    concat!("registry+", "http"),
    concat!("sparse+", "http"),
    concat!("replace-", "with ="),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("pypi.", "org/simple"),
    concat!("files.", "pythonhosted.org"),
    concat!("proxy.", "golang.org"),
    concat!("sum.", "golang.org"),
    concat!("repo1.", "maven.org"),
    concat!("repo.", "maven.apache.org"),
    concat!("jfrog", ".io"),
    concat!("/artifact", "ory/"),
];

/// How cargo itself writes the public registry into every lock file, whatever mirror served it.
const LOCKED: &str = concat!(
    "source = \"registry+",
    "https://github.com/rust-lang/crates.io",
    "-index\""
);

fn machine_path(file: &File, findings: &mut Findings) {
    for (number, line) in file.text_lines() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| begins_a_path(line, path)) {
            findings.error(file, number, format!("`{path}` exists on one machine only"));
        }
    }
}

/// Inside a longer path or an address the same letters are only a part of its way.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        path.starts_with(':')
            || !before.is_some_and(|before| {
                before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '~' | '}' | '*')
            })
    })
}

fn registry(file: &File, findings: &mut Findings) {
    let is_lock = file.file_name() == "Cargo.lock";
    for (number, line) in file.text_lines() {
        if is_lock && line == LOCKED {
            continue;
        }
        if let Some(address) = REGISTRIES.iter().find(|address| line.contains(*address)) {
            findings.error(
                file,
                number,
                format!("`{address}` is an address of a package registry"),
            );
        }
    }
}
