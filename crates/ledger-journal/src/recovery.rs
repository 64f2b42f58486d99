//! Reads the journal at start, and tells apart what a crash may leave behind from what must never be.
//!
//! Every batch says that all batches before it were synced when it was written. So:
//!
//! * Damage that a later batch vouches for, or that the store has applied past, is damage to what was durable and
//!   perhaps answered. The journal refuses to open and says what to do.
//! * Damage in the last batch, torn or partly kept, is what a crash before the sync leaves. It was not answered. It is
//!   cut off and reported by its number; if the store has that batch, it is taken from there.

use crate::books::{Books, Contradiction};
use crate::disk::{Disk, DiskFile};
use crate::frame::{
    BadHeader, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, JournalId, SEGMENT_HEADER_BYTES,
    SegmentHeader,
};
use crate::record::{self, UnreadableRecord};
use crate::segment::{self, PREPARED};
use coupon_app::{Seq, StoreError};
use std::fmt;
use std::io;
use std::sync::Arc;

/// What was found at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The last batch that the store had applied.
    pub applied: Seq,
    /// The last batch that is there now.
    pub last_seq: Seq,
    /// Batches replayed from the journal's tail.
    pub replayed_batches: u64,
    /// Records in these.
    pub replayed_records: u64,
    /// Damage in the last batch that was cut off.
    pub cut: Option<Cut>,
    /// Segments that were shorter than they were made, although nothing that was written is missing.
    pub shortened: Vec<String>,
}

/// A last batch that was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment's file name.
    pub segment: String,
    /// Where the damage begins, in bytes.
    pub offset: u64,
    /// The number of the batch.
    pub seq: Seq,
    /// How many records it had, if that can still be read.
    pub records: Option<u32>,
    /// Whether the store has the batch, so that nothing is missing.
    pub in_store: bool,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "journal at batch {}, store at {}, {} records of {} batches replayed",
            self.last_seq, self.applied, self.replayed_records, self.replayed_batches
        )?;
        if let Some(cut) = &self.cut {
            let records = cut
                .records
                .map_or("an unknown number of".to_owned(), |count| count.to_string());
            write!(
                f,
                "; batch {} ({records} records) was damaged at {} in {}: ",
                cut.seq, cut.offset, cut.segment
            )?;
            f.write_str(if cut.in_store {
                "taken from the store, nothing is missing"
            } else {
                "it was never known to be durable, and was cut off"
            })?;
        }
        for name in &self.shortened {
            write!(f, "; {name} was shorter than made, with nothing missing")?;
        }
        Ok(())
    }
}

/// The journal does not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error("the journal cannot be read or written: {0}")]
    Disk(#[from] io::Error),
    /// The store failed.
    #[error("the store cannot be loaded: {0}")]
    Store(#[from] StoreError),
    /// A newer program wrote it.
    #[error(
        "journal segment {segment} has format version {version}, which this program does not know; run the version of firstcome that wrote it, or a later one"
    )]
    NewerFormat {
        /// The file.
        segment: String,
        /// Its version.
        version: u32,
    },
    /// What was durable is damaged or missing.
    #[error(
        "the journal is damaged where it was durable: {0}. Issued coupons that were answered may be affected, so nothing was changed and the server does not start. Copy the data directory as it is; then put back an undamaged copy of the file if there is one, or restore the last backup with `firstcome restore` into an empty directory, and compare with `firstcome verify`"
    )]
    Damaged(Damage),
    /// Sound records that contradict each other or the store.
    #[error(
        "{0}; the journal and the store do not belong together, or one of them was changed by hand. Put both back from the same backup with `firstcome restore`"
    )]
    Contradiction(#[from] Contradiction),
    /// A sound record that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecord),
}

/// Damage to what was durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A segment's header.
    #[error("the header of {segment} cannot be read")]
    Header {
        /// The file.
        segment: String,
    },
    /// Segments of another journal.
    #[error("{segment} belongs to another journal")]
    Foreign {
        /// The file.
        segment: String,
    },
    /// A batch that a later one vouches for.
    #[error(
        "batch {seq} at byte {offset} of {segment} is damaged, and a later batch says that it was durable"
    )]
    Vouched {
        /// The file.
        segment: String,
        /// Where.
        offset: u64,
        /// Which batch.
        seq: Seq,
    },
    /// The journal ends before the store.
    #[error("it ends with batch {last}, but the store has applied batch {applied}")]
    BehindStore {
        /// The journal's last.
        last: Seq,
        /// The store's last.
        applied: Seq,
    },
    /// Batches between the store and the journal, or between segments.
    #[error("batches {from} to {to} are missing")]
    Missing {
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// A file that was cut short where records may have been.
    #[error(
        "{segment} is {bytes} bytes long but was made with {made}, and where its records end cannot be seen"
    )]
    Truncated {
        /// The file.
        segment: String,
        /// Its length.
        bytes: u64,
        /// The length it should have.
        made: u64,
    },
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// A journal that was read.
pub(crate) struct Recovered {
    pub(crate) report: Recovery,
    /// `None` for a new journal.
    pub(crate) journal: Option<JournalId>,
    /// First batches of the segments to keep.
    pub(crate) segments: Vec<Seq>,
    /// Segments that the store has entirely.
    pub(crate) obsolete: Vec<String>,
    /// Where writing goes on, unless a new segment must be begun.
    pub(crate) end: Option<End>,
}

