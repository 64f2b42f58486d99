//! Dead letters: what could not be taken where it was brought.

pub(crate) mod dismiss;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod replay;

use crate::error::Problem;
use crate::station::Station;
use coupon_api::DeadLetter;
use coupon_app::{AuditAction, Contents, Delivery, ListedLetter, Origin, Record, StoreError};
use coupon_core::{CouponId, Position};

fn wire(listed: ListedLetter) -> DeadLetter {
    let letter = listed.letter;
    let (mut coupon, mut epoch, mut notification, mut positions) = (None, None, None, Vec::new());
    match &letter.contents {
        None => {}
        Some(Contents::Records(delivery)) => {
            (coupon, epoch) = (Some(delivery.coupon), Some(delivery.epoch));
            positions = issued(delivery);
        }
        Some(Contents::Notification(id)) => {
            (coupon, notification) = (Some(id.coupon()), Some(id.to_string()));
            positions.extend(id.issued_coupon().map(|issued| issued.position));
        }
    }
    DeadLetter {
        id: listed.id,
        place: listed.office.to_owned(),
        reason: letter.why,
        origin: letter.origin,
        group: letter.group,
        replayable: letter.whole,
        notification_id: notification,
        coupon_id: coupon.map(CouponId::get),
        epoch,
        first_position: positions.iter().copied().min().map(Position::get),
        last_position: positions.iter().copied().max().map(Position::get),
    }
}

fn issued(delivery: &Delivery) -> Vec<Position> {
    let issued = delivery.records.iter().filter_map(|record| match record {
        Record::Issued(issued) => Some(issued.grant.position),
        Record::Revised(_) => None,
    });
    issued.collect()
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
