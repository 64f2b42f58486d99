//! The board, brought up to what other servers have done.

use super::Inner;
use super::poster::Reach;
use crate::connection::Line;
use crate::error::Failure;
use crate::limits;
use crate::row;
use crate::script::Script;
use coupon_core::Timestamp;
use std::sync::Arc;

impl Inner {
    /// Posts every coupon as the database has it, on a connection of its own.
    pub(super) async fn refresh(&self) -> Result<(), Failure> {
        let mut line = Line::new(self.rules.connector.clone());
        let mut after = 0;
        loop {
            let mut script = Script::new();
            script
                .statement(
                    "SELECT id, revision, issued, first_issued_at, last_issued_at FROM coupons WHERE id > ",
                )
                .number(after)
                .sql(" ORDER BY id LIMIT ")
                .number(limits::BOARD_PAGE);
            let page = line.ask_one(script).await?.rows;
            let Some(last) = page.last() else { break };
            after = row::small(last, 0)?;
            let changed = page
                .iter()
                .map(|found| Ok((row::coupon_id(found, 0)?, row::revision(found, 1)?)));
            let changed: Vec<_> = changed.collect::<Result<_, Failure>>()?;
            let mut script = Script::new();
            script.statement("SELECT coupon FROM coupons WHERE id IN (0");
            for (coupon, _) in changed
                .iter()
                .filter(|(coupon, revision)| self.poster.known_revision(*coupon) < *revision)
            {
                script.sql(", ").number(coupon.get());
            }
            script.sql(")");
            for found in &line.ask_one(script).await?.rows {
                self.poster
                    .post(&Arc::new(row::coupon(&row::text(found, 0)?)?), None);
            }
            for found in &page {
                let Some(coupon) = self.poster.known(row::coupon_id(found, 0)?) else {
                    continue;
                };
                let ends = row::optional_timestamp(found, 3)?.zip(row::optional_timestamp(found, 4)?);
                let issued = row::small(found, 2)?;
                let reach = ends.map(
                    |(first_issued_at, last_issued_at): (Timestamp, Timestamp)| Reach {
                        issued,
                        first_issued_at,
                        last_issued_at,
                    },
                );
                self.poster.post(&coupon, reach);
            }
        }
        line.close().await;
        Ok(())
    }
}
