//! Issues: one call for all users of one coupon in a batch.

use crate::engine::{Engine, Said};
use crate::error::{Doubt, RedisTrouble};
use crate::facts::instant;
use crate::pack;
use crate::reply::{Fields, array, bytes};
use coupon_app::{Answer, IssueRequest, Reply};
use coupon_core::{CouponId, Grant, Held, KeyHash, Outcome, Position, Timestamp, UserId};

impl Engine {
    /// Decides requests, all of `coupon`, in order.
    pub(crate) async fn issue(&self, coupon: CouponId, requests: &[&IssueRequest]) -> Vec<Answer> {
        match self.issue_all(coupon, requests).await {
            Ok(outcomes) => outcomes.into_iter().map(|it| Ok(Reply::Issue(it))).collect(),
            Err(trouble) => {
                let error = trouble.of_a_write();
                requests.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    async fn issue_all(
        &self,
        coupon: CouponId,
        requests: &[&IssueRequest],
    ) -> Result<Vec<Outcome>, RedisTrouble> {
        let keys = [
            self.keys.state(coupon),
            self.keys.users(coupon),
            self.keys.stream(coupon),
        ];
        let count = requests.len().to_string();
        let hashes = pack::keys(requests.iter().map(|request| request.key.as_ref()));
        let mut args: Vec<&[u8]> = Vec::with_capacity(2 + requests.len());
        args.extend([count.as_bytes(), &hashes]);
        args.extend(requests.iter().map(|request| request.user.as_bytes()));
        match self
            .consult(coupon, &self.scripts.issue, &keys, &args, false)
            .await?
        {
            Said::Standing(head, mut fields) => read_outcomes(head.position, &mut fields, requests),
            Said::Missing | Said::Deleted => Ok(vec![Outcome::UnknownCoupon; requests.len()]),
            Said::Retired(closed_at) => self.issue_from_the_store(coupon, requests, closed_at).await,
            Said::Changed | Said::NotYet(_) => Err(RedisTrouble::Nonsense("an issue is no command")),
        }
    }

    /// After the sale the store knows who holds what, and everybody else comes too late.
    async fn issue_from_the_store(
        &self,
        coupon: CouponId,
        requests: &[&IssueRequest],
        closed_at: Timestamp,
    ) -> Result<Vec<Outcome>, RedisTrouble> {
        let users: Vec<UserId> = requests.iter().map(|request| request.user.clone()).collect();
        let held = self.held_on_record(coupon, &users).await?;
        let outcome = |(request, held): (&&IssueRequest, Option<Held>)| match held {
            Some(held) => already(&held, request.key),
            None => Outcome::Closed { closed_at },
        };
        Ok(requests.iter().zip(held).map(outcome).collect())
    }

    /// What users hold of a retired coupon.
    pub(crate) async fn held_on_record(
        &self,
        coupon: CouponId,
        users: &[UserId],
    ) -> Result<Vec<Option<Held>>, RedisTrouble> {
        let record = self.record.as_ref().ok_or(Doubt::NobodyToAsk(coupon))?;
        let held = record.held(coupon, users).await.map_err(RedisTrouble::Store)?;
        if held.len() == users.len() {
            Ok(held)
        } else {
            Err(RedisTrouble::Nonsense(
                "the store answered for others than were asked",
            ))
        }
    }
}

fn already(held: &Held, key: Option<KeyHash>) -> Outcome {
    Outcome::AlreadyIssued {
        grant: held.grant,
        same_key: key.is_some() && key == held.key,
    }
}

/// What `issue.lua` says after the standing. `position` is the last one after the call.
fn read_outcomes(
    position: u32,
    fields: &mut Fields,
    requests: &[&IssueRequest],
) -> Result<Vec<Outcome>, RedisTrouble> {
    let nonsense = RedisTrouble::Nonsense;
    let issued_at = instant(&fields.text()?)?;
    let expires_at = pack::time(&fields.bytes()?).map_err(|it| nonsense(it.0))?;
    let (refusal, since) = (fields.text()?, fields.text()?);
    let won = fields.small()?;
    let codes = fields.bytes()?;
    let mut held = array(fields.value()?)?.into_iter();
    let refused = match refusal.as_str() {
        "" => Outcome::SoldOut,
        "closed" => Outcome::Closed {
            closed_at: instant(&since)?,
        },
        "not-yet-open" => Outcome::NotYetOpen {
            opens_at: instant(&since)?,
        },
        "paused" => Outcome::Paused,
        _ => return Err(nonsense("a refusal that nobody knows")),
    };
    if codes.len() != requests.len() {
        return Err(nonsense("others were answered than were asked"));
    }
    let mut last = position
        .checked_sub(won)
        .ok_or(nonsense("more were issued than exist"))?;
    let mut outcomes = Vec::with_capacity(codes.len());
    for (code, request) in codes.iter().zip(requests) {
        outcomes.push(match code {
            b'i' => {
                last = last.saturating_add(1);
                Outcome::Issued(Grant {
                    position: Position::new(last).ok_or(nonsense("a position is never 0"))?,
                    issued_at,
                    expires_at,
                })
            }
            b'h' => {
                let grant = held.next().ok_or(nonsense("too few grants were sent"))?;
                already(
                    &pack::held(&bytes(grant)?).map_err(|it| nonsense(it.0))?,
                    request.key,
                )
            }
            b'r' => refused,
            _ => return Err(nonsense("an outcome that nobody knows")),
        });
    }
    Ok(outcomes)
}
