//! Appends frames to the journal: one write and one sync a batch. After the first failure nothing is ever written
//! again (poison): what a failed sync left behind is known to nobody until the process has restarted and recovered.

use crate::disk::{Disk, DiskFile};
use crate::frame::{
    FRAME_ALIGNMENT, FRAME_HEADER_BYTES, Frame, JournalId, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::preparer::Preparer;
use crate::segment::{self, PREPARED, Segments};
use coupon_app::Seq;
use std::io;
use std::sync::Arc;

/// The end of the journal.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    journal: JournalId,
    segment_bytes: u64,
    preparer: Preparer,
    segments: Arc<Segments>,
    active: Option<Active>,
    last_seq: Seq,
    poisoned: bool,
}

/// The segment being written.
pub(crate) struct Active {
    /// Its file.
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where the next frame goes.
    pub(crate) offset: u64,
    /// Its length.
    pub(crate) bytes: u64,
}

/// Why there is no room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RollError {
    /// No segment could be prepared. Nothing has changed; it may go better later.
    #[error("no room for the next journal segment: {0}")]
    NoRoom(#[source] io::Error),
    /// The new segment could not be made durable.
    #[error("the next journal segment could not be made durable: {0}")]
    Poisoned(#[source] io::Error),
}

impl Writer {
    /// A writer behind the batch `last_seq`.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        journal: JournalId,
        segment_bytes: u64,
        preparer: Preparer,
        segments: Arc<Segments>,
        active: Option<Active>,
        last_seq: Seq,
    ) -> Self {
        Self {
            disk,
            journal,
            segment_bytes,
            preparer,
            segments,
            active,
            last_seq,
            poisoned: false,
        }
    }

    /// The last batch.
    pub(crate) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Whether an earlier write failed.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Makes sure that a frame with so many bytes of records fits, and a vouching frame after it.
    pub(crate) fn make_room(&mut self, payload_bytes: usize) -> Result<(), RollError> {
        let frames =
            (FRAME_HEADER_BYTES + payload_bytes + FRAME_ALIGNMENT) + (FRAME_HEADER_BYTES + FRAME_ALIGNMENT);
        let needed = u64::try_from(frames).unwrap_or(u64::MAX);
        match &self.active {
            Some(active) if active.bytes - active.offset >= needed => Ok(()),
            Some(_) | None => self.roll(),
        }
    }

    /// Begins a new segment after the last batch.
    pub(crate) fn roll(&mut self) -> Result<(), RollError> {
        let file = self.preparer.take().map_err(RollError::NoRoom)?;
        let first_seq = self.last_seq + 1;
        let made = self.name_segment(file.as_ref(), first_seq);
        self.poisoned |= made.is_err();
        made.map_err(RollError::Poisoned)?;
        self.segments.push(first_seq);
        self.active = Some(Active {
            file,
            offset: SEGMENT_HEADER_BYTES,
            bytes: self.segment_bytes,
        });
        self.preparer.order();
        Ok(())
    }

    fn name_segment(&self, file: &dyn DiskFile, first_seq: Seq) -> io::Result<()> {
        let header = SegmentHeader {
            journal: self.journal,
            first_seq,
            bytes: self.segment_bytes,
        };
        file.write(&header.encode(), 0)?;
        file.sync()?;
        self.disk.rename(PREPARED, &segment::name(first_seq))?;
        self.disk.sync_names()
    }

    /// Writes the frame as the next batch and syncs it.
    pub(crate) fn append(&mut self, frame: &mut Frame) -> io::Result<Seq> {
        let seq = self.last_seq + 1;
        self.write(frame, seq)?;
        self.last_seq = seq;
        Ok(seq)
    }

    /// Writes a frame without records that vouches for everything before it.
    pub(crate) fn vouch(&mut self, frame: &mut Frame) -> io::Result<()> {
        frame.begin();
        self.write(frame, self.last_seq)
    }

    fn write(&mut self, frame: &mut Frame, seq: Seq) -> io::Result<()> {
        let bytes = frame.finish(&self.journal, seq, self.last_seq);
        let active = self
            .active
            .as_mut()
            .expect("make_room has seen to it that there is a segment");
        let written = active
            .file
            .write(bytes, active.offset)
            .and_then(|()| active.file.sync());
        self.poisoned |= written.is_err();
        written?;
        active.offset += u64::try_from(bytes.len()).expect("a frame is far smaller");
        Ok(())
    }
}
