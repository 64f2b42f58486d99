//! The scripts: their texts, and how they are called by their hash.

use redis::Script as Hashed;

/// One script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        let text = parts.join("\n");
        let hash = Hashed::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// A call by hash.
    pub(crate) fn by_hash(&self, keys: &[String], args: &[&[u8]]) -> redis::Cmd {
        call("EVALSHA", &self.hash, keys, args)
    }

    /// A call by text, which also loads the script.
    pub(crate) fn by_text(&self, keys: &[String], args: &[&[u8]]) -> redis::Cmd {
        call("EVAL", &self.text, keys, args)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

fn call(command: &str, script: &str, keys: &[String], args: &[&[u8]]) -> redis::Cmd {
    let mut call = redis::cmd(command);
    call.arg(script).arg(keys.len());
    for key in keys {
        call.arg(key);
    }
    for arg in args {
        call.arg(*arg);
    }
    call
}

/// Every script of the house.
#[derive(Clone, Debug)]
pub(crate) struct Scripts {
    pub(crate) issue: Script,
    pub(crate) apply: Script,
    pub(crate) read: Script,
    pub(crate) holders: Script,
    pub(crate) positions: Script,
    pub(crate) point: Script,
    pub(crate) switch: Script,
    pub(crate) fence: Script,
    pub(crate) retire: Script,
    pub(crate) done: Script,
    pub(crate) set_aside: Script,
    pub(crate) backlog: Script,
    pub(crate) sweep: Script,
    pub(crate) renew: Script,
    pub(crate) release: Script,
    pub(crate) now: Script,
}

const CLOCK: &str = include_str!("scripts/clock.lua");
const GUARD: &str = include_str!("scripts/guard.lua");
const ISSUE: &str = include_str!("scripts/issue.lua");

impl Scripts {
    #[cfg(not(feature = "sim"))]
    pub(crate) fn new() -> Self {
        Self::judged_by(CLOCK, ISSUE)
    }

    fn judged_by(clock: &str, issue: &str) -> Self {
        let about_a_coupon = |body: &str| Script::new(&[clock, GUARD, body]);
        let plain = |body: &str| Script::new(&[body]);
        Self {
            issue: about_a_coupon(issue),
            apply: about_a_coupon(include_str!("scripts/apply.lua")),
            read: about_a_coupon(include_str!("scripts/read.lua")),
            holders: about_a_coupon(include_str!("scripts/holders.lua")),
            positions: about_a_coupon(include_str!("scripts/positions.lua")),
            switch: about_a_coupon(include_str!("scripts/switch.lua")),
            retire: about_a_coupon(include_str!("scripts/retire.lua")),
            backlog: Script::new(&[clock, include_str!("scripts/backlog.lua")]),
            now: Script::new(&[clock, "return clock()"]),
            point: plain(include_str!("scripts/point.lua")),
            done: plain(include_str!("scripts/done.lua")),
            fence: plain(include_str!("scripts/fence.lua")),
            set_aside: plain(include_str!("scripts/set_aside.lua")),
            sweep: plain(include_str!("scripts/sweep.lua")),
            renew: plain(include_str!("scripts/renew.lua")),
            release: plain(include_str!("scripts/release.lua")),
        }
    }

    /// Scripts for tests and measurements.
    #[cfg(feature = "sim")]
    pub(crate) fn simulated(sim: &crate::Sim) -> Self {
        let clock = if sim.clock.is_some() {
            include_str!("scripts/sim_clock.lua")
        } else {
            CLOCK
        };
        let mut issue = ISSUE.to_owned();
        if sim.without_stream {
            let publishes = |line: &&str| !line.ends_with("-- the stream entry");
            issue = ISSUE.lines().filter(publishes).collect::<Vec<_>>().join("\n");
        }
        Self::judged_by(clock, &issue)
    }

    /// Those that a ledger needs at once, to be loaded on every new connection.
    pub(crate) fn of_the_ledger(&self) -> [&Script; 5] {
        [
            &self.issue,
            &self.apply,
            &self.read,
            &self.holders,
            &self.positions,
        ]
    }
}
