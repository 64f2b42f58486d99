//! Taking a coupon's state anew from the store, after Redis has lost it or may have.

use crate::command::kept_bytes;
use crate::engine::Engine;
use crate::error::RedisTrouble;
use crate::facts;
use crate::ledger::RedisLedger;
use crate::limits::{MAX_BUILD_USERS, POINTER_LIFE};
use crate::pack;
use crate::reply::{Fields, optional};
use coupon_app::{Epoch, IssuedRecord, RevisedRecord};
use coupon_core::{Coupon, CouponId, Grant, Held, Timestamp};
use std::sync::Arc;
use tokio::runtime::Handle;

/// A state that is being built beside the coupon's own. Nobody sees it before [`Reopening::open`]; whoever gives up
/// in between leaves nothing that counts.
pub struct Reopening {
    engine: Arc<Engine>,
    handle: Handle,
    coupon: Coupon,
    epoch: Epoch,
    built: u32,
    first: Option<Grant>,
    last: Option<Grant>,
}

impl std::fmt::Debug for Reopening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reopening")
            .field("coupon", &self.coupon.id)
            .field("epoch", &self.epoch)
            .field("built", &self.built)
            .finish_non_exhaustive()
    }
}

/// Where a coupon stood when a fence was put around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// Its epoch.
    pub epoch: Epoch,
    /// The last position that was issued in it, and the last that ever will be.
    pub last_position: u32,
}

/// The coupon is open again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reopened {
    /// How many positions were lost: they belong to nobody and are never used again.
    pub lost: u32,
}

/// A coupon could not be opened again.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// Redis is in an epoch at or above the new one: somebody else was faster, or the epoch was not raised.
    #[error("Redis is in epoch {found} already")]
    Epoch {
        /// What Redis says.
        found: Epoch,
    },
    /// The stream has gone further than the last position that was given.
    #[error("the stream has gone to position {position}; positions must go on above it")]
    StreamAhead {
        /// How far.
        position: u32,
    },
    /// What was built is not all there: somebody else built or flushed meanwhile.
    #[error("{found} users are there of {built} that were built")]
    Incomplete {
        /// How many are there.
        found: u32,
        /// How many were built.
        built: u32,
    },
    /// Redis.
    #[error(transparent)]
    Redis(#[from] RedisTrouble),
}

impl RedisLedger {
    /// Puts a fence around the state of a coupon: from now on no server decides or tells anything from it, and nothing
    /// more comes into its stream. Whoever takes the state anew does this first, then brings the stream to the store,
    /// then raises the epoch there, then reopens; or what is issued meanwhile would come from an epoch that has passed.
    /// `None` when there is no state.
    pub async fn fence(&self, coupon: CouponId) -> Result<Option<Fenced>, RedisTrouble> {
        self.set_fence(coupon, b"1").await
    }

    /// Takes the fence away, for whoever has found that nothing was lost.
    pub async fn unfence(&self, coupon: CouponId) -> Result<(), RedisTrouble> {
        self.set_fence(coupon, b"0").await.map(|_stood| ())
    }

    async fn set_fence(&self, coupon: CouponId, up: &'static [u8]) -> Result<Option<Fenced>, RedisTrouble> {
        let engine = Arc::clone(&self.engine);
        let fencing = self.handle.spawn(async move {
            let keys = [engine.keys.state(coupon)];
            let call = engine.scripts.fence.by_text(&keys, &[up]);
            engine.link.send_in_doubt(&call).await
        });
        let Some(stood) = optional(fencing.await.map_err(ended)??) else {
            return Ok(None);
        };
        let mut fields = Fields::of(stood)?;
        Ok(Some(Fenced {
            epoch: fields.small()?,
            last_position: fields.small()?,
        }))
    }

    /// Begins to build the state of a coupon anew, as the store has it, for an epoch that the store has raised to.
    ///
    /// Until it is opened the coupon stays as it is: gone, or of an earlier epoch, which servers refuse to use. It can
    /// be done before the servers found are accepted, and should be.
    pub async fn reopen(&self, coupon: Coupon, epoch: Epoch) -> Result<Reopening, RedisTrouble> {
        let reopening = Reopening {
            engine: Arc::clone(&self.engine),
            handle: self.handle.clone(),
            coupon,
            epoch,
            built: 0,
            first: None,
            last: None,
        };
        let mut clear = redis::cmd("UNLINK");
        clear.arg(reopening.engine.keys.built_users(reopening.coupon.id, epoch));
        reopening.send(clear).await?;
        Ok(reopening)
    }
}

