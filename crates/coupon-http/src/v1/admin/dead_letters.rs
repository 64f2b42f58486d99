//! Dead letters: what could not be taken where it was brought.

pub(crate) mod dismiss;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod replay;

use crate::error::Problem;
use crate::station::Station;
use coupon_api::DeadLetter;
use coupon_app::{AuditAction, ListedLetter, Origin, Record, StoreError};

fn wire(listed: ListedLetter) -> DeadLetter {
    let letter = listed.letter;
    let delivery = letter.delivery.as_ref();
    let positions = || {
        delivery
            .into_iter()
            .flat_map(|delivery| &delivery.records)
            .filter_map(|record| match record {
                Record::Issued(issued) => Some(issued.grant.position.get()),
                Record::Revised(_) => None,
            })
    };
    DeadLetter {
        id: listed.id,
        place: listed.office.to_owned(),
        reason: letter.why,
        origin: letter.origin,
        group: letter.group,
        replayable: letter.whole,
        coupon_id: delivery.map(|delivery| delivery.coupon.get()),
        epoch: delivery.map(|delivery| delivery.epoch),
        first_position: positions().min(),
        last_position: positions().max(),
    }
}

/// Writes into the audit log what is about to be done to dead letters, if there are any.
async fn note(station: &Station, action: AuditAction, through: &str, origin: &Origin) -> Result<(), Problem> {
    let present = station.hall.dead_letters.list(None, 1).await;
    let present = present.map_err(|error| looking_failed(&error))?;
    if present.is_none_or(|letters| letters.is_empty()) {
        return Ok(());
    }
    let now = station.desk.now();
    let noted = station
        .hall
        .audit
        .note_dead_letters(action, through, now, origin)
        .await;
    noted.map_err(|error| looking_failed(&error))
}

/// What looks changes nothing.
fn looking_failed(error: &StoreError) -> Problem {
    tracing::warn!(%error, "dead letters could not be read");
    Problem::from(error)
}

/// Some letters may have been looked after before it failed.
fn changing_failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "dead letters could not be looked after");
    Problem::Indeterminate
}
