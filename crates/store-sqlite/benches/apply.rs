//! Measures the store: rows a second and CPU of applying and loading, bytes a row, and what a query costs.
//!
//! `cargo bench -p store-sqlite -- [rows] [batch] [directory] [step]`; a million rows in batches of 8,192 unless said
//! otherwise, and as many of them folded at a time as by default. Users come in no order, as in life. Nothing here is a test: it prints.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails is to stop and to show where"
)]

use coupon_app::{
    CouponStore, Entry, IssuedRecord, Record, RecordStore, Restore, RevisedRecord, WalletFilter,
};
use coupon_core::{
    AckLevel, Coupon, CouponId, Grant, Position, Quantity, Span, Strategy, Terms, Timestamp, UserId,
    Validity, Window,
};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use store_sqlite::{Pace, SqliteOptions, SqliteStore};

const START: i64 = 1_790_000_000_000_000;
const VALID_FOR_S: u32 = 30 * 86_400;

fn main() {
    let numbers: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let number =
        |index: usize, default: u32| numbers.get(index).map_or(default, |word| word.parse().unwrap());
    let (rows, batch) = (number(0, 1_000_000), number(1, 8_192));
    let directory = tempfile::tempdir_in(numbers.get(2).map_or(std::env::temp_dir(), PathBuf::from)).unwrap();
    let path = directory.path().join("store.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    let mut options = SqliteOptions::default();
    if let Some(step) = numbers.get(3) {
        options.fold_step = step.parse().unwrap();
    }
    let store = SqliteStore::open(&path, options).unwrap();
    runtime.block_on(store.apply(&[first_entry()])).unwrap();
    apply(&runtime, &store, rows, batch);
    memory();
    queries(&runtime, &store, rows);
    drop(store);

    let start = Instant::now();
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    println!("open: {:.3} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let mut count = Count::default();
    runtime.block_on(store.load(&mut count)).unwrap();
    let elapsed = start.elapsed();
    println!(
        "load: {:.2} M rows/s ({} rows, {} user bytes)",
        f64::from(count.rows) / elapsed.as_secs_f64() / 1e6,
        count.rows,
        count.bytes
    );

    let copy = directory.path().join("copy.db");
    let start = Instant::now();
    let report = store.backup(&copy, Pace::default(), &mut |_| {}).unwrap();
    println!(
        "backup, check and seal: {:.2} s, {} rows",
        start.elapsed().as_secs_f64(),
        report.issued
    );
    #[expect(clippy::cast_precision_loss, reason = "a size is printed")]
    let bytes = std::fs::metadata(&copy).unwrap().len() as f64;
    println!("file: {:.1} bytes/row", bytes / f64::from(rows));
    tables(&copy, rows);
}

fn apply(runtime: &tokio::runtime::Runtime, store: &SqliteStore, rows: u32, batch: u32) {
    let (mut seq, mut position) = (1, 0);
    let (mut busy, mut cpu, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut part_busy, mut part_cpu, mut part_rows) = (Duration::ZERO, Duration::ZERO, 0);
    let part = (rows / 10).max(1);
    let mut next_part = part;
    while position < rows {
        let last = (position + batch).min(rows);
        seq += 1;
        let entries = [Entry {
            seq,
            records: (position + 1..=last)
                .map(|position| Record::Issued(issue(position)))
                .collect(),
        }];
        let (start, start_cpu) = (Instant::now(), thread_cpu());
        let applied = runtime.block_on(store.apply(&entries)).unwrap();
        let (took, took_cpu) = (start.elapsed(), thread_cpu() - start_cpu);
        assert_eq!(applied.written, u64::from(last - position));
        (busy, cpu, longest) = (busy + took, cpu + took_cpu, longest.max(took));
        (part_busy, part_cpu, part_rows) =
            (part_busy + took, part_cpu + took_cpu, part_rows + last - position);
        position = last;
        if position >= next_part {
            line(&format!("apply up to {position}"), part_rows, part_busy, part_cpu);
            (part_busy, part_cpu, part_rows) = (Duration::ZERO, Duration::ZERO, 0);
            next_part = position + part;
        }
    }
    line("apply", rows, busy, cpu);
    println!("longest application: {:.3} s", longest.as_secs_f64());
}

fn line(what: &str, rows: u32, busy: Duration, cpu: Duration) {
    println!(
        "{what}: {:.0} rows/s, {:.2} us of CPU a row",
        f64::from(rows) / busy.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / f64::from(rows)
    );
}

fn queries(runtime: &tokio::runtime::Runtime, store: &SqliteStore, rows: u32) {
    let now =
        Timestamp::from_micros(START + i64::from(VALID_FOR_S) * 1_000_000 + i64::from(rows) * 5).unwrap();
    let filter = WalletFilter {
        state: None,
        now,
        after: None,
        limit: 100,
    };
    let times = 2_000;
    let start = Instant::now();
    for number in 0..times {
        let user = user(1 + number * (rows / times));
        assert_eq!(runtime.block_on(store.wallet(&user, filter)).unwrap().len(), 1);
    }
    println!(
        "wallet: {:.1} us",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    );
    let start = Instant::now();
    let tally = runtime.block_on(store.tally(CouponId::FIRST, now)).unwrap();
    println!(
        "tally: {:.1} us, {} of {} expired",
        start.elapsed().as_secs_f64() * 1e6,
        tally.expired,
        tally.issued
    );
}

fn tables(path: &std::path::Path, rows: u32) {
    let connection = rusqlite::Connection::open(path).unwrap();
    for table in ["issued_coupons", "holders", "issued_blocks"] {
        let size = connection.query_row("SELECT sum(pgsize) FROM dbstat WHERE name = ?1", [table], |row| {
            row.get::<_, f64>(0)
        });
        if let Ok(size) = size {
            println!("{table}: {:.1} bytes/row", size / f64::from(rows));
        }
    }
}

/// The CPU time of this thread, from the scheduler.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for row in status
        .lines()
        .filter(|row| row.starts_with("VmHWM") || row.starts_with("VmRSS"))
    {
        println!("{row}");
    }
}

#[derive(Default)]
struct Count {
    rows: u32,
    bytes: usize,
}

impl Restore for Count {
    fn coupon(&mut self, _: Coupon) {}

    fn issued(&mut self, record: IssuedRecord) {
        self.rows += 1;
        self.bytes += record.user.as_bytes().len();
    }

    fn token(&mut self, _: RevisedRecord, _: coupon_app::CommandToken) {}
}

fn first_entry() -> Entry {
    let at = |micros| Timestamp::from_micros(micros).unwrap();
    let terms = Terms {
        name: "measured".into(),
        window: Window::new(at(START), at(START * 2)).unwrap(),
        quantity: Quantity::UNLIMITED,
        validity: Validity::For(Span::from_secs(VALID_FOR_S)),
        discount: None,
        min_order_amount: 0,
        currency: "KRW".into(),
        time_zone: "Asia/Seoul".into(),
        strategy: Strategy::Journal,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: std::collections::BTreeMap::new(),
    };
    let coupon = Coupon {
        id: CouponId::FIRST,
        revision: 1,
        terms,
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: at(START),
        revised_at: at(START),
    };
    let revised = RevisedRecord {
        coupon,
        issued: 0,
        lost: 0,
        actor: "bench".into(),
        token: None,
    };
    Entry {
        seq: 1,
        records: vec![Record::Revised(Box::new(revised))],
    }
}

fn issue(position: u32) -> IssuedRecord {
    let issued_at = Timestamp::from_micros(START + i64::from(position) * 5).unwrap();
    IssuedRecord {
        coupon: CouponId::FIRST,
        user: user(position),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at,
            expires_at: issued_at.saturating_add(Span::from_secs(VALID_FOR_S)),
        },
        key: None,
    }
}

/// Sixteen bytes in no order: a mixed counter (splitmix64) in hexadecimal.
fn user(number: u32) -> UserId {
    let mut bits = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    UserId::parse(format!("{:016x}", bits ^ bits >> 31)).unwrap()
}
