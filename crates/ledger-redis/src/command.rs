//! An administrator's commands: decided by the core, applied by a script if the coupon is still the same.

use crate::bounds::Bounds;
use crate::engine::{Engine, Said};
use crate::error::RedisTrouble;
use crate::facts::{self, Head, instant, optional_instant};
use crate::limits::{MAX_COMMAND_TRIES, MAX_COUPON_TOKENS, POINTER_LIFE};
use crate::reply::{Fields, optional, text};
use coupon_app::limits::COMMAND_TOKEN_LIFE_US;
use coupon_app::{CommandOutcome, CommandRequest, CommandToken, LedgerError, Origin};
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Effect, Span, Terms, Timestamp, decide_command,
};
use std::sync::Arc;

/// What one try came to.
enum Tried {
    Answered(CommandOutcome),
    /// Another server was faster; everything is to be decided anew.
    Overtaken,
}

/// A command that was decided, on its way to the script.
struct Decided<'c> {
    request: &'c CommandRequest,
    next: Coupon,
    /// The revision that it was decided on; 0 for a new coupon.
    on: u32,
    bounds: Bounds,
}

/// Who asked and under which token, as it stands in the stream.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct By {
    #[serde(flatten)]
    pub(crate) actor: Origin,
    pub(crate) token: Option<([u8; 16], [u8; 16])>,
}

impl Engine {
    /// Carries a command out.
    pub(crate) async fn command(&self, request: &CommandRequest) -> Result<CommandOutcome, LedgerError> {
        for _ in 0..MAX_COMMAND_TRIES {
            match self.try_command(request).await? {
                Tried::Answered(outcome) => return Ok(outcome),
                Tried::Overtaken => {}
            }
        }
        Err(RedisTrouble::Overtaken(MAX_COMMAND_TRIES).of_a_write())
    }

    async fn try_command(&self, request: &CommandRequest) -> Result<Tried, LedgerError> {
        let mut pointed = None;
        let mut begun = None;
        if let Some(token) = request.token {
            pointed = self.pointed(token).await.map_err(RedisTrouble::of_a_reading)?;
            if let Some(coupon) = pointed {
                match self
                    .recall(token, coupon)
                    .await
                    .map_err(RedisTrouble::of_a_reading)?
                {
                    Recalled::Answer(outcome) => return Ok(Tried::Answered(outcome)),
                    Recalled::NoCoupon => begun = Some(coupon),
                    Recalled::Nothing => {}
                }
            }
        }
        let decided = match (&request.command, request.coupon) {
            (Command::Create(terms), None) => self.decide_creation(request, terms, begun).await,
            (_, Some(coupon)) => self.decide(request, coupon).await,
            (_, None) => Ok(Err(refused(CommandRefusal::UnknownCoupon))),
        };
        let decided = match decided.map_err(RedisTrouble::of_a_reading)? {
            Ok(decided) => decided,
            Err(outcome) => return Ok(Tried::Answered(outcome)),
        };
        if let Some(token) = request.token {
            let to = decided.next.id;
            let points = self.point(token, pointed, to).await;
            if !points.map_err(RedisTrouble::of_a_reading)? {
                return Ok(Tried::Overtaken);
            }
        }
        if decided.on == 0 {
            let listed = self.list(decided.next.id).await;
            listed.map_err(RedisTrouble::of_a_reading)?;
        }
        self.apply(decided).await.map_err(RedisTrouble::of_a_write)
    }

