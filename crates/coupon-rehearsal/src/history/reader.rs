//! Reads a history back. What cannot be understood is an error with its line: a verdict over half-read evidence
//! would be worth nothing.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::record::{Attempt, End, FORMAT, FaultMark, Header};
use super::{History, HistoryError};

#[derive(Deserialize)]
#[serde(untagged)]
enum Mark {
    Fault(FaultMark),
    End(End),
}

impl History {
    /// Reads a whole file. One whose last line is missing is read as far as it goes, with `end` none.
    pub fn read(path: &Path) -> Result<Self, HistoryError> {
        let shown = path.display().to_string();
        let failed = |source| HistoryError::Io {
            path: shown.clone(),
            source,
        };
        let bad = |line: usize, why: String| HistoryError::BadLine {
            path: shown.clone(),
            line,
            why,
        };
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
        let mut text = String::new();
        file.read_line(&mut text).map_err(failed)?;
        let header = read_header(&text).map_err(|why| bad(1, why))?;
        let mut history = Self {
            header,
            attempts: Vec::new(),
            faults: Vec::new(),
            end: None,
        };
        for line in 2.. {
            text.clear();
            if file.read_line(&mut text).map_err(failed)? == 0 {
                break;
            }
            // A rehearsal that was killed leaves half a line; the missing end says so well enough.
            if !text.ends_with('\n') {
                break;
            }
            history.take(&text).map_err(|why| bad(line, why))?;
        }
        Ok(history)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a line after the last one".to_owned());
        }
        if line.starts_with('[') {
            let attempt = Attempt::parse(line).map_err(|error| error.to_string())?;
            if attempt.user >= self.header.plan.users {
                return Err(format!("user {} of {}", attempt.user, self.header.plan.users));
            }
            self.attempts.push(attempt);
            return Ok(());
        }
        match serde_json::from_str(line).map_err(|error| error.to_string())? {
            Mark::Fault(mark) => self.faults.push(mark),
            Mark::End(end) => self.end = Some(end),
        }
        Ok(())
    }
}

fn read_header(line: &str) -> Result<Header, String> {
    let header: Header = serde_json::from_str(line).map_err(|error| format!("not a history: {error}"))?;
    if header.history != FORMAT {
        return Err(format!("format {} where {FORMAT} is understood", header.history));
    }
    Ok(header)
}
