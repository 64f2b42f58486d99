//! Requests that were written down beforehand: to send the next one, a few bytes are changed.

use crate::users::{self, USER_BYTES};
use anyhow::ensure;
use memchr::memmem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One request with a gap.
#[derive(Clone, Debug)]
pub(crate) struct RequestForm {
    bytes: Vec<u8>,
    gap_at: usize,
    gap: Gap,
    /// How often the answer must name the user that was asked for; `None`: it is not looked into.
    names: Option<usize>,
}

/// What is to be filled in.
#[derive(Clone, Copy, Debug)]
enum Gap {
    /// The id of a user.
    User,
    /// A position of this range, all of whose numbers have so many digits.
    Position { first: u64, count: u64, digits: usize },
}

/// Neighbours are asked for this far apart. A prime, so that every position of a range has its turn.
const STRIDE: u64 = 7_919;

impl RequestForm {
    /// Asks `address` for a coupon with a service key.
    pub(crate) fn issue(address: SocketAddr, coupon: u64, key: &str) -> Self {
        let before = "{\"userId\":\"";
        let after = "\"}";
        let body_bytes = before.len() + USER_BYTES + after.len();
        let head = format!(
            "POST /v1/coupons/{coupon}/issues HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {body_bytes}\r\n\r\n"
        );
        let gap_at = head.len() + before.len();
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(before.as_bytes());
        bytes.extend_from_slice(&[b'0'; USER_BYTES]);
        bytes.extend_from_slice(after.as_bytes());
        Self {
            bytes,
            gap_at,
            gap: Gap::User,
            names: None,
        }
    }

    /// Asks `address` for what a user holds, with a service key. Everybody holds `held`.
    pub(crate) fn wallet(address: SocketAddr, key: &str, held: usize) -> Self {
        let before = "GET /v1/users/";
        let gap = "0".repeat(USER_BYTES);
        let after = format!("/coupons HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n");
        Self {
            gap_at: before.len(),
            bytes: format!("{before}{gap}{after}").into_bytes(),
            gap: Gap::User,
            names: Some(held),
        }
    }

    /// Asks `address` to redeem the positions `first` to `last` of a coupon, numbers of equally many digits, in an
    /// order that is not theirs.
    pub(crate) fn redeem(address: SocketAddr, coupon: u64, key: &str, first: u64, last: u64) -> Self {
        let body = "{\"orderId\":\"order-0123456789\",\"orderAmount\":50000}";
        let before = format!("POST /v1/issued-coupons/{coupon}-");
        let after = format!(
            "/redemption HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let digits = last.to_string().len();
        let gap = Gap::Position {
            first,
            count: last - first + 1,
            digits,
        };
        Self {
            gap_at: before.len(),
            bytes: format!("{before}{first:0digits$}{after}").into_bytes(),
            gap,
            names: None,
        }
    }

    /// That the body of the answer for this user is his, as far as the form says what it holds.
    pub(crate) fn check(&self, user: u64, body: &[u8]) -> anyhow::Result<()> {
        let Some(held) = self.names else { return Ok(()) };
        let user = users::user(user);
        let named = memmem::find_iter(body, user.as_bytes()).count();
        ensure!(
            named == held,
            "{} holds {held}, and {named} were answered: {}",
            user.as_str(),
            String::from_utf8_lossy(body)
        );
        Ok(())
    }

    /// The request with this number.
    pub(crate) fn fill(&mut self, number: u64) -> &[u8] {
        let (_, rest) = self.bytes.split_at_mut(self.gap_at);
        match self.gap {
            Gap::User => {
                if let Some(gap) = rest.first_chunk_mut() {
                    users::write(number, gap);
                }
            }
            Gap::Position { first, count, digits } => {
                let mut position = first + number.wrapping_mul(STRIDE) % count;
                for digit in rest[..digits].iter_mut().rev() {
                    *digit = b"0123456789"[usize::try_from(position % 10).unwrap_or(0)];
                    position /= 10;
                }
            }
        }
        &self.bytes
    }
}

/// Whose requests they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// Everybody once, from this number on.
    Fresh(u64),
    /// So many, from number 0, again and again.
    Again(u64),
    /// So many, from number 0, in an order in which nobody got anything: neighbours do not follow each other.
    Scattered(u64),
}

/// A prime, so that everybody of any crowd that it does not divide has a turn.
const SCATTER: u64 = 2_654_435_761;

/// All requests of one load, handed out one by one to its threads.
#[derive(Debug)]
pub(crate) struct Salvo {
    /// Taken in turn, each for `per_form` requests.
    pub(crate) forms: Vec<RequestForm>,
    /// Requests before the next form is taken.
    pub(crate) per_form: u64,
    /// Whose.
    pub(crate) users: Users,
    /// How many in all.
    pub(crate) count: u64,
    taken: AtomicU64,
    over: AtomicBool,
}

