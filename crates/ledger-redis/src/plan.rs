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

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_app::contract::ledger::{ask, order};
    use coupon_app::contract::{coupon_id, user};
    use coupon_core::Command;

    fn held(n: usize, coupons: &[u32]) -> Request {
        Request::Look(Box::new(Look::Holder {
            user: user(n),
            coupons: coupons.iter().map(|id| coupon_id(*id)).collect(),
        }))
    }

    #[test]
    fn one_call_for_a_coupon_unless_its_order_would_be_lost() {
        let issue = |id, n| ask(coupon_id(id), &user(n), None);
        let alone = || Request::Command(Box::new(order(Some(coupon_id(1)), Command::Pause)));
        let (one, two) = (coupon_id(1), coupon_id(2));
        let many = 100;
        let cases: Vec<(usize, Vec<Request>, Vec<Step>)> = vec![
            (many, vec![], vec![]),
            (
                many,
                vec![issue(1, 0), issue(2, 0), issue(1, 1), issue(2, 1)],
                vec![Step::Issues(one, vec![0, 2]), Step::Issues(two, vec![1, 3])],
            ),
            (
                many,
                vec![
                    issue(1, 0),
                    held(0, &[1, 2]),
                    issue(1, 1),
                    issue(2, 1),
                    held(1, &[2]),
                ],
                vec![
                    Step::Issues(one, vec![0]),
                    Step::Holders(one, vec![(1, 0)]),
                    Step::Holders(two, vec![(1, 1)]),
                    Step::Issues(one, vec![2]),
                    Step::Issues(two, vec![3]),
                    Step::Holders(two, vec![(4, 0)]),
                ],
            ),
            (
                many,
                vec![issue(1, 0), issue(2, 0), alone(), issue(1, 1), issue(2, 1)],
                vec![
                    Step::Issues(one, vec![0]),
                    Step::Issues(two, vec![1]),
                    Step::Alone(2),
                    Step::Issues(one, vec![3]),
                    Step::Issues(two, vec![4]),
                ],
            ),
            (
                2,
                (0..5).map(|n| issue(1, n)).collect(),
                vec![
                    Step::Issues(one, vec![0, 1]),
                    Step::Issues(one, vec![2, 3]),
                    Step::Issues(one, vec![4]),
                ],
            ),
        ];
        for (most, requests, expected) in cases {
            assert_eq!(steps(&requests, most), expected);
        }
    }
}
