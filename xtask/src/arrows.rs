//! `cargo xtask arrows`: which crate may know which. The rules stand in [`rooms`]; here they are held
//! against what the manifests say.

mod rooms;

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata};

use crate::checkout::Checkout;
use crate::terminal::{Report, counted};

use self::rooms::Room;

/// One dependency that a manifest declares.
#[derive(Clone, Debug)]
struct Arrow {
    from: String,
    to: String,
    /// Only tests, examples and benches see it.
    for_tests: bool,
    features: Vec<String>,
}

/// The manifests, reduced to what the rules look at.
#[derive(Clone, Debug, Default)]
struct Graph {
    ours: BTreeSet<String>,
    arrows: Vec<Arrow>,
}

pub(crate) fn check(checkout: &Checkout) -> anyhow::Result<Report> {
    let graph = Graph::of(&checkout.packages()?);
    Ok(Report {
        looked_at: counted(graph.ours.len(), "crate"),
        errors: graph.errors(),
        warnings: Vec::new(),
    })
}

impl Graph {
    fn of(metadata: &Metadata) -> Self {
        let packages = metadata.workspace_packages();
        let arrows = packages
            .iter()
            .flat_map(|package| {
                package.dependencies.iter().map(|dependency| Arrow {
                    from: package.name.to_string(),
                    to: dependency.name.clone(),
                    for_tests: dependency.kind == DependencyKind::Development,
                    features: dependency.features.clone(),
                })
            })
            .collect();
        Self {
            ours: packages.iter().map(|package| package.name.to_string()).collect(),
            arrows,
        }
    }

    fn errors(&self) -> Vec<String> {
        let mut errors: Vec<String> = self
            .ours
            .iter()
            .filter(|name| Room::of(name).is_none())
            .map(|name| {
                format!(
                    "{name} is in no room: add it to ROOMS in xtask/src/arrows/rooms.rs, with the crates that it \
                     may know, and to the map in docs/ARCHITECTURE.md"
                )
            })
            .collect();
        errors.extend(self.arrows.iter().filter_map(|arrow| self.judge(arrow)));
        errors
    }

    /// Why an arrow is not allowed.
    fn judge(&self, arrow: &Arrow) -> Option<String> {
        let Arrow { from, to, .. } = arrow;
        let room = Room::of(from)?;
        if !self.ours.contains(to) {
            let refused = !arrow.for_tests
                && room
                    .outside
                    .is_some_and(|allowed| !allowed.contains(&to.as_str()));
            return refused.then(|| {
                let allowed = room.outside.unwrap_or_default().join(", ");
                format!("{from} -> {to}: {from} may use no crate from outside but {allowed}")
            });
        }
        if arrow.for_tests && from == to {
            return None;
        }
        let test_bench = arrow.for_tests && rooms::TEST_BENCHES.contains(&to.as_str());
        if !test_bench && !room.may_know(to) {
            return Some(format!("{from} -> {to}: {from} may know {}", room.allowed()));
        }
        let feature = rooms::TEST_FEATURES
            .iter()
            .find(|(krate, feature)| krate == to && arrow.features.iter().any(|named| named == feature));
        match feature {
            Some((_, feature)) if !arrow.for_tests && !room.measures => Some(format!(
                "{from} -> {to}: the feature `{feature}` is for tests; ask for it under [dev-dependencies]"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
