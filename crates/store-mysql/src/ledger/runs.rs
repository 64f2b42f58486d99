//! A batch taken apart, so that its parts can be decided together, and its answers put in order again.

use super::group::Group;
use coupon_app::{Answer, CommandRequest, LedgerError, Look, Reply, Request};
use coupon_core::CouponId;
use std::collections::HashMap;

/// Neighbours in a batch that can be decided together.
pub(super) enum Run {
    Issues(Vec<Group>),
    Command(usize, Box<CommandRequest>),
    Looks(Vec<usize>, Vec<Look>),
}

/// Cuts a batch into runs: a command sees everything before it and nothing after it.
pub(super) fn runs(requests: &mut Vec<Request>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut group_of: HashMap<CouponId, usize> = HashMap::new();
    for (place, request) in requests.drain(..).enumerate() {
        match request {
            Request::Issue(request) => {
                if !matches!(runs.last(), Some(Run::Issues(_))) {
                    runs.push(Run::Issues(Vec::new()));
                    group_of.clear();
                }
                let Some(Run::Issues(groups)) = runs.last_mut() else {
                    continue;
                };
                let index = *group_of.entry(request.coupon).or_insert_with(|| {
                    groups.push(Group::of(request.coupon));
                    groups.len() - 1
                });
                groups[index].places.push(place);
                groups[index].requests.push(request);
            }
            Request::Command(request) => runs.push(Run::Command(place, request)),
            Request::Look(look) => {
                if !matches!(runs.last(), Some(Run::Looks(..))) {
                    runs.push(Run::Looks(Vec::new(), Vec::new()));
                }
                let Some(Run::Looks(places, looks)) = runs.last_mut() else {
                    continue;
                };
                places.push(place);
                looks.push(*look);
            }
        }
    }
    runs
}

/// Lays the answers of one transaction into their places.
pub(super) fn spread(
    places: &[usize],
    answered: Result<Vec<Reply>, LedgerError>,
    answers: &mut [Option<Answer>],
) {
    match answered {
        Ok(replies) => {
            for (place, reply) in places.iter().zip(replies) {
                answers[*place] = Some(Ok(reply));
            }
        }
        Err(error) => {
            for place in places {
                answers[*place] = Some(Err(error.clone()));
            }
        }
    }
}

/// Nobody is answered.
pub(super) fn none(requests: &mut Vec<Request>, error: &LedgerError) -> Vec<Answer> {
    requests.drain(..).map(|_request| Err(error.clone())).collect()
}