/// The end of the last segment.
pub(crate) struct End {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// The last frame in this segment, to be written again: a sync may have failed in the life before, and the
    /// kernel forgets that it did.
    pub(crate) last_frame: Option<(u64, Vec<u8>)>,
    /// Up to here remains of a damaged batch must be wiped out.
    pub(crate) wipe_to: Option<u64>,
    /// Writing must go on in a new segment.
    pub(crate) roll: bool,
}

struct Found {
    name: String,
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    length: u64,
}

/// Reads everything after batch `applied` into `books`. Changes nothing on the disk.
pub(crate) fn recover(disk: &dyn Disk, applied: Seq, books: &mut Books) -> Result<Recovered, OpenError> {
    let mut found = find_segments(disk)?;
    // A segment that begins at or before the batch wanted next makes all older ones superfluous.
    let start = found.iter().rposition(|one| one.header.first_seq <= applied + 1);
    let Some(start) = start else {
        return match found.first() {
            None if applied == 0 => Ok(Recovered::new_journal()),
            None => Err(Damage::BehindStore { last: 0, applied }.into()),
            Some(first) => Err(Damage::Missing {
                from: applied + 1,
                to: first.header.first_seq - 1,
            }
            .into()),
        };
    };
    let obsolete: Vec<String> = found.drain(..start).map(|one| one.name).collect();
    let mut scan = Scan {
        applied,
        next: found[0].header.first_seq,
        books,
        report: Recovery {
            applied,
            ..Recovery::default()
        },
        end: None,
    };
    for (index, one) in found.iter().enumerate() {
        if one.header.first_seq != scan.next {
            return Err(Damage::Missing {
                from: scan.next,
                to: one.header.first_seq - 1,
            }
            .into());
        }
        scan.segment(one, index + 1 == found.len())?;
    }
    let last = scan.next - 1;
    if applied > last + 1 {
        return Err(Damage::BehindStore { last, applied }.into());
    }
    let mut report = scan.report;
    let mut end = scan.end.expect("the last segment was scanned");
    if applied == last + 1 {
        // The store has one batch more: the damaged one, or one of which nothing was kept at all.
        report.cut.get_or_insert_with(|| Cut {
            segment: found[found.len() - 1].name.clone(),
            offset: end.offset,
            seq: applied,
            records: None,
            in_store: true,
        });
        end.roll = true;
    }
    report.last_seq = last.max(applied);
    Ok(Recovered {
        report,
        journal: Some(found[0].header.journal),
        segments: found.iter().map(|one| one.header.first_seq).collect(),
        obsolete,
        end: Some(end),
    })
}

impl Recovered {
    fn new_journal() -> Self {
        Self {
            report: Recovery::default(),
            journal: None,
            segments: Vec::new(),
            obsolete: Vec::new(),
            end: None,
        }
    }
}

fn find_segments(disk: &dyn Disk) -> Result<Vec<Found>, OpenError> {
    let mut names: Vec<(Seq, String)> = Vec::new();
    for name in disk.names()? {
        if let Some(first_seq) = segment::first_seq(&name) {
            names.push((first_seq, name));
        } else if name != PREPARED {
            tracing::warn!(
                file = name,
                "a file in the journal's directory is none of its own; it is left alone"
            );
        }
    }
    names.sort_unstable();
    let mut found: Vec<Found> = Vec::new();
    for (first_seq, name) in names {
        let file = disk.open(&name)?;
        let length = file.length()?;
        let mut bytes = [0; SegmentHeader::BYTES];
        if length < SEGMENT_HEADER_BYTES {
            return Err(Damage::Header { segment: name }.into());
        }
        file.read(&mut bytes, 0)?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) if header.first_seq == first_seq && header.bytes >= length => header,
            Ok(_) | Err(BadHeader::Damaged) => return Err(Damage::Header { segment: name }.into()),
            Err(BadHeader::Version(version)) => {
                return Err(OpenError::NewerFormat {
                    segment: name,
                    version,
                });
            }
        };
        if found
            .first()
            .is_some_and(|first| first.header.journal != header.journal)
        {
            return Err(Damage::Foreign { segment: name }.into());
        }
        found.push(Found {
            name,
            file,
            header,
            length,
        });
    }
    Ok(found)
}

struct Scan<'a> {
    applied: Seq,
    /// The batch that is due.
    next: Seq,
    books: &'a mut Books,
    report: Recovery,
    end: Option<End>,
}