impl Reopening {
    /// Brings issued coupons in, in any number of calls, each coupon once.
    pub async fn add(&mut self, records: &[IssuedRecord]) -> Result<(), RedisTrouble> {
        for some in records.chunks(MAX_BUILD_USERS) {
            let mut set = redis::cmd("HSET");
            set.arg(self.engine.keys.built_users(self.coupon.id, self.epoch));
            for record in some {
                let held = Held {
                    grant: record.grant,
                    key: record.key,
                };
                set.arg(record.user.as_bytes()).arg(pack::held_bytes(&held));
                let position = record.grant.position;
                if self.first.is_none_or(|first| position < first.position) {
                    self.first = Some(record.grant);
                }
                if self.last.is_none_or(|last| position > last.position) {
                    self.last = Some(record.grant);
                }
            }
            self.send(set).await?;
            self.built += u32::try_from(some.len()).expect("a chunk is small");
        }
        Ok(())
    }

    /// Brings the answers of commands in that carried a token, so that replays are still known.
    pub async fn add_tokens(&mut self, commands: &[RevisedRecord]) -> Result<(), RedisTrouble> {
        for command in commands {
            let Some(token) = command.token else { continue };
            let mut set = redis::cmd("HSET");
            set.arg(self.engine.keys.tokens(self.coupon.id))
                .arg(&token.scope[..])
                .arg(kept_bytes(token.payload, command.issued, &command.coupon));
            self.send(set).await?;
            let mut point = redis::cmd("SET");
            point
                .arg(self.engine.keys.pointer(token.scope))
                .arg(self.coupon.id.get())
                .arg("PX")
                .arg(POINTER_LIFE.as_millis().to_string());
            self.send(point).await?;
        }
        Ok(())
    }

    /// Makes what was built the coupon's state, at once. The next position is the one after `last_position`, which
    /// must be the highest that store, stream or any server has seen; positions below it that nobody was brought in
    /// for are lost. Opening again after an error that leaves it open whether it happened is right.
    pub async fn open(&self, last_position: u32) -> Result<Reopened, ReopenError> {
        let position = self.last.map_or(0, |last| last.position.get()).max(last_position);
        let engine = Arc::clone(&self.engine);
        let listing = {
            let id = self.coupon.id;
            self.handle.spawn(async move { engine.list(id).await })
        };
        listing.await.map_err(ended)??;
        let said = self.switch(position).await?;
        let mut fields = Fields::of(said)?;
        match fields.text()?.as_str() {
            "ok" => {
                self.engine.memory.adopt(self.coupon.id, self.epoch, position);
                Ok(Reopened {
                    lost: fields.small()?,
                })
            }
            "already" => {
                self.engine.memory.adopt(self.coupon.id, self.epoch, position);
                Ok(Reopened {
                    lost: position.saturating_sub(self.built),
                })
            }
            "epoch" => Err(ReopenError::Epoch {
                found: fields.small()?,
            }),
            "incomplete" => Err(ReopenError::Incomplete {
                found: fields.small()?,
                built: self.built,
            }),
            "stream-ahead" => Err(ReopenError::StreamAhead {
                position: fields.small()?,
            }),
            _ => Err(RedisTrouble::Nonsense("no script says this of a reopening").into()),
        }
    }

    async fn switch(&self, position: u32) -> Result<redis::Value, RedisTrouble> {
        let (coupon, keys) = (&self.coupon, &self.engine.keys);
        let keys = vec![
            keys.state(coupon.id),
            keys.users(coupon.id),
            keys.built_users(coupon.id, self.epoch),
            keys.stream(coupon.id),
        ];
        let time =
            |instant: Option<Timestamp>| instant.map_or_else(String::new, |it| it.as_micros().to_string());
        let issued_at = |grant: Option<Grant>| grant.map_or(Timestamp::MIN, |grant| grant.issued_at);
        let [opens, closes, paused, deleted, quantity, valid_for, valid_until] = facts::judged(coupon);
        let mut args: Vec<Vec<u8>> = vec![b"0".to_vec(), b"0".to_vec(), b"0".to_vec()];
        args.extend([
            self.epoch.to_string().into_bytes(),
            self.built.to_string().into_bytes(),
            position.to_string().into_bytes(),
            time(Some(issued_at(self.first))).into_bytes(),
            time(Some(issued_at(self.last))).into_bytes(),
            facts::json(coupon),
            coupon.revision.to_string().into_bytes(),
            time(Some(coupon.revised_at)).into_bytes(),
            time(coupon.closed_at).into_bytes(),
        ]);
        args.extend([opens, closes, paused, deleted, quantity, valid_for, valid_until]);
        let engine = Arc::clone(&self.engine);
        let switching = self.handle.spawn(async move {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let call = engine.scripts.switch.by_text(&keys, &args);
            engine.link.send_in_doubt(&call).await
        });
        switching.await.map_err(ended)?
    }

    async fn send(&self, command: redis::Cmd) -> Result<(), RedisTrouble> {
        let engine = Arc::clone(&self.engine);
        let sending = self
            .handle
            .spawn(async move { engine.link.send_in_doubt(&command).await });
        sending.await.map_err(ended)?.map(|_said| ())
    }
}

fn ended(_error: tokio::task::JoinError) -> RedisTrouble {
    RedisTrouble::Nonsense("the runtime has ended")
}
