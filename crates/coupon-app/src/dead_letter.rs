//! The port of dead letters: what could not be taken where it was brought, kept until somebody has looked after it.

use crate::{Delivery, NotificationId, StoreError};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// Something that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What its office calls it: 1 to 80 letters, digits and dashes of ASCII, never used again.
    pub name: Box<str>,
    /// Why it could not be taken, in words.
    pub why: String,
    /// Where it lay, as its office says it.
    pub origin: String,
    /// Who could not take it: a group of workers, or the recipient as its channel calls it.
    pub group: String,
    /// Whether it is kept as it was, and can be brought again.
    pub whole: bool,
    /// What it says, if it can be read.
    pub contents: Option<Contents>,
}

/// What a dead letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Records that were on their way to a store.
    Records(Delivery),
    /// A notification that was on its way to somebody.
    Notification(NotificationId),
}

impl Contents {
    /// The records, if it says some.
    pub const fn records(&self) -> Option<&Delivery> {
        match self {
            Self::Records(delivery) => Some(delivery),
            Self::Notification(_) => None,
        }
    }
}

impl DeadLetter {
    /// The place that a name tells in an office that counts its letters from 1; only the canonical form is a name.
    pub fn place(name: &str) -> Option<u64> {
        let number = name.parse::<u64>().ok().filter(|number| *number > 0)?;
        (number.to_string() == name).then_some(number)
    }
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Letters that were brought again, and are off the list.
    pub sent: u64,
    /// The first letter that cannot be brought again. It and what comes behind it are on the list still.
    pub stopped_at: Option<Box<str>>,
}

/// One place where dead letters lie. Any number of processes may look after them at once.
///
/// Every implementation MUST keep these, and `contract::dead_letter` examines each:
///
/// 1. **Kept.** A letter is on the list until it was replayed or dismissed, whatever becomes of processes.
/// 2. **In one order.** The list is in an order that never changes: what comes later stands behind. A name tells the
///    place of its letter also when that is off the list.
/// 3. **From the front.** Replaying and dismissing go from the front of the list through the named place, so that how
///    far somebody has looked is one place. Nothing behind it is touched.
/// 4. **Replaying again is right.** A letter leaves the list after it was brought again. When `replay` fails, some may
///    have been brought and be on the list still; bringing them once more is harmless to whoever takes them.
/// 5. **Nothing in silence.** A letter that cannot be brought again stops the replay, and only `dismiss` takes it off
///    the list.
#[async_trait]
pub trait DeadLetterOffice: Send + Sync + 'static {
    /// The letters on the list behind the place `after`, from the front when there is none, at most `limit`. `None`
    /// when `after` is no name of this office.
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError>;

    /// The letter with this name; `None` when it is not on the list.
    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError>;

    /// Brings the letters through this place to where they belong again. `None` when `through` is no name of this
    /// office.
    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError>;

    /// Takes the letters through this place off the list, and says how many. `None` when `through` is no name of this
    /// office.
    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError>;
}

/// Every office of a server, each with the word that its letters' ids begin with: letters and full stops, no dash.
#[derive(Clone, Default)]
pub struct DeadLetters(Vec<(&'static str, Arc<dyn DeadLetterOffice>)>);

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(word, _)| word))
            .finish()
    }
}

/// A letter with its id among all offices: the office's word, a dash, the letter's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLetter {
    /// See above.
    pub id: String,
    /// The word of its office.
    pub office: &'static str,
    /// The letter.
    pub letter: DeadLetter,
}

impl DeadLetters {
    /// These offices; their letters are listed in this order.
    pub fn of(offices: Vec<(&'static str, Arc<dyn DeadLetterOffice>)>) -> Self {
        Self(offices)
    }

    /// The office with this word alone.
    pub fn only(&self, word: &str) -> Option<Self> {
        let office = self.0.iter().find(|(one, _)| *one == word)?;
        Some(Self(vec![office.clone()]))
    }

    /// Letters of all offices behind the one with the id `after`, at most `limit`. `None` when that cannot be an id.
    pub async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<ListedLetter>>, StoreError> {
        let (first, mut after) = match after {
            None => (0, None),
            Some(id) => match self.place(id) {
                Some((place, name)) => (place, Some(name)),
                None => return Ok(None),
            },
        };
        let mut listed = Vec::new();
        for (word, office) in &self.0[first..] {
            let Some(letters) = office.list(after.take(), limit - listed.len()).await? else {
                return Ok(None);
            };
            listed.extend(letters.into_iter().map(|letter| Self::listed(word, letter)));
            if listed.len() >= limit {
                break;
            }
        }
        Ok(Some(listed))
    }

    /// The letter with this id; `None` when it is not on a list.
    pub async fn find(&self, id: &str) -> Result<Option<ListedLetter>, StoreError> {
        let Some((place, name)) = self.place(id) else {
            return Ok(None);
        };
        let (word, office) = &self.0[place];
        let found = office.find(name).await?;
        Ok(found.map(|letter| Self::listed(word, letter)))
    }

    /// See [`DeadLetterOffice::replay`]; `stopped_at` is an id.
    pub async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let Some((place, name)) = self.place(through) else {
            return Ok(None);
        };
        let (word, office) = &self.0[place];
        let replayed = office.replay(name).await?;
        Ok(replayed.map(|replayed| Replayed {
            stopped_at: replayed.stopped_at.map(|name| format!("{word}-{name}").into()),
            ..replayed
        }))
    }

    /// See [`DeadLetterOffice::dismiss`].
    pub async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        match self.place(through) {
            Some((place, name)) => self.0[place].1.dismiss(name).await,
            None => Ok(None),
        }
    }

    fn place<'i>(&self, id: &'i str) -> Option<(usize, &'i str)> {
        let (word, name) = id.split_once('-')?;
        let place = self.0.iter().position(|(one, _)| *one == word)?;
        Some((place, name))
    }

    fn listed(word: &&'static str, letter: DeadLetter) -> ListedLetter {
        ListedLetter {
            id: format!("{word}-{}", letter.name),
            office: word,
            letter,
        }
    }
}
