//! What commands say on standard output, and what they complain of and ask on standard error.

use std::io::{self, IsTerminal, Write};

/// Writes text to standard output. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes one line to standard output.
pub(crate) fn say_line(line: impl AsRef<str>) -> io::Result<()> {
    say(&format!("{}\n", line.as_ref()))
}

/// Writes a JSON document, indented, to standard output.
pub(crate) fn say_json(value: &serde_json::Value) -> io::Result<()> {
    say(&format!("{value:#}\n"))
}

/// How many columns the terminal on standard output has; 100 where it does not say, none where there is no terminal.
pub(crate) fn columns() -> Option<usize> {
    let out = io::stdout();
    out.is_terminal().then(|| columns_of(out))
}

fn columns_of(terminal: impl rustix::fd::AsFd) -> usize {
    let columns = rustix::termios::tcgetwinsize(terminal).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { 100 } else { columns }
}

/// Whether a person is likely to read what the program logs.
pub(crate) fn people_read_errors() -> bool {
    io::stderr().is_terminal()
}

/// Writes one line to standard error; where that is closed there is nobody to tell.
pub(crate) fn complain(line: &str) {
    let _told = writeln!(io::stderr(), "{line}");
}

/// Asks a question on standard error. Only `y` or `yes` is one; where nobody can answer, nothing is asked.
pub(crate) fn agreed(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    let mut errors = io::stderr().lock();
    write!(errors, "{question} [y/N] ")?;
    errors.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Writes over the present line of the terminal on standard error, cut to its width: a longer one would wrap and
/// leave a trail.
pub(crate) fn overwrite(line: &str) {
    let width = columns_of(io::stderr());
    let shown: String = line.chars().take(width.saturating_sub(1)).collect();
    let mut errors = io::stderr().lock();
    let _told = write!(errors, "\r\x1b[K{shown}").and_then(|()| errors.flush());
}
