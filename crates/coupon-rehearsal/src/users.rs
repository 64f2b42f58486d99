//! The names of a rehearsal's users: a prefix of the run's own and a number, so that a history can store numbers
//! and the audit can tell its own users from everybody else's.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Turns user numbers into user ids and back. Ids are 16 bytes long while there are fewer than 10^8 users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserIds {
    prefix: String,
}

impl UserIds {
    /// The users of the run with this random number; only its low 24 bits are used.
    pub fn of_run(run: u64) -> Self {
        Self {
            prefix: format!("r{:06x}-", run & 0xFF_FFFF),
        }
    }

    /// The user id of a number.
    pub fn name(&self, user: u32) -> String {
        let mut name = String::with_capacity(self.prefix.len() + 8);
        self.write_name(user, &mut name);
        name
    }

    /// Appends the user id of a number.
    pub fn write_name(&self, user: u32, to: &mut String) {
        to.push_str(&self.prefix);
        write!(to, "{user:08}").expect("writing to a String cannot fail");
    }

    /// The number of a user id, if it is one of this run's, written exactly as [`Self::name`] writes it.
    pub fn number(&self, user_id: &str) -> Option<u32> {
        let digits = user_id.strip_prefix(&self.prefix)?;
        let canonical = digits.len() == 8 || (digits.len() > 8 && !digits.starts_with('0'));
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        (canonical && all_digits).then(|| digits.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::UserIds;

    #[test]
    fn a_user_id_is_sixteen_bytes_and_leads_back_to_its_number() {
        let ids = UserIds::of_run(0xABCD_EF01);
        for user in [0, 7, 99_999_999, 100_000_000, u32::MAX] {
            assert_eq!(ids.number(&ids.name(user)), Some(user));
        }
        assert_eq!(ids.name(42).len(), 16);
    }

    #[test]
    fn an_id_that_is_written_differently_belongs_to_somebody_else() {
        let ids = UserIds::of_run(1);
        for foreign in [
            "r000001-7",
            "r000001-000000007",
            "R000001-00000007",
            "r000002-00000007",
            "r000001-+0000007",
        ] {
            assert_eq!(ids.number(foreign), None, "{foreign}");
        }
    }
}
