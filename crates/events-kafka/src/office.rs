//! The dead letters as an office that any server has.

use crate::dead_letters::{DeadLetters, LetterId};
use async_trait::async_trait;
use coupon_app::{Contents, DeadLetter, DeadLetterOffice, Replayed, StoreError};

/// How a letter is called outside this crate: its partition and its offset.
fn name(id: LetterId) -> Box<str> {
    format!("{}-{}", id.partition, id.offset).into()
}

fn parse(name: &str) -> Option<LetterId> {
    let (partition, offset) = name.split_once('-')?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (plain(partition) && plain(offset)).then_some(())?;
    Some(LetterId {
        partition: partition.parse().ok()?,
        offset: offset.parse().ok()?,
    })
}

fn listed(letter: crate::DeadLetter) -> DeadLetter {
    let number = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let (partition, offset) = (number(letter.partition.map(i64::from)), number(letter.offset));
    DeadLetter {
        name: name(letter.id),
        why: letter.why,
        origin: format!("topic {}, partition {partition}, offset {offset}", letter.topic),
        group: letter.group,
        whole: !letter.cut,
        contents: letter.delivery.map(Contents::Records),
    }
}

#[async_trait]
impl DeadLetterOffice for DeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError> {
        let after = match after.map(parse) {
            None => None,
            Some(Some(after)) => Some(after),
            Some(None) => return Ok(None),
        };
        let letters = self.list_after(after, limit).await?;
        Ok(Some(letters.into_iter().map(listed).collect()))
    }

    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError> {
        let Some(id) = parse(name) else {
            return Ok(None);
        };
        let before = LetterId {
            offset: id.offset - 1,
            ..id
        };
        let found = self.list_after(Some(before), 1).await?;
        Ok(found.into_iter().find(|letter| letter.id == id).map(listed))
    }

    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let Some(through) = parse(through) else {
            return Ok(None);
        };
        let replay = Self::replay(self, through).await?;
        Ok(Some(Replayed {
            sent: replay.sent,
            stopped_at: replay.stopped_at.map(name),
        }))
    }

    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        let Some(through) = parse(through) else {
            return Ok(None);
        };
        Self::dismiss(self, through).await.map(Some)
    }
}
