//! Separates Rust source into what runs and what is said about it, line by line, so that a word in a
//! comment or a string is not taken for code.

/// One line of source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The code, with the contents of strings and characters left out.
    pub(super) code: String,
    /// The text of comments.
    pub(super) comment: String,
}

/// Splits a file. It need not compile: what cannot be understood is taken as code.
pub(super) fn split(text: &str) -> Vec<Line> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        lines: vec![Line::default()],
    };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.lines
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    lines: Vec<Line>,
}

impl Lexer {
    fn step(&mut self) {
        if self.sees("//") {
            self.line_comment();
        } else if self.sees("/*") {
            self.block_comment();
        } else if let Some(hashes) = self.raw_string_opens() {
            self.raw_string(hashes);
        } else if self.sees("\"") {
            self.quoted('"');
        } else if self.sees("'") && self.is_character() {
            self.quoted('\'');
        } else {
            self.keep_code();
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn sees(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(ahead, expected)| self.peek(ahead) == Some(expected))
    }

    /// Steps over one character. Line ends are kept whatever they stand in.
    fn pass(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        if next == '\n' {
            self.lines.push(Line::default());
        }
        Some(next)
    }

    fn line(&mut self) -> &mut Line {
        self.lines.last_mut().expect("there is a line from the start on")
    }

    fn keep_code(&mut self) {
        if let Some(next) = self.pass()
            && next != '\n'
        {
            self.line().code.push(next);
        }
    }

    fn keep_comment(&mut self) {
        if let Some(next) = self.pass()
            && next != '\n'
        {
            self.line().comment.push(next);
        }
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|next| next != '\n') {
            self.keep_comment();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_u32;
        while self.at < self.chars.len() {
            if self.sees("/*") {
                depth += 1;
                self.keep_comment();
            } else if self.sees("*/") {
                depth -= 1;
                self.keep_comment();
            }
            self.keep_comment();
            if depth == 0 {
                break;
            }
        }
    }

    /// `r"`, `br#"` and kin: answers with the number of hashes.
    fn raw_string_opens(&self) -> Option<usize> {
        let after_name = self.at > 0 && is_name(self.chars[self.at - 1]);
        if after_name {
            return None;
        }
        let prefix = ["r", "br", "cr"]
            .into_iter()
            .find(|prefix| self.sees(prefix) && matches!(self.peek(prefix.len()), Some('"' | '#')))?;
        let hashes = (0..)
            .take_while(|ahead| self.peek(prefix.len() + ahead) == Some('#'))
            .count();
        (self.peek(prefix.len() + hashes) == Some('"')).then_some(hashes)
    }

    fn raw_string(&mut self, hashes: usize) {
        while self.peek(0) != Some('"') {
            self.pass();
        }
        self.pass();
        let close: String = std::iter::once('"')
            .chain(std::iter::repeat_n('#', hashes))
            .collect();
        self.line().code.push('"');
        while self.at < self.chars.len() && !self.sees(&close) {
            self.pass();
        }
        for _ in 0..close.len() {
            self.pass();
        }
        self.line().code.push('"');
    }

    /// `'a'` and `'\n'`, but not the lifetime `'a`.
    fn is_character(&self) -> bool {
        self.peek(1) == Some('\\') || self.peek(2) == Some('\'')
    }

    fn quoted(&mut self, quote: char) {
        self.pass();
        self.line().code.push(quote);
        while let Some(next) = self.pass() {
            if next == '\\' {
                self.pass();
            } else if next == quote {
                break;
            }
        }
        self.line().code.push(quote);
    }
}

/// Whether a character can be part of a name.
pub(super) fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_strings_and_comments_are_no_code() {
        let cases = [
            ("let a = 1; // why", "let a = 1; ", "// why"),
            ("a /* b /* c */ d */ e", "a  e", "/* b /* c */ d */"),
            (r#"f("dbg!() // \" no") + 1"#, r#"f("") + 1"#, ""),
            (r##"f(r#"a " b"#) + 1"##, r#"f("") + 1"#, ""),
            (r#"f(br"\") + 1"#, r#"f("") + 1"#, ""),
            ("r#type + 1", "r#type + 1", ""),
            (r"('\'', 'x', '\u{1}')", "('', '', '')", ""),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)", ""),
            (r#"['"', b'"'] // c"#, "['', b''] ", "// c"),
            ("for_bar\"x\"", "for_bar\"\"", ""),
        ];
        for (text, code, comment) in cases {
            let lines = split(text);
            assert_eq!(
                lines,
                [Line {
                    code: code.into(),
                    comment: comment.into()
                }],
                "{text}"
            );
        }
    }

    #[test]
    fn line_numbers_survive_strings_and_comments_of_many_lines() {
        let lines = split("a\n\"x\ny\" b\n/* c\n d */ e");
        let code: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
        assert_eq!(code, ["a", "\"", "\" b", "", " e"]);
        assert_eq!(lines[4].comment, " d */");
    }
}
