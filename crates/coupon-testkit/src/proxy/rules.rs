//! What the proxy does with bytes: a decision without sockets.

use super::{Direction, Loss};

/// What was ordered for all connections.
#[derive(Debug, Default)]
pub(super) struct Rules {
    to_server: Way,
    to_client: Way,
    pattern: Option<Pattern>,
}

/// What was ordered for one direction.
#[derive(Debug, Default)]
struct Way {
    stalled: bool,
    allowance: Option<Allowance>,
}

#[derive(Debug)]
struct Allowance {
    bytes_left: u64,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Drop,
    Cut,
}

#[derive(Debug)]
struct Pattern {
    bytes: Vec<u8>,
    loss: Loss,
    times_left: u64,
}

/// What is known of one connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    cut: bool,
    /// Whatever the server says next is the answer that is to be lost.
    loses_answer: bool,
    /// The end of what the client has sent, in which a pattern may have begun.
    tail: Vec<u8>,
}

/// What happens to bytes that have arrived.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// So many of them pass.
    pub(super) forward: usize,
    /// So many are swallowed.
    pub(super) dropped: u64,
    /// The connection is cut after that.
    pub(super) cut: bool,
    /// Only for the client: the server is let to finish what it was told, and nobody hears of it.
    pub(super) finish: bool,
    /// They completed the pattern.
    pub(super) matched: bool,
}

impl Flow {
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Answers whether it was whole before.
    pub(super) fn cut(&mut self) -> bool {
        !std::mem::replace(&mut self.cut, true)
    }
}

impl Rules {
    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    pub(super) fn stall(&mut self, direction: Direction) {
        self.way(direction).stalled = true;
    }

    pub(super) fn is_stalled(&mut self, direction: Direction) -> bool {
        self.way(direction).stalled
    }

    pub(super) fn drop_after(&mut self, direction: Direction, bytes_left: u64) {
        let then = Then::Drop;
        self.way(direction).allowance = Some(Allowance { bytes_left, then });
    }

    pub(super) fn cut_after(&mut self, direction: Direction, bytes_left: u64) {
        let then = Then::Cut;
        self.way(direction).allowance = Some(Allowance { bytes_left, then });
    }

    pub(super) fn cut_at(&mut self, bytes: &[u8], loss: Loss, times: u64) {
        self.pattern = (times > 0 && !bytes.is_empty()).then(|| Pattern {
            bytes: bytes.to_vec(),
            loss,
            times_left: times,
        });
    }

    /// Decides about bytes, and remembers what later ones depend on.
    pub(super) fn judge(&mut self, flow: &mut Flow, direction: Direction, bytes: &[u8]) -> Verdict {
        if direction == Direction::ToClient && flow.loses_answer {
            return Verdict {
                dropped: bytes.len() as u64,
                cut: true,
                finish: true,
                ..Verdict::default()
            };
        }
        let matched = (direction == Direction::ToServer)
            .then(|| self.matches(flow, bytes))
            .flatten();
        match matched {
            Some(Loss::Request) => {
                return Verdict {
                    dropped: bytes.len() as u64,
                    cut: true,
                    matched: true,
                    ..Verdict::default()
                };
            }
            Some(Loss::Answer) => flow.loses_answer = true,
            None => {}
        }
        Verdict {
            matched: matched.is_some(),
            ..self.way(direction).allow(bytes.len())
        }
    }

    fn matches(&mut self, flow: &mut Flow, bytes: &[u8]) -> Option<Loss> {
        let pattern = self.pattern.as_mut()?;
        flow.tail.extend(bytes);
        let found = flow
            .tail
            .windows(pattern.bytes.len())
            .any(|window| window == pattern.bytes);
        if !found {
            let keep = pattern.bytes.len() - 1;
            let begin = flow.tail.len().saturating_sub(keep);
            flow.tail.drain(..begin);
            return None;
        }
        flow.tail.clear();
        let loss = pattern.loss;
        pattern.times_left -= 1;
        if pattern.times_left == 0 {
            self.pattern = None;
        }
        Some(loss)
    }
}

