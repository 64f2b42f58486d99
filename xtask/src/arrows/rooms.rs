//! The rooms of the house and the arrows allowed between them.

/// What one crate, or a family of crates that begin alike, may know.
#[derive(Debug)]
pub(super) struct Room {
    /// The crate's name; with a `*` at the end, every name that begins so.
    name: &'static str,
    knows: Knows,
    /// Crates from outside it is limited to, where it is limited.
    pub(super) outside: Option<&'static [&'static str]>,
    /// It measures our test facilities themselves, so it may use them outside tests.
    pub(super) measures: bool,
}

#[derive(Debug)]
enum Knows {
    Only(&'static [&'static str]),
    /// Everything but these.
    AllBut(&'static [&'static str]),
}

/// Real servers as child processes: any room may use them in its tests, none in its product.
pub(super) const TEST_BENCHES: &[&str] = &["coupon-testkit"];

/// Features that bring faults, reference adapters and examinations; no product may carry them.
pub(super) const TEST_FEATURES: &[(&str, &str)] = &[
    ("coupon-app", "contract"),
    ("ledger-journal", "sim"),
    ("ledger-redis", "sim"),
];

const CORE: &[&str] = &["coupon-core"];
const ADAPTER: &[&str] = &["coupon-app", "coupon-core"];
const DOOR: &[&str] = &["coupon-api", "coupon-app", "coupon-core"];

/// A new crate gets a line here, and only the arrows that its role needs.
const ROOMS: &[Room] = &[
    // The law knows nothing: what it decides depends on its arguments alone.
    room("coupon-core", &[]).outside(&["serde", "thiserror"]),
    room("coupon-app", CORE),
    room("coupon-api", CORE),
    // Workshops meet in the wiring of coupon-server, never each other.
    room("ledger-*", ADAPTER),
    room("store-*", ADAPTER),
    room("events-*", ADAPTER),
    room("notify", ADAPTER),
    // The front doors speak to ports; which adapter stands behind them is none of their business.
    room("coupon-http", DOOR),
    room("coupon-compat", DOOR),
    room("coupon-worker", ADAPTER),
    // A witness shares no deciding code with what it judges; tidy also looks for `decide` in it.
    room("coupon-rehearsal", &["coupon-api", "coupon-core"]),
    room("coupon-testkit", &[]),
    all_but("coupon-server", &["coupon-bench", "coupon-testkit", "xtask"]),
    all_but("coupon-bench", &["xtask"]).measuring(),
    room("xtask", &[]),
];

const fn room(name: &'static str, knows: &'static [&'static str]) -> Room {
    Room {
        name,
        knows: Knows::Only(knows),
        outside: None,
        measures: false,
    }
}

const fn all_but(name: &'static str, not: &'static [&'static str]) -> Room {
    Room {
        name,
        knows: Knows::AllBut(not),
        outside: None,
        measures: false,
    }
}

impl Room {
    const fn outside(self, allowed: &'static [&'static str]) -> Self {
        Self {
            outside: Some(allowed),
            ..self
        }
    }

    const fn measuring(self) -> Self {
        Self {
            measures: true,
            ..self
        }
    }

    /// The room of a crate.
    pub(super) fn of(krate: &str) -> Option<&'static Self> {
        ROOMS.iter().find(|room| match room.name.strip_suffix('*') {
            Some(family) => krate.len() > family.len() && krate.starts_with(family),
            None => krate == room.name,
        })
    }

    pub(super) fn may_know(&self, krate: &str) -> bool {
        match self.knows {
            Knows::Only(allowed) => allowed.contains(&krate),
            Knows::AllBut(not) => !not.contains(&krate),
        }
    }

    /// For people: what it may know.
    pub(super) fn allowed(&self) -> String {
        match self.knows {
            Knows::Only([]) => "no crate of ours".to_owned(),
            Knows::Only(allowed) => format!("only {}", allowed.join(", ")),
            Knows::AllBut(not) => format!("any crate of ours but {}", not.join(", ")),
        }
    }
}
