//! Every limit of this crate, in one place.

use std::time::Duration;

/// Longest that connecting may take.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longest that a request may take until the head of the answer is there, connecting included. What follows the head is
/// never read.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Longest that asking the shop for an address may take.
pub const LOOKUP_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer of the shop to a question for an address.
pub const MAX_CONTACT_BYTES: usize = 16 * 1_024;
/// Longest that the conversation with a mail server may take, connecting included.
pub const SMTP_WITHIN: Duration = Duration::from_secs(20);
/// Longest line that a mail server may say. RFC 5321 has 512 bytes.
pub const MAX_SMTP_LINE_BYTES: usize = 32 * 1_024;
/// Most that a mail server may say in one conversation, its certificates included.
pub const MAX_SMTP_BYTES: usize = 256 * 1_024;
/// Most lines that a mail server may say in one conversation; under TLS the line breaks among what is encrypted, one in
/// 256 bytes, count as well. The library reads all lines of an answer again with each one more, which would cost seconds.
pub const MAX_SMTP_LINES: usize = 1_000;
/// How long the farewell from a mail server that has taken the letter may take.
pub const QUIT_WITHIN: Duration = Duration::from_secs(2);
/// Largest file of a template.
pub const MAX_TEMPLATE_BYTES: u64 = 64 * 1_024;
/// Steps that rendering one template may take; a loop that an operator has written without an end stops there.
pub const TEMPLATE_FUEL: u64 = 100_000;
/// Most characters of a person's name in a mail.
pub const MAX_PERSON_CHARS: usize = 100;
/// Most waits in a table of patience.
pub const MAX_WAITS: usize = 20;
/// Longest wait in a table of patience, in seconds: thirty days.
pub const MAX_WAIT_S: u32 = 30 * 24 * 3_600;