impl Scan<'_> {
    fn segment(&mut self, one: &Found, is_last: bool) -> Result<(), OpenError> {
        let mut bytes = vec![0; usize::try_from(one.length).map_err(io::Error::other)?];
        one.file.read(&mut bytes, 0)?;
        let mut at = usize::try_from(SEGMENT_HEADER_BYTES).expect("a small constant");
        let mut last_frame = None;
        while let Some(frame) = read_frame(&bytes, at, &one.header.journal, self.next) {
            if frame.count > 0 {
                self.batch(&frame, payload(&bytes, at, &frame))?;
            }
            last_frame = Some((at, frame.frame_bytes()));
            at += frame.frame_bytes();
        }
        let offset = u64::try_from(at).expect("within a file");
        let rest = &bytes[at.min(bytes.len())..];
        let whole = one.length == one.header.bytes;
        let mut wipe_to = None;
        if rest.iter().any(|byte| *byte != 0) {
            self.damage(one, &bytes, at, is_last)?;
            let kept = rest
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            wipe_to = Some(offset + u64::try_from(kept).expect("within a file"));
        } else if !whole {
            if rest.len() < FRAME_HEADER_BYTES {
                let (bytes, made) = (one.length, one.header.bytes);
                return Err(Damage::Truncated {
                    segment: one.name.clone(),
                    bytes,
                    made,
                }
                .into());
            }
            self.report.shortened.push(one.name.clone());
        }
        if is_last {
            self.end = Some(End {
                file: Arc::clone(&one.file),
                offset,
                bytes: one.header.bytes,
                last_frame: last_frame.map(|(at, length)| {
                    (
                        u64::try_from(at).expect("within a file"),
                        bytes[at..at + length].to_vec(),
                    )
                }),
                wipe_to,
                roll: !whole,
            });
        }
        Ok(())
    }

    fn batch(&mut self, frame: &FrameHeader, payload: &[u8]) -> Result<(), OpenError> {
        if frame.seq > self.applied {
            let records = record::read_all(payload, frame.count)?;
            self.books.replay(&records)?;
            self.report.replayed_batches += 1;
            self.report.replayed_records += u64::from(frame.count);
        }
        self.next = frame.seq + 1;
        Ok(())
    }

    /// The batch that is due stands at `at` and is damaged. Either that is the last one, or it is an error.
    fn damage(&mut self, one: &Found, bytes: &[u8], at: usize, is_last: bool) -> Result<(), OpenError> {
        let offset = u64::try_from(at).expect("within a file");
        let journal = &one.header.journal;
        if !is_last || is_vouched_for(bytes, at, journal, self.next) {
            return Err(Damage::Vouched {
                segment: one.name.clone(),
                offset,
                seq: self.next,
            }
            .into());
        }
        if self.applied > self.next {
            return Err(Damage::BehindStore {
                last: self.next - 1,
                applied: self.applied,
            }
            .into());
        }
        if one.length < one.header.bytes {
            let (bytes, made) = (one.length, one.header.bytes);
            return Err(Damage::Truncated {
                segment: one.name.clone(),
                bytes,
                made,
            }
            .into());
        }
        let header = FrameHeader::decode(&bytes[at..], journal).filter(|header| header.seq == self.next);
        self.report.cut = Some(Cut {
            segment: one.name.clone(),
            offset,
            seq: self.next,
            records: header.map(|header| header.count),
            in_store: self.applied == self.next,
        });
        Ok(())
    }
}

/// The sound frame at `at`, if it is the one that is due or vouches for the one before.
fn read_frame(bytes: &[u8], at: usize, journal: &JournalId, due: Seq) -> Option<FrameHeader> {
    let frame = FrameHeader::decode(bytes.get(at..)?, journal)?;
    let seq = if frame.count == 0 { due - 1 } else { due };
    let end = at + FRAME_HEADER_BYTES + frame.payload_bytes();
    let sound = frame.seq == seq
        && frame.synced == due - 1
        && bytes.len() >= at + frame.frame_bytes()
        && frame.matches(&bytes[at + FRAME_HEADER_BYTES..end], journal);
    sound.then_some(frame)
}

fn payload<'a>(bytes: &'a [u8], at: usize, frame: &FrameHeader) -> &'a [u8] {
    &bytes[at + FRAME_HEADER_BYTES..][..frame.payload_bytes()]
}

/// Whether a frame after `at` says that batch `seq` was synced.
fn is_vouched_for(bytes: &[u8], at: usize, journal: &JournalId, seq: Seq) -> bool {
    let later = (at + FRAME_ALIGNMENT..bytes.len()).step_by(FRAME_ALIGNMENT);
    later
        .filter_map(|at| FrameHeader::decode(&bytes[at..], journal))
        .any(|frame| frame.synced >= seq)
}
