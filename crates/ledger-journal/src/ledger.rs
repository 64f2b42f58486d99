//! The ledger port over books and journal.

use crate::books::{Books, FORESIGHT};
use crate::disk::Disk;
use crate::frame::{Frame, JournalId};
use crate::limits::{
    DEFAULT_SEGMENT_BYTES, LARGEST_BATCH, MAX_BATCH_BYTES, MAX_REVISED_BYTES, MAX_SEGMENT_BYTES,
    MIN_SEGMENT_BYTES,
};
use crate::outbox::{Durable, JournalOutbox};
use crate::preparer::Preparer;
use crate::record::{self, MAX_ISSUED_BYTES};
use crate::recovery::{End, OpenError, Recovered, Recovery, recover};
use crate::segment::{self, Segments};
use crate::writer::{Active, RollError, Writer};
use async_trait::async_trait;
use coupon_app::{
    Answer, Board, Clock, Health, IssueLedger, LedgerError, Outbox, Reason, RecordStore, Reply, Request,
};
use coupon_core::{CouponId, Outcome};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// Bytes of each new segment, from [`crate::limits::MIN_SEGMENT_BYTES`] to
    /// [`crate::limits::MAX_SEGMENT_BYTES`]; values outside are pulled in.
    pub segment_bytes: u64,
    /// Whether a thread makes the next segment ready in advance. Without it rolling takes as long as writing a
    /// segment of zeros; tests do without, so that events have one order.
    pub prepare_ahead: bool,
}

impl JournalOptions {
    fn segment_bytes(self) -> u64 {
        self.segment_bytes.clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES)
    }

    fn batch_bytes(self) -> usize {
        usize::try_from(self.segment_bytes() / 2).map_or(MAX_BATCH_BYTES, |half| half.min(MAX_BATCH_BYTES))
    }
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            prepare_ahead: true,
        }
    }
}

/// The embedded ledger.
pub struct JournalLedger {
    desk: Mutex<Desk>,
    outbox: Arc<JournalOutbox>,
}

/// What the one owner works with. The lock is never contended: the combiner calls from one thread.
struct Desk {
    books: Books,
    writer: Writer,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    durable: watch::Sender<Durable>,
    frame: Frame,
    /// Hashes of the users of the requests that are decided next.
    hashes: Vec<u32>,
    /// Most bytes of the records of one batch.
    batch_bytes: usize,
    /// Coupons that the batch at hand has changed.
    touched: Vec<CouponId>,
    /// Why there was no room for the last batch.
    no_room: Option<String>,
    closed: bool,
}

impl std::fmt::Debug for JournalLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalLedger")
            .field("outbox", &self.outbox)
            .finish_non_exhaustive()
    }
}

impl JournalLedger {
    /// Loads the store, reads the journal's tail, and is ready for the next batch. When it refuses, nothing on the
    /// disk has changed.
    pub async fn open(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        store: &dyn RecordStore,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
    ) -> Result<(Self, Recovery), OpenError> {
        let mut books = Books::default();
        let applied = store.load(&mut books).await?;
        let mut books = books.loaded()?;
        for book in books.all() {
            board.post_coupon(&book.coupon);
            board.post_stored(book.coupon.id, book.standing.issued);
        }
        let recovered = recover(disk.as_ref(), applied, &mut books)?;
        let report = recovered.report.clone();
        let (writer, segments) = continue_journal(&disk, options, recovered)?;
        for book in books.all() {
            board.post_coupon(&book.coupon);
            let (first, last) = (book.first_issued_at, book.standing.last_issued_at);
            board.post_issued(book.coupon.id, book.standing.issued, first, last);
        }
        let (durable, follow) = watch::channel(Durable {
            seq: writer.last_seq(),
            ended: false,
        });
        let outbox = Arc::new(JournalOutbox::new(disk, segments, follow));
        let desk = Desk {
            books,
            writer,
            clock,
            board,
            durable,
            frame: Frame::default(),
            hashes: Vec::with_capacity(FORESIGHT),
            batch_bytes: options.batch_bytes(),
            touched: Vec::new(),
            no_room: None,
            closed: false,
        };
        Ok((
            Self {
                desk: Mutex::new(desk),
                outbox,
            },
            report,
        ))
    }

