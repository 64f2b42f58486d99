//! One connection at work: takes an ask, sends it, writes down what came of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::queue::{Ask, Queue};
use super::recorder::Recorder;
use crate::answer::{self, Answer};
use crate::clock::Stopwatch;
use crate::connection::Connection;
use crate::history::Attempt;
use crate::plan::Callers;
use crate::target::Target;
use crate::users::UserIds;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Hundreds of connections try at once while the server is away; they must not starve its recovery, and soon after
/// it they must be back.
const FIRST_BETWEEN_CONNECTS: Duration = Duration::from_millis(5);
const LONGEST_BETWEEN_CONNECTS: Duration = Duration::from_millis(40);

/// A connection of the pool.
pub(crate) struct Caller {
    pub(crate) queue: Arc<Queue>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clock: Stopwatch,
    pub(crate) target: Target,
    pub(crate) users: UserIds,
    pub(crate) coupon: u64,
    pub(crate) callers: Callers,
    pub(crate) timeout: Duration,
}

struct Sent {
    status: u16,
    retry_after: Option<Duration>,
    answer: Answer,
}

impl Caller {
    /// Works until the queue is closed. Connects before it takes an ask: an ask that waits for a server waits in the
    /// queue, where another connection can take it.
    pub(crate) async fn work(self) {
        let mut letter = Letter::new(&self);
        while let Some(mut connection) = self.connect().await {
            loop {
                let Some(ask) = self.queue.next().await else {
                    return;
                };
                if connection.is_stale() {
                    let Some(fresh) = self.connect().await else {
                        self.queue.not_sent();
                        return;
                    };
                    connection = fresh;
                }
                if !self.ask(&mut connection, &mut letter, ask).await {
                    break;
                }
            }
        }
    }

    async fn connect(&self) -> Option<Connection> {
        let mut wait = FIRST_BETWEEN_CONNECTS;
        while !self.queue.is_closed() {
            match Connection::open(&self.target, CONNECT_WITHIN).await {
                Ok(connection) => return Some(connection),
                Err(_refused) => tokio::time::sleep(wait).await,
            }
            wait = (wait * 2).min(LONGEST_BETWEEN_CONNECTS);
        }
        None
    }

    /// Returns whether the connection can be used again.
    async fn ask(&self, connection: &mut Connection, letter: &mut Letter, ask: Ask) -> bool {
        letter.address(ask.user);
        self.recorder.sending();
        let sent_ns = self.clock.ns();
        let reply = connection.exchange(&letter.bytes, self.timeout).await;
        let answered_ns = self.clock.ns();
        let alive = reply.as_ref().is_ok_and(|reply| reply.keep_alive);
        let sent = match reply {
            Ok(reply) => Sent {
                status: reply.status,
                retry_after: reply.retry_after,
                answer: answer::understand(
                    reply.status,
                    connection.body(&reply),
                    self.coupon,
                    &letter.user_id,
                ),
            },
            Err(error) => lost(&error),
        };
        let Answer { outcome, issue, note } = sent.answer;
        self.recorder.attempt(&Attempt {
            user: ask.user,
            intended_ns: ask.intended_ns,
            sent_ns,
            answered_ns,
            status: sent.status,
            outcome,
            position: issue.map(|issue| issue.position),
            issued_at_us: issue.map(|issue| issue.issued_at_us),
            code: issue.map(|issue| issue.code),
            note,
        });
        self.queue.answered(ask, outcome, sent.retry_after);
        alive
    }
}

fn lost(error: &io::Error) -> Sent {
    Sent {
        status: 0,
        retry_after: None,
        answer: answer::no_answer(error),
    }
}

/// The request, written anew for each user into the same buffer.
struct Letter {
    head: String,
    callers: Callers,
    users: UserIds,
    user_id: String,
    bytes: Vec<u8>,
}

impl Letter {
    fn new(caller: &Caller) -> Self {
        let mut head = caller
            .target
            .head("POST", &format!("/v1/coupons/{}/issues", caller.coupon));
        head.push_str("content-type: application/json\r\n");
        if let Callers::Service(credential) = &caller.callers {
            head.push_str(&credential.line());
        }
        let (callers, users) = (caller.callers.clone(), caller.users.clone());
        Self {
            head,
            callers,
            users,
            user_id: String::new(),
            bytes: Vec::new(),
        }
    }

    fn address(&mut self, user: u32) {
        self.user_id.clear();
        self.users.write_name(user, &mut self.user_id);
        self.bytes.clear();
        self.bytes.extend_from_slice(self.head.as_bytes());
        match &self.callers {
            Callers::Service(_) => {
                // The user ids of a rehearsal need no escaping.
                let length = r#"{"userId":""}"#.len() + self.user_id.len();
                let rest = format!(
                    "content-length: {length}\r\n\r\n{{\"userId\":\"{}\"}}",
                    self.user_id
                );
                self.bytes.extend_from_slice(rest.as_bytes());
            }
            Callers::Users(token) => {
                let token = token(&self.user_id);
                let rest = format!("authorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n{{}}");
                self.bytes.extend_from_slice(rest.as_bytes());
            }
        }
    }
}
