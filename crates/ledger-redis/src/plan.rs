//! Which calls a batch becomes: one for each coupon and kind, split only where the order would otherwise be lost.

use coupon_app::{Look, Request};
use coupon_core::CouponId;
use std::collections::HashMap;

/// One step of a batch. Steps are sent in this order; those between two [`Step::Alone`] without waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Issues of one coupon: the requests with these numbers.
    Issues(CouponId, Vec<usize>),
    /// What users hold of one coupon: the requests with these numbers, and which of the coupons that each names.
    Holders(CouponId, Vec<(usize, usize)>),
    /// The request with this number, after everything before it and before everything after it.
    Alone(usize),
}

/// The steps of a batch. No call has more than `most` users.
pub(crate) fn steps(requests: &[Request], most: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // For each coupon the last step about it, since the last that stood alone.
    let mut open: HashMap<CouponId, usize> = HashMap::new();
    for (number, request) in requests.iter().enumerate() {
        match request {
            Request::Issue(issue) => {
                let at = open.get(&issue.coupon).map(|at| &mut steps[*at]);
                if let Some(Step::Issues(_, numbers)) = at
                    && numbers.len() < most
                {
                    numbers.push(number);
                    continue;
                }
                open.insert(issue.coupon, steps.len());
                steps.push(Step::Issues(issue.coupon, vec![number]));
            }
            Request::Look(look) => {
                let Look::Holder { coupons, .. } = look.as_ref() else {
                    open.clear();
                    steps.push(Step::Alone(number));
                    continue;
                };
                for (place, coupon) in coupons.iter().enumerate() {
                    let at = open.get(coupon).map(|at| &mut steps[*at]);
                    if let Some(Step::Holders(_, asks)) = at
                        && asks.len() < most
                    {
                        asks.push((number, place));
                        continue;
                    }
                    open.insert(*coupon, steps.len());
                    steps.push(Step::Holders(*coupon, vec![(number, place)]));
                }
            }
            Request::Command(_) => {
                open.clear();
                steps.push(Step::Alone(number));
            }
        }
    }
    steps
}
