//! Whether what Redis has is what was asked for. docs/REDIS-LAYOUT.md says what stands where.

use super::overheard::Call;
use anyhow::{Context as _, ensure};
use coupon_core::UserId;
use redis::Connection;
use std::collections::{HashMap, HashSet};

/// Bytes of an entry before its key hashes, of which there are none here.
const HEADER: usize = 29;

/// Whether the script made stream entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// It is as it is.
    Kept,
    /// They were taken out of it.
    Without,
}

/// Who has one.
pub(super) struct Issued(HashMap<Vec<u8>, u32>);

/// Reads what was issued of a coupon: every position once, and, with the stream, the same in the stream.
pub(super) fn audit(connection: &mut Connection, call: &Call, stream: Stream) -> anyhow::Result<Issued> {
    let [state, users, entries] = &call.keys[..] else {
        anyhow::bail!("a call with other keys");
    };
    let held: HashMap<Vec<u8>, Vec<u8>> = redis::cmd("HGETALL").arg(users).query(connection)?;
    let position = |(user, grant): (Vec<u8>, Vec<u8>)| Ok((user, number(&grant, 0)?));
    let held: HashMap<Vec<u8>, u32> = held.into_iter().map(position).collect::<anyhow::Result<_>>()?;
    let mut positions: Vec<u32> = held.values().copied().collect();
    positions.sort_unstable();
    ensure!(
        positions.iter().copied().eq(1..=u32::try_from(held.len())?),
        "positions are missing, or there twice"
    );
    let issued: usize = redis::cmd("HGET").arg(state).arg("issued").query(connection)?;
    ensure!(
        issued == held.len(),
        "{issued} are counted, {} users have one",
        held.len()
    );
    let mut range = redis::cmd("XRANGE");
    let entries: Vec<(String, HashMap<String, Vec<u8>>)> =
        range.arg(entries).arg("-").arg("+").query(connection)?;
    let mut due = 1;
    for packed in entries.iter().filter_map(|(_, fields)| fields.get("issued")) {
        if packed.len() < HEADER {
            // A revision says with this word how many there were.
            continue;
        }
        let (first, count) = (number(packed, 5)?, number(packed, 9)?);
        ensure!(first == due, "position {due} is missing in the stream");
        due += count;
        let users = packed[HEADER..].split(|byte| *byte == 0);
        let right = users
            .zip(first..)
            .filter(|(user, position)| held.get(*user) == Some(position));
        ensure!(
            right.count() == usize::try_from(count)?,
            "the stream names others"
        );
    }
    let in_stream = usize::try_from(due - 1)?;
    match stream {
        Stream::Kept => ensure!(in_stream == held.len(), "the stream ends at {in_stream}"),
        // The one by which the coupon was tried.
        Stream::Without => ensure!(in_stream == 1, "there is a stream entry after all"),
    }
    Ok(Issued(held))
}

fn number(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let bytes = bytes.get(at..at + 4).context("a value is cut short")?;
    Ok(u32::from_be_bytes(bytes.try_into()?))
}

impl Issued {
    /// Exactly these.
    pub(super) fn must_be(&self, users: &HashSet<UserId>) -> anyhow::Result<()> {
        ensure!(
            self.0.len() == users.len() && users.iter().all(|user| self.0.contains_key(user.as_bytes())),
            "{} users were told that they have one, and {} users have one",
            users.len(),
            self.0.len()
        );
        Ok(())
    }

    /// One for each of `asked` random users, of whom a few may have asked twice.
    pub(super) fn must_be_about(&self, asked: u64) -> anyhow::Result<()> {
        let issued = u64::try_from(self.0.len())?;
        ensure!(
            issued <= asked && asked - issued <= 10 + asked / 1_000,
            "{asked} asked, {issued} have one"
        );
        Ok(())
    }
}
