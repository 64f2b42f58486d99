//! Requests that were written down beforehand: to send the next one, sixteen bytes are changed.

use crate::users::{self, USER_BYTES};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// One issue request with a gap for the user's id.
#[derive(Clone, Debug)]
pub(crate) struct RequestForm {
    bytes: Vec<u8>,
    user_at: usize,
}

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
        let user_at = head.len() + before.len();
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(before.as_bytes());
        bytes.extend_from_slice(&[b'0'; USER_BYTES]);
        bytes.extend_from_slice(after.as_bytes());
        Self { bytes, user_at }
    }

    /// The request for this user.
    pub(crate) fn fill(&mut self, user: u64) -> &[u8] {
        let (_, gap) = self.bytes.split_at_mut(self.user_at);
        if let Some(gap) = gap.first_chunk_mut() {
            users::write(user, gap);
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
}

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
        }
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
