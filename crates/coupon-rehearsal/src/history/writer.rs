//! Writes a history while the load runs. Lines are gathered in memory and written by a thread of their own, so that
//! a slow disk delays the file and not the load.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;

use super::HistoryError;
use super::record::{Attempt, End, FaultMark, Header};

const PIECE_BYTES: usize = 256 * 1024;
/// 64 MiB may wait for the disk; beyond that the load waits too, rather than eat the machine's memory.
const PIECES_WAITING: usize = 256;

/// An open history file.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    piece: String,
    pieces: SyncSender<String>,
    thread: JoinHandle<io::Result<()>>,
}

impl HistoryWriter {
    /// Creates the file, or empties it, and writes its first line.
    pub fn create(path: &Path, header: &Header) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Io {
            path: path.display().to_string(),
            source,
        };
        let file = File::create(path).map_err(failed)?;
        let (pieces, to_write) = sync_channel(PIECES_WAITING);
        let thread = std::thread::Builder::new()
            .name("rehearsal-history".to_owned())
            .spawn(move || write_pieces(file, &to_write))
            .map_err(failed)?;
        let mut writer = Self {
            path: path.to_owned(),
            piece: String::new(),
            pieces,
            thread,
        };
        writer.object(header);
        Ok(writer)
    }

    /// Adds an attempt.
    pub fn attempt(&mut self, attempt: &Attempt) {
        attempt.write_line(&mut self.piece);
        if self.piece.len() >= PIECE_BYTES {
            self.hand_over();
        }
    }

    /// Adds the mark of a fault.
    pub fn fault(&mut self, mark: &FaultMark) {
        self.object(mark);
    }

    /// Adds the last line and waits until everything is in the file.
    pub fn finish(mut self, end: &End) -> Result<(), HistoryError> {
        self.object(end);
        self.hand_over();
        drop(self.pieces);
        let written = self
            .thread
            .join()
            .unwrap_or_else(|_panic| Err(io::Error::other("the writing thread died")));
        written.map_err(|source| HistoryError::Io {
            path: self.path.display().to_string(),
            source,
        })
    }

    fn object<T: Serialize>(&mut self, value: &T) {
        let line =
            serde_json::to_string(value).expect("these types have string keys and no failing serializers");
        self.piece.push_str(&line);
        self.piece.push('\n');
    }

    /// A thread that has failed takes nothing more; `finish` reports why.
    fn hand_over(&mut self) {
        let next = String::with_capacity(PIECE_BYTES + 1024);
        let full = std::mem::replace(&mut self.piece, next);
        let _gone = self.pieces.send(full);
    }
}

fn write_pieces(mut file: File, pieces: &Receiver<String>) -> io::Result<()> {
    for piece in pieces {
        file.write_all(piece.as_bytes())?;
    }
    file.flush()
}
