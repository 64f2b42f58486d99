//! Every limit of the journal, in one place.

/// Bytes of a segment when nothing else is configured. Larger makes rolling rarer (it costs two syncs) and the disk
/// fuller; smaller lets the store's progress free the disk sooner.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 << 20;
/// Fewest bytes of a segment.
pub const MIN_SEGMENT_BYTES: u64 = 256 << 10;
/// Most bytes of a segment. Recovery reads a whole one into memory.
pub const MAX_SEGMENT_BYTES: u64 = 256 << 20;
/// Most bytes that one command's record takes: a coupon's terms as JSON. Names and labels are limited to some 5,000
/// characters, of which JSON makes at most six bytes each.
pub const MAX_REVISED_BYTES: usize = 64 << 10;
/// Most requests in one batch, if there is a choice. One write and sync costs a tenth of deciding so many
/// (docs/PERFORMANCE.md, P4); with more, those who ask and the one who decides wait for each other in turns.
pub const LARGEST_BATCH: usize = 1_024;
/// Most bytes of all the records of one batch, and never more than half a segment; what does not fit goes to the
/// next.
pub const MAX_BATCH_BYTES: usize = 2 << 20;
/// Bytes that a reader takes from a segment at once.
pub const READ_BYTES: usize = 1 << 20;