    /// Where the store gets the records from.
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.outbox) as Arc<dyn Outbox>
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins an empty journal behind batch `applied`, for a store that was restored from a backup.
pub fn begin_after(
    disk: &Arc<dyn Disk>,
    options: JournalOptions,
    applied: coupon_app::Seq,
) -> io::Result<()> {
    let segments = Arc::new(Segments::default());
    let mut writer = new_writer(disk, options, new_journal_id()?, segments, None, applied)?;
    writer.roll().map_err(io::Error::other)
}

fn new_journal_id() -> io::Result<JournalId> {
    let mut journal = JournalId::default();
    getrandom::fill(&mut journal).map_err(io::Error::other)?;
    Ok(journal)
}

fn new_writer(
    disk: &Arc<dyn Disk>,
    options: JournalOptions,
    journal: JournalId,
    segments: Arc<Segments>,
    active: Option<Active>,
    last_seq: coupon_app::Seq,
) -> io::Result<Writer> {
    let bytes = options.segment_bytes();
    let preparer = if options.prepare_ahead {
        Preparer::ahead(Arc::clone(disk), bytes)?
    } else {
        Preparer::on_demand(Arc::clone(disk), bytes)
    };
    Ok(Writer::new(
        Arc::clone(disk),
        journal,
        bytes,
        preparer,
        segments,
        active,
        last_seq,
    ))
}

/// Mends the end of the journal and makes everything that was read durable, before anything is answered from it.
fn continue_journal(
    disk: &Arc<dyn Disk>,
    options: JournalOptions,
    recovered: Recovered,
) -> io::Result<(Writer, Arc<Segments>)> {
    let Recovered {
        report,
        journal,
        segments,
        obsolete,
        end,
    } = recovered;
    let segments = Arc::new(Segments::new(segments));
    let journal = journal.map_or_else(new_journal_id, Ok)?;
    let mut roll = true;
    let mut active = None;
    if let Some(end) = end {
        // The life before may have died between naming a segment and making the name durable.
        disk.sync_names()?;
        mend(&end)?;
        roll = end.roll;
        active = Some(Active {
            file: end.file,
            offset: end.offset,
            bytes: end.bytes,
        });
    }
    let mut writer = new_writer(
        disk,
        options,
        journal,
        Arc::clone(&segments),
        active,
        report.last_seq,
    )?;
    if roll {
        writer.roll().map_err(io::Error::other)?;
    }
    writer.make_room(0).map_err(io::Error::other)?;
    writer.vouch(&mut Frame::default())?;
    for name in obsolete {
        disk.remove(&name)?;
    }
    Ok((writer, segments))
}

/// Wipes out what is left of a damaged batch, and writes the last sound one again: if its sync failed in the life
/// before, the kernel may take its pages for clean although they never reached the disk.
fn mend(end: &End) -> io::Result<()> {
    if let Some(wipe_to) = end.wipe_to {
        let length = usize::try_from(wipe_to - end.offset).map_err(io::Error::other)?;
        end.file.write(&vec![0; length], end.offset)?;
        end.file.sync()?;
    }
    if let Some((offset, frame)) = &end.last_frame {
        end.file.write(frame, *offset)?;
        end.file.sync()?;
    }
    Ok(())
}

#[async_trait]
impl IssueLedger for JournalLedger {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        self.desk().commit(requests, answers);
    }

    fn largest_batch(&self) -> usize {
        LARGEST_BATCH
    }

    fn health(&self) -> Health {
        self.desk().health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.desk().close()
    }
}

impl Desk {
    fn commit(&mut self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let mut requests = requests.drain(..);
        self.hashes.clear();
        let mut foreseen = 0;
        while !requests.as_slice().is_empty() {
            if let Err(reason) = self.make_ready() {
                answers.extend(
                    requests
                        .by_ref()
                        .map(|_| Err(LedgerError::Unavailable(reason.clone()))),
                );
                return;
            }
            let first = answers.len();
            let clock = self.clock.now();
            self.frame.begin();
            while self.frame.payload_bytes() + MAX_REVISED_BYTES <= self.batch_bytes {
                if foreseen == self.hashes.len() {
                    self.foresee(requests.as_slice());
                    foreseen = 0;
                }
                let Some(request) = requests.next() else { break };
                answers.push(Ok(self.decide(request, self.hashes[foreseen], clock)));
                foreseen += 1;
            }
            if let Err(error) = self.make_durable() {
                tracing::error!(%error, "the journal could not be written; the server must be restarted");
                let failed = LedgerError::Indeterminate(Reason::adapter(error));
                answers[first..].fill_with(|| Err(failed.clone()));
            }
        }
    }

