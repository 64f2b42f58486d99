//! Reads durable batches back in order: for the outbox, and for backups of a journal in use.

use crate::disk::{Disk, DiskFile};
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, JournalId, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::limits::READ_BYTES;
use crate::record::{self, UnreadableRecord};
use crate::segment;
use coupon_app::{Entry, Seq};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A place in one segment.
pub(crate) struct Cursor {
    file: Arc<dyn DiskFile>,
    journal: JournalId,
    length: u64,
    offset: u64,
    /// Bytes of the file from `buffered_from`.
    buffer: Vec<u8>,
    buffered_from: u64,
}

impl Cursor {
    /// The beginning of the segment whose first batch is `first_seq`.
    pub(crate) fn open(disk: &dyn Disk, first_seq: Seq) -> io::Result<Self> {
        Self::at_start(disk.open(&segment::name(first_seq))?)
    }

    fn at_start(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let mut header = [0; SegmentHeader::BYTES];
        file.read(&mut header, 0)?;
        let header = SegmentHeader::decode(&header);
        let header =
            header.map_err(|_bad| io::Error::other("the header of a journal segment cannot be read"))?;
        let length = file.length()?;
        let offset = SEGMENT_HEADER_BYTES;
        Ok(Self {
            file,
            journal: header.journal,
            length,
            offset,
            buffer: Vec::new(),
            buffered_from: offset,
        })
    }

    /// The next batch, which must be durable; `None` at the segment's end. Frames without records are passed over.
    /// `fresh` forgets what was buffered, because more may have been written since.
    pub(crate) fn next(&mut self) -> io::Result<Option<(FrameHeader, &[u8])>> {
        loop {
            let Some(frame) = self.header()? else {
                return Ok(None);
            };
            if !self.buffered(frame.frame_bytes())? {
                return Ok(None);
            }
            let start = usize::try_from(self.offset - self.buffered_from).expect("within the buffer");
            let payload = start + FRAME_HEADER_BYTES..start + FRAME_HEADER_BYTES + frame.payload_bytes();
            if !frame.matches(&self.buffer[payload.clone()], &self.journal) {
                return Ok(None);
            }
            self.offset += u64::try_from(frame.frame_bytes()).expect("within a file");
            if frame.count > 0 {
                return Ok(Some((frame, &self.buffer[payload])));
            }
        }
    }

    /// What was buffered may have been read before it was written.
    pub(crate) fn forget_buffer(&mut self) {
        self.buffer.clear();
        self.buffered_from = self.offset;
    }

    fn header(&mut self) -> io::Result<Option<FrameHeader>> {
        if !self.buffered(FRAME_HEADER_BYTES)? {
            return Ok(None);
        }
        let start = usize::try_from(self.offset - self.buffered_from).expect("within the buffer");
        Ok(FrameHeader::decode(&self.buffer[start..], &self.journal))
    }

    /// Sees to it that `bytes` from the offset are buffered; false when the file ends before.
    fn buffered(&mut self, bytes: usize) -> io::Result<bool> {
        let wanted = u64::try_from(bytes).expect("within a file");
        if self.offset + wanted <= self.buffered_from + u64::try_from(self.buffer.len()).expect("a buffer") {
            return Ok(true);
        }
        if self.offset + wanted > self.length {
            return Ok(false);
        }
        let left = usize::try_from(self.length - self.offset).unwrap_or(usize::MAX);
        self.buffer.resize(left.min(READ_BYTES.max(bytes)), 0);
        self.buffered_from = self.offset;
        self.file.read(&mut self.buffer, self.offset)?;
        Ok(true)
    }
}

/// Reads the records of a frame.
pub(crate) fn entry(frame: &FrameHeader, payload: &[u8]) -> Result<Entry, UnreadableRecord> {
    Ok(Entry {
        seq: frame.seq,
        records: record::read_all(payload, frame.count)?,
    })
}

/// A frozen journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrozenError {
    /// The files.
    #[error("the frozen journal cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// A record.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecord),
}

/// Hands every batch after `after` in a directory of frozen segments (see [`crate::freeze`]) to `take`, in order. It
/// ends where the journal ended when it was frozen or a little later; a batch that was being written does not count.
pub fn frozen_entries<E: From<FrozenError>>(
    frozen: &Path,
    after: Seq,
    mut take: impl FnMut(Entry) -> Result<(), E>,
) -> Result<Seq, E> {
    let disk = |error: io::Error| FrozenError::Disk(error);
    let mut first_seqs: Vec<Seq> = Vec::new();
    for entry in std::fs::read_dir(frozen).map_err(disk)? {
        let name = entry.map_err(disk)?.file_name();
        first_seqs.extend(name.to_str().and_then(segment::first_seq));
    }
    first_seqs.sort_unstable();
    let mut last = after;
    for first_seq in first_seqs {
        let path = frozen.join(segment::name(first_seq));
        let file: Arc<dyn DiskFile> = Arc::new(ReadOnly(File::open(path).map_err(disk)?));
        let mut cursor = Cursor::at_start(file).map_err(disk)?;
        while let Some((frame, payload)) = cursor.next().map_err(disk)? {
            if frame.seq == last + 1 {
                let entry = entry(&frame, payload).map_err(FrozenError::Unreadable)?;
                last = frame.seq;
                take(entry)?;
            }
        }
    }
    Ok(last)
}

/// A segment that belongs to another process.
struct ReadOnly(File);

impl DiskFile for ReadOnly {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