impl Way {
    fn allow(&mut self, count: usize) -> Verdict {
        let all = Verdict {
            forward: count,
            ..Verdict::default()
        };
        let Some(allowance) = &mut self.allowance else {
            return all;
        };
        let forward = usize::try_from(allowance.bytes_left).map_or(count, |left| left.min(count));
        allowance.bytes_left -= forward as u64;
        if forward == count {
            return all;
        }
        let cut = allowance.then == Then::Cut;
        if cut {
            self.allowance = None;
        }
        Verdict {
            forward,
            dropped: (count - forward) as u64,
            cut,
            ..Verdict::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(forward: usize) -> Verdict {
        Verdict {
            forward,
            ..Verdict::default()
        }
    }

    fn ends(forward: usize, dropped: u64) -> Verdict {
        Verdict {
            forward,
            dropped,
            cut: true,
            ..Verdict::default()
        }
    }

    #[test]
    fn without_orders_everything_passes() {
        let mut rules = Rules::default();
        for direction in [Direction::ToServer, Direction::ToClient] {
            assert_eq!(rules.judge(&mut Flow::default(), direction, b"abc"), passes(3));
        }
    }

    #[test]
    fn bytes_after_the_allowance_are_swallowed_until_it_is_taken_back() {
        let mut rules = Rules::default();
        rules.drop_after(Direction::ToClient, 4);
        let mut flow = Flow::default();
        assert_eq!(rules.judge(&mut flow, Direction::ToClient, b"abc"), passes(3));
        let half = Verdict {
            forward: 1,
            dropped: 2,
            ..Verdict::default()
        };
        assert_eq!(rules.judge(&mut flow, Direction::ToClient, b"def"), half);
        let none = Verdict {
            dropped: 3,
            ..Verdict::default()
        };
        assert_eq!(
            rules.judge(&mut Flow::default(), Direction::ToClient, b"ghi"),
            none
        );
        assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"xyz"), passes(3));
    }

    #[test]
    fn a_cut_after_so_many_bytes_strikes_once() {
        let mut rules = Rules::default();
        rules.cut_after(Direction::ToServer, 3);
        let mut flow = Flow::default();
        assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"abc"), passes(3));
        assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"d"), ends(0, 1));
        assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"e"), passes(1));
    }

    #[test]
    fn the_answer_is_lost_wherever_the_request_was_torn() {
        for torn in 0..=b"xCOMMITx".len() {
            let mut rules = Rules::default();
            rules.cut_at(b"COMMIT", Loss::Answer, 1);
            let (mut flow, mut other) = (Flow::default(), Flow::default());
            let (first, second) = b"xCOMMITx".split_at(torn);
            let parts = [first, second].map(|part| rules.judge(&mut flow, Direction::ToServer, part));
            assert_eq!(
                parts.iter().filter(|verdict| verdict.matched).count(),
                1,
                "{torn}"
            );
            assert_eq!(
                parts.iter().map(|verdict| verdict.forward).sum::<usize>(),
                8,
                "{torn}"
            );
            assert_eq!(rules.judge(&mut other, Direction::ToClient, b"ok"), passes(2));
            let lost = Verdict {
                finish: true,
                ..ends(0, 2)
            };
            assert_eq!(rules.judge(&mut flow, Direction::ToClient, b"ok"), lost);
        }
    }

    #[test]
    fn a_lost_request_does_not_pass_and_the_order_counts_down() {
        let mut rules = Rules::default();
        rules.cut_at(b"XADD", Loss::Request, 2);
        let lost = Verdict {
            matched: true,
            ..ends(0, 6)
        };
        for _ in 0..2 {
            let mut flow = Flow::default();
            assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"XAD"), passes(3));
            flow = Flow::default();
            assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"-XADD-"), lost);
        }
        let mut flow = Flow::default();
        assert_eq!(rules.judge(&mut flow, Direction::ToServer, b"-XADD-"), passes(6));
    }

    #[test]
    fn patterns_of_different_connections_do_not_add_up() {
        let mut rules = Rules::default();
        rules.cut_at(b"AB", Loss::Answer, 1);
        let (mut one, mut other) = (Flow::default(), Flow::default());
        assert!(!rules.judge(&mut one, Direction::ToServer, b"A").matched);
        assert!(!rules.judge(&mut other, Direction::ToServer, b"B").matched);
        assert!(rules.judge(&mut one, Direction::ToServer, b"B").matched);
    }
}
