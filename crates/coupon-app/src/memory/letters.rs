//! The reference office of dead letters: a list, and what was brought again.

use crate::{Contents, DeadLetter, DeadLetterOffice, Replayed, StoreError};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps letters in memory. A clone is the same office.
#[derive(Clone, Debug, Default)]
pub struct MemoryLetters(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    letters: Vec<(u64, DeadLetter)>,
    brought: Vec<Option<Contents>>,
}

impl MemoryLetters {
    /// An empty office.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a letter; its name is given here.
    pub fn keep(&self, letter: DeadLetter) {
        let mut kept = self.kept();
        kept.last += 1;
        let number = kept.last;
        let name = number.to_string().into();
        kept.letters.push((number, DeadLetter { name, ..letter }));
    }

    /// What was brought again, in order.
    pub fn brought(&self) -> Vec<Option<Contents>> {
        self.kept().brought.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl DeadLetterOffice for MemoryLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError> {
        let after = match after.map(DeadLetter::place) {
            None => 0,
            Some(Some(place)) => place,
            Some(None) => return Ok(None),
        };
        let kept = self.kept();
        let behind = kept.letters.iter().filter(|(number, _)| *number > after);
        Ok(Some(
            behind.take(limit).map(|(_, letter)| letter.clone()).collect(),
        ))
    }

    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError> {
        let kept = self.kept();
        let found = kept.letters.iter().find(|(_, letter)| &*letter.name == name);
        Ok(found.map(|(_, letter)| letter.clone()))
    }

    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let Some(through) = DeadLetter::place(through) else {
            return Ok(None);
        };
        let mut kept = self.kept();
        let mut replayed = Replayed::default();
        while let Some((number, letter)) = kept.letters.first() {
            if *number > through {
                break;
            }
            if !letter.whole {
                replayed.stopped_at = Some(letter.name.clone());
                break;
            }
            let (_, letter) = kept.letters.remove(0);
            kept.brought.push(letter.contents);
            replayed.sent += 1;
        }
        Ok(Some(replayed))
    }

    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        let Some(through) = DeadLetter::place(through) else {
            return Ok(None);
        };
        let mut kept = self.kept();
        let before = kept.letters.len();
        kept.letters.retain(|(number, _)| *number > through);
        let gone = before - kept.letters.len();
        Ok(Some(u64::try_from(gone).unwrap_or(u64::MAX)))
    }
}