    /// Decides a new coupon. Nothing is written: the id may stay unused. `begun` is the id that an earlier try under
    /// the same token has pointed to without getting further: it is used, not a second one.
    async fn decide_creation<'c>(
        &self,
        request: &'c CommandRequest,
        terms: &Terms,
        begun: Option<CouponId>,
    ) -> Result<Result<Decided<'c>, CommandOutcome>, RedisTrouble> {
        let said = self.call(&self.scripts.now, &[self.keys.coupons()], &[]).await?;
        let now = instant(&text(said)?)?;
        let mut next = match Coupon::create(CouponId::FIRST, terms.clone(), now) {
            Ok(coupon) => coupon,
            Err(refusal) => return Ok(Err(refused(refusal))),
        };
        let id = match begun {
            Some(id) => Some(id),
            None => self.ids.next_id().await.map_err(RedisTrouble::Store)?,
        };
        let Some(id) = id else {
            return Ok(Err(refused(CommandRefusal::IdsExhausted)));
        };
        next.id = id;
        Ok(Ok(Decided {
            request,
            bounds: Bounds::of_creation(&next),
            next,
            on: 0,
        }))
    }

    /// Decides a command to a coupon that is there.
    async fn decide<'c>(
        &self,
        request: &'c CommandRequest,
        coupon: CouponId,
    ) -> Result<Result<Decided<'c>, CommandOutcome>, RedisTrouble> {
        // The token is looked for again in the same reading: another server may have used it a moment ago.
        let scope = request.token.map_or_else(Vec::new, |token| token.scope.to_vec());
        let Said::Standing(head, mut fields) = self.read(coupon, &scope, true).await? else {
            return Ok(Err(refused(CommandRefusal::UnknownCoupon)));
        };
        let clock = instant(&fields.text()?)?;
        let retired = fields.text()? == "1";
        if let Some(token) = request.token
            && let Some(outcome) = replay(&fields.bytes()?, token, clock)?
        {
            return Ok(Err(outcome));
        }
        let old = present(&head)?;
        let standing = head.standing();
        let effect = decide_command(Some(&old), standing, &request.command, request.if_match, clock);
        Ok(match effect {
            Err(refusal) => Err(refused(refusal)),
            Ok(Effect::Unchanged) => Err(CommandOutcome::Done {
                decided_at: standing.judged_time(clock).max(old.revised_at),
                coupon: old,
                issued: head.existing(),
                replayed: false,
            }),
            // Its members are gone, so it can never be issued again.
            Ok(Effect::Revised(_)) if retired => Err(refused(CommandRefusal::Closed)),
            Ok(Effect::Revised(next)) => Ok(Decided {
                request,
                bounds: Bounds::of(&request.command, &old, &next),
                next: *next,
                on: old.revision,
            }),
        })
    }

    /// Makes a decision a fact, together with its entry in the stream.
    async fn apply(&self, decided: Decided<'_>) -> Result<Tried, RedisTrouble> {
        let Decided {
            request,
            next,
            on,
            bounds,
        } = decided;
        let coupon = next.id;
        let keys = [
            self.keys.state(coupon),
            self.keys.stream(coupon),
            self.keys.tokens(coupon),
        ];
        let by = By {
            actor: request.actor.clone(),
            token: request.token.map(|token| (token.scope, token.payload)),
        };
        let number = |number: Option<i64>| number.map_or_else(String::new, |it| it.to_string());
        let tail = [
            on.to_string(),
            number(bounds.most_issued.map(i64::from)),
            number(bounds.before.map(Timestamp::as_micros)),
            i32::from(matches!(request.command, Command::Close)).to_string(),
        ];
        let judged = facts::judged(&next);
        let texts = [
            facts::json(&next),
            serde_json::to_vec(&by).expect("two numbers and a text are JSON"),
            by.token.map_or_else(Vec::new, |(scope, _)| scope.to_vec()),
            by.token.map_or_else(Vec::new, |(_, payload)| payload.to_vec()),
            COMMAND_TOKEN_LIFE_US.to_string().into_bytes(),
            MAX_COUPON_TOKENS.to_string().into_bytes(),
        ];
        let mut args: Vec<&[u8]> = tail.iter().map(String::as_bytes).collect();
        args.extend(judged.iter().map(Vec::as_slice));
        args.extend(texts.iter().map(Vec::as_slice));
        let said = if on == 0 {
            self.create(coupon, &keys, &args).await?
        } else {
            self.consult(coupon, &self.scripts.apply, &keys, &args, true)
                .await?
        };
        match said {
            Said::Standing(head, _) => {
                self.tell(coupon).await;
                Ok(Tried::Answered(CommandOutcome::Done {
                    coupon: present(&head)?,
                    issued: head.existing(),
                    decided_at: head.revised,
                    replayed: false,
                }))
            }
            Said::Changed => Ok(Tried::Overtaken),
            Said::Retired(_) => Ok(Tried::Answered(refused(CommandRefusal::Closed))),
            Said::Missing | Said::Deleted => Ok(Tried::Overtaken),
            Said::NotYet(_) => Err(RedisTrouble::Nonsense("a command cannot be not yet done")),
        }
    }

    /// A new coupon begins with epoch 1; nobody knows anything of it.
    async fn create(&self, coupon: CouponId, keys: &[String], args: &[&[u8]]) -> Result<Said, RedisTrouble> {
        let all: Vec<&[u8]> = [b"1".as_slice(), b"0", b"0"]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let closings = self.memory.closings();
        let mut fields = Fields::of(self.call(&self.scripts.apply, keys, &all).await?)?;
        match fields.text()?.as_str() {
            "ok" => {
                let head = Head::read(&mut fields)?;
                if !self.memory.note(coupon, &head, closings) {
                    return Err(RedisTrouble::ClosedMeanwhile);
                }
                Ok(Said::Standing(Box::new(head), fields))
            }
            "changed" => Ok(Said::Changed),
            _ => Err(RedisTrouble::Nonsense("no script says this of a new coupon")),
        }
    }

    /// Puts a coupon on the lists by which servers and workers find it. An id on a list without a coupon is harmless,
    /// a coupon that is on none is not: so this comes first.
    pub(crate) async fn list(&self, coupon: CouponId) -> Result<(), RedisTrouble> {
        for list in [self.keys.coupons(), self.keys.streams()] {
            let mut add = redis::cmd("SADD");
            add.arg(list).arg(coupon.get());
            // Also whoever mends a doubtful Redis comes here.
            self.link.send_in_doubt(&add).await?;
        }
        Ok(())
    }

    /// The coupon that a token points to.
    async fn pointed(&self, token: CommandToken) -> Result<Option<CouponId>, RedisTrouble> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.pointer(token.scope));
        let Some(id) = optional(self.link.send(&get).await?) else {
            return Ok(None);
        };
        let id = CouponId::new(crate::reply::small(id)?);
        id.map(Some)
            .map_err(|_refused| RedisTrouble::Nonsense("a token points nowhere"))
    }

    /// Points a token from where it was seen to point to a coupon; `false` when somebody else has pointed it.
    async fn point(
        &self,
        token: CommandToken,
        from: Option<CouponId>,
        to: CouponId,
    ) -> Result<bool, RedisTrouble> {
        let from = from.map_or_else(String::new, |id| id.to_string());
        let to = to.to_string();
        let life = POINTER_LIFE.as_millis().to_string();
        let args: [&[u8]; 3] = [from.as_bytes(), to.as_bytes(), life.as_bytes()];
        let keys = [self.keys.pointer(token.scope)];
        let said = self.link.call(&self.scripts.point, &keys, &args).await?;
        Ok(text(said)? == to)
    }

    /// What a token left in the coupon that it points to.
    async fn recall(&self, token: CommandToken, coupon: CouponId) -> Result<Recalled, RedisTrouble> {
        let mut fields = match self.read(coupon, &token.scope, false).await? {
            Said::Standing(_, fields) => fields,
            Said::Missing => return Ok(Recalled::NoCoupon),
            Said::Deleted | Said::Retired(_) | Said::Changed | Said::NotYet(_) => {
                return Ok(Recalled::Nothing);
            }
        };
        let clock = instant(&fields.text()?)?;
        let _retired = fields.text()?;
        let outcome = replay(&fields.bytes()?, token, clock)?;
        Ok(outcome.map_or(Recalled::Nothing, Recalled::Answer))
    }
}

