//! Audits a data directory in which nothing runs, without changing it.

use super::{Findings, Holders, read_history};
use crate::cli::Shared;
use crate::client::converse;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::forgetful_disk::ForgetfulDisk;
use crate::wiring::{journal_options, open_ledger};
use anyhow::{Context as _, bail};
use coupon_app::{Board, CodeKey, IssueLedger, Look, Posted, Reply, Request, Seen, limits::MAX_PAGE};
use coupon_core::{CouponId, Grant, IssuedCouponId, UserId};
use coupon_rehearsal::{FinalState, History, IssuedCoupon};
use ledger_journal::{FileDisk, JournalLedger, JournalOptions};
use std::path::Path;
use std::sync::Arc;
use store_sqlite::{Report, StoreAtRest};

pub(super) fn look(shared: &Shared, history: Option<&Path>) -> anyhow::Result<Findings> {
    let history = read_history(history)?;
    let settings = shared.settle(Vec::new())?.settings;
    let directory = DataDir::open(&settings.data_dir)?;
    let disk = FileDisk::open(directory.path())?;
    let mut findings = Findings::default();
    let report = store_sqlite::verify(&directory.store_file())?;
    report_store(&report, &mut findings);
    let store = StoreAtRest::open(&directory.store_file())?;
    let board = Arc::new(Board::new());
    let options = JournalOptions {
        prepare_ahead: false,
        ..journal_options(&settings)
    };
    let disk = Arc::new(ForgetfulDisk::over(Arc::new(disk)));
    converse(async {
        let opening = open_ledger(disk, options, &store, Arc::new(SystemClock), Arc::clone(&board));
        let (ledger, recovery, codes) = match opening.await {
            Ok(opened) => opened,
            Err(error) => {
                findings.add(false, format!("{error:#}"));
                return Ok(findings);
            }
        };
        findings.add(true, recovery.to_string());
        for posted in board.list(None, usize::MAX) {
            look_at(&ledger, &store, &posted, &mut findings).await?;
        }
        if let Some((path, history)) = history {
            let state = final_state(&ledger, &board, &codes, &history).await?;
            findings.judge(path, history, &state);
        }
        Ok(findings)
    })
}

/// Adds what the store says of itself.
fn report_store(report: &Report, findings: &mut Findings) {
    let Report {
        applied_seq,
        coupons,
        issued,
        quarantined,
        ..
    } = report;
    if report.differences.is_empty() {
        findings.add(
            true,
            format!("the store has {coupons} coupons and {issued} issued coupons, up to entry {applied_seq}"),
        );
    }
    for difference in &report.differences {
        findings.add(false, format!("the store: {difference}"));
    }
    if *quarantined > 0 {
        findings.add(
            false,
            format!("the store has {quarantined} records in quarantine"),
        );
    }
}

/// Looks at one coupon: the ledger's issues, and the store's count of them.
async fn look_at(
    ledger: &JournalLedger,
    store: &StoreAtRest,
    posted: &Posted,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let id = posted.coupon.id;
    let name = format!("coupon {id}");
    let mut holders = Holders::default();
    each_issue(ledger, id, |user, grant| {
        holders.add(user.as_str(), grant.position, grant.issued_at)
    })
    .await?;
    holders.check(&name, posted.coupon.terms.quantity, findings);
    let (listed, counted) = (holders.count(), u64::from(posted.issued));
    if listed != counted {
        findings.add(
            false,
            format!("{name}: the ledger counts {counted} issued and holds {listed}"),
        );
    }
    let stored = store.issued(id)?;
    let pending = counted - u64::from(posted.stored);
    if stored + pending != counted {
        findings.add(
            false,
            format!("{name}: {counted} issued are not the store's {stored} and the {pending} that are on their way"),
        );
    }
    Ok(())
}

/// Hands every issue of a coupon to `take`, in order of position.
async fn each_issue(
    ledger: &JournalLedger,
    coupon: CouponId,
    mut take: impl FnMut(UserId, Grant),
) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let look = Look::Positions {
            coupon,
            after,
            limit: MAX_PAGE,
        };
        let mut answers = Vec::new();
        ledger
            .commit(&mut vec![Request::Look(Box::new(look))], &mut answers)
            .await;
        let page = match answers.pop().context("the ledger does not answer")?? {
            Reply::Look(seen) => match *seen {
                Seen::Positions(page) => page,
                Seen::Holder(_) | Seen::Coupon(_) => bail!("the ledger answers another question"),
            },
            Reply::Issue(_) | Reply::Command(_) => bail!("the ledger answers another question"),
        };
        let Some((_, last)) = page.last() else {
            return Ok(());
        };
        after = last.position.get();
        for (user, grant) in page {
            take(user, grant);
        }
    }
}

/// The state that a rehearsal's history is held against.
async fn final_state(
    ledger: &JournalLedger,
    board: &Board,
    codes: &CodeKey,
    history: &History,
) -> anyhow::Result<FinalState> {
    let mut state = FinalState::new(&history.header);
    let number = u32::try_from(history.header.coupon.id).context("the history's coupon")?;
    let coupon = CouponId::new(number).context("the history's coupon")?;
    each_issue(ledger, coupon, |user, grant| {
        let id = IssuedCouponId {
            coupon,
            position: grant.position,
        };
        let issued_at = jiff::Timestamp::from_microsecond(grant.issued_at.as_micros());
        state.add(IssuedCoupon {
            id: Some(id.to_string()),
            user_id: user.as_str().to_owned(),
            position: u64::from(grant.position.get()),
            code: codes.code(id).to_string(),
            issued_at: issued_at.expect("coupon_core's range of time lies within jiff's"),
        });
    })
    .await?;
    let posted = board
        .get(coupon)
        .context("the history's coupon is not here; is this the right data directory?")?;
    let remaining = posted
        .coupon
        .terms
        .quantity
        .remaining(posted.issued)
        .map(u64::from);
    state.claim("the ledger", Some(u64::from(posted.issued)), remaining);
    state.revision(Some(u64::from(posted.coupon.revision)));
    Ok(state)
}
