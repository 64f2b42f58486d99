//! A file as the rules see it: where it lies, what it is, its text, and which of its lines are tests.

use std::path::Path;

use super::lexer::{self, Line, is_name};

/// A committed file.
pub(super) struct File {
    path: String,
    /// `None` if it is not text.
    text: Option<String>,
    /// Of a Rust file: code and comments apart.
    lines: Vec<Line>,
    /// Of a Rust file: which lines are compiled for tests alone.
    tests: Vec<bool>,
}

impl File {
    /// The path is relative to the root, with forward slashes.
    pub(super) fn new(path: &str, text: Option<String>) -> Self {
        let lines = match &text {
            Some(text) if has_extension(path, "rs") => lexer::split(text),
            _ => Vec::new(),
        };
        let whole = lies_among_tests(path);
        let tests = if whole {
            vec![true; lines.len()]
        } else {
            test_lines(&lines)
        };
        Self {
            path: path.to_owned(),
            text: text.filter(|text| !text.contains('\0')),
            lines,
            tests,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn has_extension(&self, extension: &str) -> bool {
        has_extension(&self.path, extension)
    }

    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Numbered from 1; empty if it is not text.
    pub(super) fn text_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .iter()
            .flat_map(|text| text.split('\n'))
            .zip(1..)
            .map(|(line, number)| (number, line))
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Lines of a Rust file, numbered from 1.
    pub(super) fn rust_lines(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().zip(1..).map(|(line, number)| (number, line))
    }

    /// The lines of a Rust file that are not tests.
    pub(super) fn product_lines(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.rust_lines().filter(|(number, _)| !self.tests[number - 1])
    }

    /// The crate it belongs to: `coupon-core` of `crates/coupon-core/src/lib.rs`.
    pub(super) fn krate(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next(),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }

    /// The names on its way, the extension left off: directories and module.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.path.strip_suffix(".rs").unwrap_or(&self.path).split('/')
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Whole files of tests: `tests/…`, `…/tests.rs`, `…/window_tests.rs`, benches.
fn lies_among_tests(path: &str) -> bool {
    path.strip_suffix(".rs").is_some_and(|path| {
        path.split('/').any(|name| name == "tests" || name == "benches") || path.ends_with("_tests")
    })
}

/// Marks every item under `#[cfg(test)]`, from the attribute to its closing brace or semicolon.
fn test_lines(lines: &[Line]) -> Vec<bool> {
    let mut marks = vec![false; lines.len()];
    let mut inside = false;
    let mut depth = 0_i64;
    for (line, mark) in lines.iter().zip(&mut marks) {
        let mut code = line.code.as_str();
        if !inside {
            let Some(at) = code.find("#[cfg(test)]") else {
                continue;
            };
            code = &code[at + "#[cfg(test)]".len()..];
            inside = true;
            depth = 0;
        }
        *mark = true;
        for character in code.chars() {
            match character {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            // Further attributes close brackets too, so only a brace or a semicolon ends the item.
            if depth == 0 && matches!(character, '}' | ';') {
                inside = false;
                break;
            }
        }
    }
    marks
}

/// Where a word stands on its own in the code: not as a part of a longer name.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_under_cfg_test_are_tests_and_what_follows_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n#[cfg(test)] use d;\nfn e() {}";
        let file = File::new("crates/x/src/lib.rs", Some(text.to_owned()));
        let product: Vec<usize> = file.product_lines().map(|(number, _)| number).collect();
        assert_eq!(product, [1, 7, 9]);
    }

    #[test]
    fn files_among_tests_have_no_product_lines() {
        for (path, expected) in [
            ("crates/x/tests/it.rs", 0),
            ("crates/x/src/a/tests.rs", 0),
            ("crates/x/src/a/tests/b.rs", 0),
            ("crates/x/src/window_tests.rs", 0),
            ("xtask/src/test.rs", 1),
        ] {
            let file = File::new(path, Some("fn a() {}".to_owned()));
            assert_eq!(file.product_lines().count(), expected, "{path}");
        }
    }

    #[test]
    fn a_word_is_found_only_where_it_stands_alone() {
        for (code, expected) in [
            ("fn decide()", true),
            ("decided()", false),
            ("un_decide", false),
            ("x::decide;", true),
        ] {
            assert_eq!(has_word(code, "decide"), expected, "{code}");
        }
    }
}
