//! Dead letters.

use serde::Serialize;
use utoipa::ToSchema;

/// Something that could not be taken where it was brought, and that nobody has looked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its id: its place, a dash, its name there. Never used again.
    #[schema(examples("kafka-0-17"))]
    pub id: String,
    /// Where it lies: `quarantine` (of the database, which it contradicts), `stream` (beside the coupon's stream in Redis),
    /// `kafka` (the topic of dead letters), or `notification.mail`, `notification.webhook` and `notification.kafka` (what a
    /// channel could not bring).
    #[schema(examples("kafka"))]
    pub place: String,
    /// Why it could not be taken. Of a notification first `dead` (it was given up) or `undeliverable` (there was nowhere to
    /// bring it).
    #[schema(examples("it is no event: expected ident at line 1 column 2"))]
    pub reason: String,
    /// Where it lay.
    #[schema(examples("topic firstcome.issued, partition 3, offset 4711"))]
    pub origin: String,
    /// The group of workers that could not take it; of a notification the recipient, as its channel calls it, such as
    /// `holder` or the id of a webhook.
    #[schema(examples("firstcome.store"))]
    pub group: String,
    /// Whether it can be brought again. One that cannot stops a replay.
    pub replayable: bool,
    /// The notification that it is; null when it is none.
    #[schema(required = true, examples("redeemed-1-17-1"))]
    pub notification_id: Option<String>,
    /// The coupon that it is of, if that can be read.
    #[schema(required = true)]
    pub coupon_id: Option<u32>,
    /// The epoch that it comes from, if that can be read.
    #[schema(required = true)]
    pub epoch: Option<u32>,
    /// The first position that it issues or tells of, if there is one.
    #[schema(required = true)]
    pub first_position: Option<u32>,
    /// The last one.
    #[schema(required = true)]
    pub last_position: Option<u32>,
}

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedLetters {
    /// How many were brought again.
    pub replayed: u64,
    /// The letter that cannot be brought again and stopped the replay; null when there was none.
    #[schema(required = true)]
    pub stopped_at: Option<String>,
}

/// What became of a dismissal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DismissedLetters {
    /// How many were taken off the list.
    pub dismissed: u64,
}
