//! Deciding under a lock that may be lost, by a fencing token that the database hands out.

use super::group::{Group, Guard};
use super::{Inner, Trouble, Turn, Turns};
use crate::error::Failure;
use crate::limits;
use crate::row;
use crate::script::Script;
use crate::session::Session;
use coupon_app::Reply;
use coupon_core::CouponId;
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

impl Inner {
    /// One attempt under a turn.
    pub(super) async fn attempt_in_turn(
        &self,
        session: &mut Session,
        group: &Group,
        turns: &dyn Turns,
    ) -> Result<Vec<Reply>, Trouble> {
        let no_turn = |cause| Trouble::Nothing(Failure::NoTurn(cause));
        let turn = turns.take(group.coupon).await.map_err(no_turn)?;
        let ended = self.attempt_under(session, group, turn).await;
        if matches!(&ended, Err(Trouble::Nothing(Failure::Fenced))) {
            self.tokens().remove(&group.coupon);
            turns.lost(group.coupon, turn).await;
        }
        turns.done(group.coupon, turn).await;
        ended
    }

    async fn attempt_under(
        &self,
        session: &mut Session,
        group: &Group,
        turn: Turn,
    ) -> Result<Vec<Reply>, Trouble> {
        let token = self
            .token(session, group.coupon, turn)
            .await
            .map_err(Trouble::Nothing)?;
        let prepared = group.prepare(self, session, Guard::Token(token)).await;
        let overtaken = matches!(&prepared, Err(Failure::Overtaken(_)));
        let ended = self.end(session, prepared).await;
        if overtaken
            && self
                .is_fenced(session, group.coupon, token)
                .await
                .unwrap_or(false)
        {
            return Err(Trouble::Nothing(Failure::Fenced));
        }
        ended
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<CouponId, (Turn, u64)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fencing token of a turn: handed out by the database once for each acquisition.
    async fn token(&self, session: &mut Session, coupon: CouponId, turn: Turn) -> Result<u64, Failure> {
        if let Some((taken, token)) = self.tokens().get(&coupon)
            && *taken == turn
        {
            return Ok(*token);
        }
        let mut script = Script::new();
        script
            .statement("UPDATE coupons SET fence_given = LAST_INSERT_ID(fence_given + 1) WHERE id = ")
            .number(coupon.get());
        let answered = session.ask(script).await?;
        let token = answered
            .first()
            .filter(|one| one.affected == 1)
            .map_or(0, |one| one.last_id);
        let mut tokens = self.tokens();
        if tokens.len() >= limits::MAX_REMEMBERED_COUPONS {
            tokens.clear();
        }
        tokens.insert(coupon, (turn, token));
        Ok(token)
    }

    /// Whether a later token than this has written.
    async fn is_fenced(&self, session: &mut Session, coupon: CouponId, token: u64) -> Result<bool, Failure> {
        let mut script = Script::new();
        script
            .statement("SELECT fence FROM coupons WHERE id = ")
            .number(coupon.get());
        let answered = session.ask(script).await?;
        let fence = answered.first().and_then(|one| one.rows.first());
        Ok(fence.map_or(Ok(0), |found| row::unsigned(found, 0))? > token)
    }
}
