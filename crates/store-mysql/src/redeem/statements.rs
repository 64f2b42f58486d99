//! Statements that are sent together, as many as fit into a round trip.

use crate::connection::Answered;
use crate::error::Failure;
use crate::limits;
use crate::script::Script;
use crate::session::Session;

/// Statements with what each is for.
#[derive(Debug)]
pub(super) struct Statements<P> {
    script: Script,
    purposes: Vec<P>,
    answered: Vec<(P, Answered)>,
}

impl<P> Default for Statements<P> {
    fn default() -> Self {
        Self {
            script: Script::new(),
            purposes: Vec::new(),
            answered: Vec::new(),
        }
    }
}

impl<P> Statements<P> {
    /// Where the next statement, and one only, is to be written.
    pub(super) async fn next(&mut self, session: &mut Session, purpose: P) -> Result<&mut Script, Failure> {
        if self.script.len() > limits::MAX_SCRIPT_BYTES
            || self.script.statements() >= limits::MAX_SCRIPT_STATEMENTS
        {
            self.send(session).await?;
        }
        self.purposes.push(purpose);
        Ok(&mut self.script)
    }

    async fn send(&mut self, session: &mut Session) -> Result<(), Failure> {
        if self.purposes.is_empty() {
            return Ok(());
        }
        let answered = session.ask(std::mem::take(&mut self.script)).await?;
        if answered.len() != self.purposes.len() {
            return Err(Failure::Damaged("statements without results".to_owned()));
        }
        self.answered.extend(self.purposes.drain(..).zip(answered));
        Ok(())
    }

    /// Sends the last of them; what all have brought.
    pub(super) async fn answers(mut self, session: &mut Session) -> Result<Vec<(P, Answered)>, Failure> {
        self.send(session).await?;
        Ok(self.answered)
    }
}