/// What a token left behind.
enum Recalled {
    /// The answer to whoever shows it again.
    Answer(CommandOutcome),
    /// It points to a coupon that is not there: its command has not been applied, or not yet.
    NoCoupon,
    /// Nothing, or nothing that still counts.
    Nothing,
}

/// The answer that a live token was given before, from what its command left in the coupon.
fn replay(
    kept: &[u8],
    token: CommandToken,
    clock: Timestamp,
) -> Result<Option<CommandOutcome>, RedisTrouble> {
    if kept.is_empty() {
        return Ok(None);
    }
    let kept = Kept::read(kept).ok_or(RedisTrouble::Nonsense("a token's answer is malformed"))??;
    let life = Span::from_micros(COMMAND_TOKEN_LIFE_US).expect("a day is not negative");
    if clock >= kept.coupon.revised_at.saturating_add(life) {
        return Ok(None);
    }
    Ok(Some(if kept.payload == token.payload {
        CommandOutcome::Done {
            decided_at: kept.coupon.revised_at,
            coupon: Arc::new(kept.coupon),
            issued: kept.issued,
            replayed: true,
        }
    } else {
        CommandOutcome::TokenReused
    }))
}

/// What a token's command left: payload, then revised, closed and issued as text, then the coupon as JSON.
struct Kept {
    payload: [u8; 16],
    issued: u32,
    coupon: Coupon,
}

impl Kept {
    fn read(bytes: &[u8]) -> Option<Result<Self, RedisTrouble>> {
        let (payload, rest) = bytes.split_at_checked(16)?;
        let mut parts = rest.splitn(4, |byte| *byte == b' ');
        let mut word = || std::str::from_utf8(parts.next()?).ok();
        let (revised, closed, issued) = (word()?, word()?, word()?);
        let json = parts.next()?;
        let payload = payload.try_into().ok()?;
        let issued = issued.parse().ok()?;
        let read = || {
            Ok(Self {
                payload,
                issued,
                coupon: facts::coupon(json, instant(revised)?, optional_instant(closed)?)?,
            })
        };
        Some(read())
    }
}

/// What the token's command leaves in a state that is built anew.
pub(crate) fn kept_bytes(payload: [u8; 16], issued: u32, coupon: &Coupon) -> Vec<u8> {
    let closed = coupon
        .closed_at
        .map_or_else(String::new, |it| it.as_micros().to_string());
    let revised = coupon.revised_at.as_micros();
    let mut bytes = payload.to_vec();
    bytes.extend(format!("{revised} {closed} {issued} ").into_bytes());
    bytes.extend(facts::json(coupon));
    bytes
}

fn refused(refusal: CommandRefusal) -> CommandOutcome {
    CommandOutcome::Refused(refusal)
}

fn present(head: &Head) -> Result<Arc<Coupon>, RedisTrouble> {
    head.facts
        .clone()
        .ok_or(RedisTrouble::Nonsense("the coupon was asked for and not sent"))
}