impl Salvo {
    /// Requests of one form.
    pub(crate) fn of(form: RequestForm, users: Users, count: u64) -> Self {
        Self::in_turn(vec![form], count.max(1), users, count)
    }

    /// Requests of several forms, one after the other.
    pub(crate) fn in_turn(forms: Vec<RequestForm>, per_form: u64, users: Users, count: u64) -> Self {
        Self {
            forms,
            per_form,
            users,
            count,
            taken: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Ends an open load before its count: what is due by now is still sent.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The next request: which form, and which user. `None` when all have been taken.
    pub(super) fn take(&self) -> Option<(usize, u64)> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= self.count {
            return None;
        }
        let form = usize::try_from(number / self.per_form).unwrap_or(usize::MAX);
        let user = match self.users {
            Users::Fresh(from) => from + number,
            Users::Again(of) => number % of,
            Users::Scattered(of) => number.wrapping_mul(SCATTER) % of,
        };
        Some((form.min(self.forms.len() - 1), user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_differ_in_the_user_alone() {
        let mut form = RequestForm::issue(SocketAddr::from(([127, 0, 0, 1], 80)), 7, "fck_k");
        let one = String::from_utf8(form.fill(1).to_vec()).unwrap();
        let two = String::from_utf8(form.fill(2).to_vec()).unwrap();
        assert_ne!(one, two);
        assert!(one.starts_with("POST /v1/coupons/7/issues HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"));
        let (head, body) = one.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        assert_eq!(body, format!("{{\"userId\":\"{}\"}}", users::user(1).as_str()));
    }

    #[test]
    fn every_position_is_redeemed_once() {
        let mut form = RequestForm::redeem(SocketAddr::from(([127, 0, 0, 1], 80)), 7, "fck_k", 1_000, 9_999);
        let mut asked: Vec<String> = (0..9_000)
            .map(|number| String::from_utf8(form.fill(number).to_vec()).unwrap())
            .collect();
        assert!(
            asked[0]
                .starts_with("POST /v1/issued-coupons/7-1000/redemption HTTP/1.1\r\nhost: 127.0.0.1:80\r\n")
        );
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), 9_000);
        assert!(asked[8_999].starts_with("POST /v1/issued-coupons/7-9999/redemption "));
    }

    #[test]
    fn a_wallet_that_lacks_something_or_is_another_users_is_noticed() {
        let mut form = RequestForm::wallet(SocketAddr::from(([127, 0, 0, 1], 80)), "fck_k", 2);
        let user = users::user(3);
        let asked = String::from_utf8(form.fill(3).to_vec()).unwrap();
        assert!(asked.starts_with(&format!("GET /v1/users/{}/coupons HTTP/1.1\r\n", user.as_str())));
        assert!(asked.ends_with("\r\n\r\n"));
        let of = |user: u64, count: usize| format!("{:?}", vec![users::user(user).as_str(); count]);
        for (body, right) in [
            (of(3, 2), true),
            (of(3, 1), false),
            (of(3, 3), false),
            (of(4, 2), false),
        ] {
            assert_eq!(form.check(3, body.as_bytes()).is_ok(), right, "{body}");
        }
    }

    #[test]
    fn a_scattered_crowd_is_asked_for_everybody_and_not_in_order() {
        let form = RequestForm::issue(SocketAddr::from(([127, 0, 0, 1], 80)), 7, "k");
        let salvo = Salvo::of(form, Users::Scattered(1_000), 1_000);
        let asked: Vec<u64> = std::iter::from_fn(|| salvo.take())
            .map(|(_, user)| user)
            .collect();
        assert!(asked.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
        let different: std::collections::BTreeSet<u64> = asked.into_iter().collect();
        assert_eq!(different.len(), 1_000);
    }

    #[test]
    fn a_salvo_goes_through_its_forms_and_ends() {
        let form = RequestForm::issue(SocketAddr::from(([127, 0, 0, 1], 80)), 7, "k");
        let salvo = Salvo::in_turn(vec![form.clone(), form.clone()], 2, Users::Fresh(10), 5);
        let taken: Vec<_> = std::iter::from_fn(|| salvo.take()).collect();
        assert_eq!(taken, [(0, 10), (0, 11), (1, 12), (1, 13), (1, 14)]);
        let again = Salvo::of(form, Users::Again(2), 3);
        assert_eq!(
            std::iter::from_fn(|| again.take())
                .map(|(_, user)| user)
                .collect::<Vec<_>>(),
            [0, 1, 0]
        );
    }
}
