//! How a file begins, how long it is, and what it is called.

use super::source::File;
use super::{Findings, Look, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "opening",
        look: Look::AtEach(opening),
    },
    Rule {
        name: "length",
        look: Look::AtEach(length),
    },
    Rule {
        name: "module-name",
        look: Look::AtEach(module_name),
    },
];

/// A file this long has more than one subject.
const MOST_LINES: usize = 1_000;
/// Above this a look is due; there may be a good reason.
const MANY_LINES: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils",
];

fn opening(file: &File, findings: &mut Findings) {
    if file.is_rust() && file.text().is_some_and(|text| !text.starts_with("//! ")) {
        findings.error(file, 1, "opens without `//!` saying what it is for");
    }
}

fn length(file: &File, findings: &mut Findings) {
    if !["rs", "lua", "sql", "sh", "py", "js", "css"]
        .iter()
        .any(|extension| file.has_extension(extension))
    {
        return;
    }
    let lines = file.text().map_or(0, |text| text.lines().count());
    if lines > MOST_LINES {
        findings.error(
            file,
            0,
            format!("{lines} lines are more than one subject (at most {MOST_LINES})"),
        );
    } else if lines > MANY_LINES {
        findings.warning(file, 0, format!("{lines} lines: does it still have one subject?"));
    }
}

fn module_name(file: &File, findings: &mut Findings) {
    if !file.is_rust() {
        return;
    }
    if let Some(name) = file.names().find(|name| EMPTY_NAMES.contains(name)) {
        findings.error(file, 0, format!("`{name}` does not say what is inside"));
    }
    for (number, line) in file.rust_lines() {
        let mut words = line
            .code
            .split_whitespace()
            .skip_while(|word| *word != "mod")
            .skip(1);
        let inline = words.next().map(|name| name.trim_end_matches(['{', ';']));
        if let Some(name) = inline.filter(|name| EMPTY_NAMES.contains(name)) {
            findings.error(file, number, format!("`{name}` does not say what is inside"));
        }
    }
}
