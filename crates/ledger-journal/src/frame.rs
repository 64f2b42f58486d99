//! The frame of a batch and the header of a segment, to the byte. docs/JOURNAL-FORMAT.md is the same in prose.
//!
//! Numbers are little-endian. Checksums are CRC-32C and start from the journal's id, 16 random bytes, so that bytes
//! which a client chose can never pass for a frame.

use coupon_app::Seq;

/// Bytes before the first frame of a segment. A whole page, so that no batch ever shares a sector with the header.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4_096;
/// Bytes of a frame before its records.
pub(crate) const FRAME_HEADER_BYTES: usize = 36;
/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGNMENT: usize = 8;

const SEGMENT_MAGIC: [u8; 8] = *b"FCJOURNL";
const FRAME_MAGIC: [u8; 4] = *b"FCB1";
const FORMAT_VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;

/// The id of a journal.
pub(crate) type JournalId = [u8; 16];

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Which journal it belongs to.
    pub(crate) journal: JournalId,
    /// The number of the first batch in it. Every batch before was synced when the segment was made.
    pub(crate) first_seq: Seq,
    /// The bytes it was made with.
    pub(crate) bytes: u64,
}

/// Why a segment's header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// It is not one, or it is damaged.
    Damaged,
    /// It was written by a later format.
    Version(u32),
}

impl SegmentHeader {
    /// Its 64 bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.journal);
        bytes[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.bytes.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the first bytes of a segment.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BadHeader> {
        if bytes[..8] != SEGMENT_MAGIC {
            return Err(BadHeader::Damaged);
        }
        if crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(BadHeader::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version != FORMAT_VERSION {
            return Err(BadHeader::Version(version));
        }
        let mut journal = [0; 16];
        journal.copy_from_slice(&bytes[16..32]);
        Ok(Self {
            journal,
            first_seq: u64_at(bytes, 32),
            bytes: u64_at(bytes, 40),
        })
    }

    /// Bytes that [`SegmentHeader::decode`] wants.
    pub(crate) const BYTES: usize = HEADER_BYTES;
}

/// The header of a frame whose own checksum holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The number of the batch; of a vouching frame, that of the last batch before it.
    pub(crate) seq: Seq,
    /// Every batch up to here was synced when this frame was written.
    pub(crate) synced: Seq,
    /// How many records follow; a vouching frame has none.
    pub(crate) count: u32,
    payload_bytes: u32,
    payload_checksum: u32,
}

impl FrameHeader {
    /// Reads a header, if these bytes are one of this journal.
    pub(crate) fn decode(bytes: &[u8], journal: &JournalId) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        if bytes[..4] != FRAME_MAGIC || checksum(journal, &bytes[..32]) != u32_at(bytes, 32) {
            return None;
        }
        Some(Self {
            payload_bytes: u32_at(bytes, 4),
            seq: u64_at(bytes, 8),
            synced: u64_at(bytes, 16),
            count: u32_at(bytes, 24),
            payload_checksum: u32_at(bytes, 28),
        })
    }

    /// Bytes of the records.
    pub(crate) fn payload_bytes(&self) -> usize {
        usize::try_from(self.payload_bytes).expect("a usize holds 32 bits on every machine this runs on")
    }

    /// Bytes of the whole frame with its padding.
    pub(crate) fn frame_bytes(&self) -> usize {
        (FRAME_HEADER_BYTES + self.payload_bytes()).next_multiple_of(FRAME_ALIGNMENT)
    }

    /// Whether these are the records that the header was written for.
    pub(crate) fn matches(&self, payload: &[u8], journal: &JournalId) -> bool {
        payload.len() == self.payload_bytes() && checksum(journal, payload) == self.payload_checksum
    }
}

/// A frame being filled. Keeps its memory from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    count: u32,
}

impl Frame {
    /// Begins an empty one.
    pub(crate) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.resize(FRAME_HEADER_BYTES, 0);
        self.count = 0;
    }

    /// Adds a record that `write` appends.
    pub(crate) fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.count += 1;
    }

    /// How many records it has.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of its records so far.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.bytes.len() - FRAME_HEADER_BYTES
    }

    /// Writes header and padding, and gives the bytes to be written to the segment.
    pub(crate) fn finish(&mut self, journal: &JournalId, seq: Seq, synced: Seq) -> &[u8] {
        let payload_checksum = checksum(journal, &self.bytes[FRAME_HEADER_BYTES..]);
        let payload_bytes = u32::try_from(self.payload_bytes()).expect("a batch has at most MAX_BATCH_BYTES");
        let header = &mut self.bytes[..FRAME_HEADER_BYTES];
        header[..4].copy_from_slice(&FRAME_MAGIC);
        header[4..8].copy_from_slice(&payload_bytes.to_le_bytes());
        header[8..16].copy_from_slice(&seq.to_le_bytes());
        header[16..24].copy_from_slice(&synced.to_le_bytes());
        header[24..28].copy_from_slice(&self.count.to_le_bytes());
        header[28..32].copy_from_slice(&payload_checksum.to_le_bytes());
        let header_checksum = checksum(journal, &header[..32]);
        header[32..].copy_from_slice(&header_checksum.to_le_bytes());
        self.bytes
            .resize(self.bytes.len().next_multiple_of(FRAME_ALIGNMENT), 0);
        &self.bytes
    }
}

fn checksum(journal: &JournalId, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(journal), bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
