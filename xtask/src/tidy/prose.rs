//! Pages: links that lead somewhere, and a README that says the same in both languages.

use std::collections::HashSet;

use super::source::File;
use super::{Findings, Look, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "link",
        look: Look::AtAll(links),
    },
    Rule {
        name: "readme-pair",
        look: Look::AtAll(readme_pair),
    },
    Rule {
        name: "security-test",
        look: Look::AtAll(security_tests),
    },
];

const README: &str = "README.md";
const SECURITY: &str = "docs/SECURITY.md";
const README_KO: &str = "README.ko.md";

fn links(files: &[File], findings: &mut Findings) {
    let mut places: HashSet<String> = HashSet::new();
    for file in files {
        let mut path = file.path();
        places.insert(path.to_owned());
        while let Some((parent, _)) = path.rsplit_once('/') {
            places.insert(parent.to_owned());
            path = parent;
        }
    }
    for file in files.iter().filter(|file| file.has_extension("md")) {
        for (number, line) in prose_lines(file) {
            for target in targets(&line) {
                if let Some(place) = place(file.path(), target)
                    && !place.is_empty()
                    && !places.contains(&place)
                {
                    findings.error(file, number, format!("the link to `{target}` leads nowhere"));
                }
            }
        }
    }
}

/// The lines outside code blocks, with code spans taken out.
fn prose_lines(file: &File) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    file.text_lines().filter_map(move |(number, line)| {
        let fence = is_fence(line);
        fenced ^= fence;
        (!fenced && !fence).then(|| (number, line.split('`').step_by(2).collect()))
    })
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

/// What `[text](target)`, `[text](target "title")` and `[name]: target` point to.
fn targets(line: &str) -> Vec<&str> {
    let definition = line
        .trim_start()
        .starts_with('[')
        .then(|| line.split_once("]: "))
        .flatten();
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .chain(definition.map(|(_, target)| target))
        .filter_map(|target| target.split_whitespace().next())
        .collect()
}

/// The path from the root that a link of this page leads to; `None` if it leaves the repository's files.
fn place(page: &str, target: &str) -> Option<String> {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let path = target.split(['#', '?']).next().unwrap_or(target);
    let mut parts: Vec<&str> = match page.rsplit_once('/') {
        Some((directory, _)) if !path.starts_with('/') && !path.is_empty() => directory.split('/').collect(),
        _ => Vec::new(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // Above the root the path exists nowhere; keeping the dots makes it a dead link.
            ".." if parts.last().is_none_or(|last| *last == "..") => parts.push(".."),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Every test that the page on security names must exist, and every row of its tables must name one.
fn security_tests(files: &[File], findings: &mut Findings) {
    let Some(page) = files.iter().find(|file| file.path() == SECURITY) else {
        return;
    };
    let tests: HashSet<&str> = files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(tests_of)
        .collect();
    for (number, line) in page.text_lines() {
        let mut named = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|span| is_sentence(span))
            .peekable();
        let first_cell = line.strip_prefix('|').and_then(|rest| rest.split('|').next());
        let is_row =
            first_cell.is_some_and(|cell| cell.trim().starts_with(|first: char| first.is_ascii_digit()));
        if is_row && named.peek().is_none() {
            findings.error(page, number, "this row names no test");
        }
        for name in named.filter(|name| !tests.contains(name)) {
            findings.error(page, number, format!("there is no test `{name}`"));
        }
    }
}

/// The names of the functions of a file that are tests, or cases of a contract.
fn tests_of(file: &File) -> impl Iterator<Item = &str> {
    let contract = file.path().contains("/src/contract/");
    let product: HashSet<usize> = file.product_lines().map(|(number, _)| number).collect();
    file.rust_lines().filter_map(move |(number, line)| {
        let function = line.code.trim_start();
        let function = function.strip_prefix("pub ").unwrap_or(function);
        let function = function.strip_prefix("async ").unwrap_or(function);
        let name = function.strip_prefix("fn ")?.split(['(', '<']).next()?;
        (contract || !product.contains(&number)).then_some(name)
    })
}

/// Whether a code span is the name of a test: these are sentences.
fn is_sentence(span: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    span.bytes().all(plain) && span.matches('_').count() >= 3
}

fn readme_pair(files: &[File], findings: &mut Findings) {
    let find = |path: &str| files.iter().find(|file| file.path() == path);
    let (english, korean) = match (find(README), find(README_KO)) {
        (Some(english), Some(korean)) => (Page::read(english), (korean, Page::read(korean))),
        (None, None) => return,
        (Some(one), None) => return findings.error(one, 0, format!("stands without {README_KO}")),
        (None, Some(one)) => return findings.error(one, 0, format!("stands without {README}")),
    };
    let (file, korean) = korean;
    if korean.headings != english.headings {
        let message = format!(
            "its headings differ in number or level: {} here, {} in {README}",
            korean.headings.len(),
            english.headings.len()
        );
        findings.error(file, 0, message);
    }
    if korean.blocks.len() != english.blocks.len() {
        let message = format!(
            "{} code blocks here, {} in {README}",
            korean.blocks.len(),
            english.blocks.len()
        );
        findings.error(file, 0, message);
    } else if let Some((line, _)) = korean
        .blocks
        .iter()
        .zip(&english.blocks)
        .find(|(here, there)| here.1 != there.1)
        .map(|(here, _)| here)
    {
        findings.error(
            file,
            *line,
            format!("this code block differs from the one in {README}"),
        );
    }
}

/// What both languages share.
#[derive(Default)]
struct Page {
    /// The level of each heading.
    headings: Vec<usize>,
    /// Where each code block begins, and its text.
    blocks: Vec<(usize, String)>,
}

impl Page {
    fn read(file: &File) -> Self {
        let mut page = Self::default();
        let mut fenced = false;
        for (number, line) in file.text_lines() {
            if is_fence(line) {
                fenced = !fenced;
                if fenced {
                    page.blocks.push((number, line.trim().to_owned()));
                }
            } else if let Some((_, block)) = page.blocks.last_mut().filter(|_| fenced) {
                block.push('\n');
                block.push_str(line);
            } else {
                let level = line.bytes().take_while(|byte| *byte == b'#').count();
                if level > 0 && line[level..].starts_with(' ') {
                    page.headings.push(level);
                }
            }
        }
        page
    }
}
