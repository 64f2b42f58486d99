//! What no channel could bring, as places of dead letters.

use coupon_app::{Clock, DeadLetterOffice, FailedDeliveries, NotificationLetters};
use std::sync::Arc;

/// Each place with its channel. Also those of channels that are not configured now: what they could not bring lies there.
const PLACES: [(&str, &str); 3] = [
    ("notification.webhook", "webhook"),
    ("notification.kafka", "kafka"),
    // Last, because holders without an address can be many.
    ("notification.mail", "mail"),
];

/// The offices of what no channel could bring, each with its word.
pub(crate) fn notification_letters(
    deliveries: &Arc<dyn FailedDeliveries>,
    clock: &Arc<dyn Clock>,
) -> Vec<(&'static str, Arc<dyn DeadLetterOffice>)> {
    let office = |(word, channel)| {
        let office = NotificationLetters::of(Arc::clone(deliveries), channel, Arc::clone(clock));
        (word, Arc::new(office) as Arc<dyn DeadLetterOffice>)
    };
    PLACES.map(office).into()
}
