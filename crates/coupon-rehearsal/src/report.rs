//! What is left of a rehearsal: a summary for the terminal, `result.json`, and one self-contained HTML page.

mod charts;
mod figure;
mod html;
mod json;
mod scale;
mod terminal;
mod verdict_html;

use std::io;
use std::path::{Path, PathBuf};

use crate::run::Rehearsal;

pub use html::html_report;
pub use json::json_result;
pub use terminal::terminal_summary;

/// Where the report was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// The numbers, for programs.
    pub json: PathBuf,
    /// The page, for people.
    pub html: PathBuf,
}

/// Writes `result.json` and `report.html` into the directory.
pub fn write_report(rehearsal: &Rehearsal, directory: &Path) -> io::Result<ReportFiles> {
    std::fs::create_dir_all(directory)?;
    let files = ReportFiles {
        json: directory.join("result.json"),
        html: directory.join("report.html"),
    };
    std::fs::write(&files.json, json_result(rehearsal))?;
    std::fs::write(&files.html, html_report(rehearsal))?;
    Ok(files)
}
