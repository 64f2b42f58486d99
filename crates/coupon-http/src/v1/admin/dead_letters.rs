//! Dead letters: what could not be taken where it was brought.

pub(crate) mod dismiss;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod replay;

use crate::error::Problem;
use coupon_api::DeadLetter;
use coupon_app::{ListedLetter, Record, StoreError};

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
