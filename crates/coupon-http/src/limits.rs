//! Every limit of the front hall, in one place. The domain's own are in `coupon_core::limits`, those of the queue in
//! `coupon_app::limits`.

use std::time::Duration;

/// Largest body of an issue request and of a look-up. The largest that makes sense has about 800 bytes: a user id of
/// 128 bytes, each written as `\u00XX`.
pub(crate) const ISSUE_BODY_BYTES: usize = 16 * 1024;
/// Largest body of an administrator's request.
pub(crate) const ADMIN_BODY_BYTES: usize = 64 * 1024;
/// Largest head of a request: request line and headers. A token of 8 KiB still fits. hyper takes at most 100 headers,
/// which it parses without allocating.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;
/// Read and write buffer of a connection at its largest.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;
/// Deepest nesting of JSON. The deepest that is meant has three levels.
pub(crate) const JSON_DEPTH: usize = 16;
/// Longest bearer token.
pub(crate) const TOKEN_BYTES: usize = 8 * 1024;
/// Longest query string.
pub(crate) const QUERY_BYTES: usize = 2 * 1024;
/// Checked tokens that are remembered; about 200 bytes each.
pub(crate) const CHECKED_TOKENS: usize = 100_000;
/// Clients that one limiter remembers; about 100 bytes each. The least active are forgotten first.
pub(crate) const LIMITED_CLIENTS: usize = 200_000;
/// Length of a page when the client does not say.
pub(crate) const DEFAULT_PAGE: usize = 100;
/// Longest idempotency key.
pub(crate) const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Longest `x-request-id` that is taken over from a client.
pub(crate) const REQUEST_ID_BYTES: usize = 128;
/// Connections that wait to be accepted, per listener; the kernel caps it at `somaxconn`.
pub(crate) const BACKLOG: i32 = 4_096;
/// Coupons with gauges of their own; the newest count.
pub(crate) const GAUGED_COUPONS: usize = 100;
/// Coupons that one search looks at. All are in memory, at about a tenth of a microsecond each; more would keep a loop's
/// other connections waiting.
pub(crate) const SEARCHED_COUPONS: usize = 10_000;
/// How often it is written down which API keys were used.
pub(crate) const NOTE_USED_KEYS: Duration = Duration::from_secs(60);
/// How long the answer to a wrong code takes. Far longer than the look-up that some of them need, so that nobody can tell
/// by the time whether there was one; short enough for people.
pub(crate) const WRONG_CODE_TIME: Duration = Duration::from_millis(25);
/// Longest name of an API key in characters.
pub(crate) const KEY_NAME_CHARS: usize = 200;
/// Longest wait for the store in a readiness check.
pub(crate) const CHECK_TIME: Duration = Duration::from_secs(2);
/// How often time limits are looked after, and so how late they may be.
pub(crate) const ROUND: Duration = Duration::from_millis(50);
/// Pause after `accept` failed, which mostly means that no file descriptors are left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often the live views that somebody watches are looked at.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// A live view shows something new no more often.
pub(crate) const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// How often a loop looks after a part of its listeners. Less often and each part is larger, and whoever issues on that
/// loop waits longer while it is woken; more often costs wake-ups.
pub(crate) const WALK_EVERY: Duration = Duration::from_millis(20);
/// Parts; together one round of all listeners, every half second.
pub(crate) const WALKS_PER_ROUND: u32 = 25;
/// A listener who is told nothing new is told so.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// A listener to whom not even heartbeats could be written for so long has gone, whatever `idle_time` says.
pub(crate) const LISTENER_PATIENCE: Duration = Duration::from_secs(45);
/// Seconds after which there may be room for one more listener.
pub(crate) const LISTENER_RETRY_S: u64 = 15;

/// The limits that an operator may set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that are open at a time, over all cores; further ones are closed as they come. Too low turns
    /// clients away, too high runs out of memory (about 12 KiB each when busy) or file descriptors.
    pub connections: usize,
    /// Of these, live views at a time, but never more than five eighths of all: whoever watches must not keep anybody
    /// from being issued. Too low turns watchers away, who then ask again and again.
    pub listeners: usize,
    /// From the first byte of a request to the end of its head. Too low fails slow phones, too high lets slow clients
    /// hold connections.
    pub head_time: Duration,
    /// From the end of the head to the end of the body.
    pub body_time: Duration,
    /// From the end of the body to the answer. A request that takes longer is told `indeterminate` (or `unavailable`,
    /// if it only asks).
    pub request_time: Duration,
    /// Without a request, or without taking anything of an answer. When three quarters of the connections are taken,
    /// a tenth of it.
    pub idle_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            listeners: 10_000,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
        }
    }
}
/// How long what a webhook is sent is signed with its former secret too, after a rotation: long enough for a receiver to
/// be changed over by people.
pub(crate) const WEBHOOK_SECRETS_OVERLAP: coupon_core::Span = coupon_core::Span::from_secs(24 * 3_600);