    /// Whether a batch of any size can be decided and written. Asked before deciding, so that a full disk leaves
    /// nothing half done.
    fn make_ready(&mut self) -> Result<(), Reason> {
        if self.closed {
            return Err(Reason::Closing);
        }
        if self.writer.is_poisoned() {
            return Err(Reason::Poisoned);
        }
        let room = self.writer.make_room(self.batch_bytes);
        self.no_room = room.as_ref().err().map(ToString::to_string);
        room.map_err(|error| match error {
            RollError::NoRoom(error) => Reason::adapter(error),
            RollError::Poisoned(_) => Reason::Poisoned,
        })
    }

    /// Hashes the users of the next requests.
    fn foresee(&mut self, requests: &[Request]) {
        let next = &requests[..FORESIGHT.min(requests.len())];
        let users = next.iter().map(|request| match request {
            Request::Issue(issue) => Some((issue.coupon, &issue.user)),
            Request::Command(_) | Request::Look(_) => None,
        });
        self.books.foresee(users, &mut self.hashes);
    }

    fn decide(&mut self, request: Request, hash: u32, clock: coupon_core::Timestamp) -> Reply {
        match request {
            Request::Issue(request) => {
                let outcome = self.books.issue(&request, hash, clock);
                if let Outcome::Issued(grant) = &outcome {
                    let (coupon, key) = (request.coupon, request.key);
                    self.frame
                        .record(|bytes| record::write_issued(bytes, coupon, &request.user, grant, key));
                    self.touch(coupon);
                }
                Reply::Issue(outcome)
            }
            Request::Command(request) => {
                let (outcome, record) = self.books.command(*request, clock);
                if let Some(record) = record {
                    self.frame.record(|bytes| record::write_revised(bytes, &record));
                    self.touch(record.coupon.id);
                }
                Reply::Command(Box::new(outcome))
            }
            Request::Look(look) => Reply::Look(Box::new(self.books.look(*look))),
        }
    }

    fn touch(&mut self, coupon: CouponId) {
        if self.touched.last() != Some(&coupon) {
            self.touched.push(coupon);
        }
    }

    /// Writes and syncs what was decided, then posts it. Only then may it be answered.
    fn make_durable(&mut self) -> io::Result<()> {
        if self.frame.count() == 0 {
            return Ok(());
        }
        let seq = self.writer.append(&mut self.frame)?;
        self.touched.sort_unstable();
        self.touched.dedup();
        for coupon in self.touched.drain(..) {
            if let Some(book) = self.books.book(coupon) {
                self.board.post_coupon(&book.coupon);
                let (first, last) = (book.first_issued_at, book.standing.last_issued_at);
                self.board.post_issued(coupon, book.standing.issued, first, last);
            }
        }
        self.durable.send_replace(Durable { seq, ended: false });
        Ok(())
    }

    fn health(&self) -> Health {
        if self.writer.is_poisoned() {
            return Health::NotReady(
                "a write to the journal failed; restart the server to recover".to_owned(),
            );
        }
        match &self.no_room {
            Some(reason) => Health::NotReady(reason.clone()),
            None if self.closed => Health::NotReady("the server is stopping".to_owned()),
            None => Health::Ready,
        }
    }

    fn close(&mut self) -> Result<(), LedgerError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        let vouched = if self.writer.is_poisoned() {
            Err(LedgerError::Unavailable(Reason::Poisoned))
        } else {
            let vouched = self.writer.vouch(&mut self.frame);
            vouched.map_err(|error| LedgerError::Indeterminate(Reason::adapter(error)))
        };
        self.durable.send_replace(Durable {
            seq: self.writer.last_seq(),
            ended: true,
        });
        vouched
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.durable.send_modify(|durable| durable.ended = true);
    }
}

const _: () = assert!(
    2 * MAX_REVISED_BYTES as u64 <= MIN_SEGMENT_BYTES && MAX_ISSUED_BYTES <= MAX_REVISED_BYTES,
    "a batch of half the smallest segment has room for any record"
);

/// The name of the segment that would hold batch `seq` as its first; for tests that damage files.
pub fn segment_name(seq: coupon_app::Seq) -> String {
    segment::name(seq)
}
