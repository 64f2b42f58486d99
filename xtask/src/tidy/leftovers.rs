//! What was meant to go before the commit: unfinished code, silenced lints, marks of a merge.

use super::source::{File, has_word};
use super::{Findings, Look, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "unfinished",
        look: Look::AtEach(unfinished),
    },
    Rule {
        name: "later",
        look: Look::AtEach(later),
    },
    Rule {
        name: "ignored-test",
        look: Look::AtEach(ignored_test),
    },
    Rule {
        name: "allow",
        look: Look::AtEach(allow),
    },
    Rule {
        name: "conflict",
        look: Look::AtEach(conflict),
    },
    Rule {
        name: "trailing-space",
        look: Look::AtEach(trailing_space),
    },
];

const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];
const LATER: &[&str] = &["TODO", "FIXME", "XXX"];

fn unfinished(file: &File, findings: &mut Findings) {
    for (number, line) in file.product_lines() {
        // A name ends before the `!`, so only its beginning has to stand alone.
        let code = line.code.replace('!', "! ");
        if let Some(found) = UNFINISHED.iter().find(|mark| has_word(&code, mark)) {
            findings.error(file, number, format!("`{found}` is not finished work"));
        }
    }
}

fn later(file: &File, findings: &mut Findings) {
    let mut judge = |number: usize, text: &str| {
        if let Some(found) = LATER.iter().find(|mark| has_word(text, mark)) {
            findings.error(
                file,
                number,
                format!("`{found}`: do it, or open an issue that says why not now"),
            );
        }
    };
    if file.is_rust() {
        file.product_lines()
            .for_each(|(number, line)| judge(number, &line.comment));
    } else if ["lua", "sql", "sh", "py", "js", "css", "toml", "yml", "yaml"]
        .iter()
        .any(|extension| file.has_extension(extension))
    {
        file.text_lines().for_each(|(number, line)| judge(number, line));
    }
}

fn ignored_test(file: &File, findings: &mut Findings) {
    for (number, line) in file.rust_lines() {
        if line.code.contains("#[ignore]") {
            findings.error(
                file,
                number,
                "a test is ignored without a reason: `#[ignore = \"why\"]`",
            );
        }
    }
}

fn allow(file: &File, findings: &mut Findings) {
    for (number, line) in file.rust_lines() {
        let attribute = line.code.contains("#[") || line.code.contains("#![");
        if attribute && has_word(&line.code.replace('(', " ("), "allow") {
            findings.error(
                file,
                number,
                "use `#[expect(lint, reason = \"why\")]`: it says when it has become needless",
            );
        }
    }
}

fn conflict(file: &File, findings: &mut Findings) {
    for (number, line) in file.text_lines() {
        // A row of `=` alone underlines a heading in prose, so it is looked for in Rust only.
        let marked = ["<<<<<<< ", ">>>>>>> ", "||||||| "]
            .iter()
            .any(|mark| line.starts_with(mark))
            || (file.is_rust() && line == "=======");
        if marked {
            findings.error(file, number, "a merge was left unfinished");
        }
    }
}

fn trailing_space(file: &File, findings: &mut Findings) {
    // In a patch the space at the end is the mark of an unchanged empty line.
    if ["patch", "diff", "snap", "svg"]
        .iter()
        .any(|extension| file.has_extension(extension))
    {
        return;
    }
    for (number, line) in file.text_lines() {
        if line.ends_with(char::is_whitespace) {
            findings.error(file, number, "space at the end of the line");
        }
    }
}
