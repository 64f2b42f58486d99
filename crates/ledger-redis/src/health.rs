//! Whether the servers are configured for what is promised.

use crate::error::RedisTrouble;
use crate::link::Wire;
use crate::reply;

/// A setting on which durability rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// `appendonly` must be `yes`, or nothing survives the process.
    AppendOnly,
    /// `appendfsync` must be `always`, or an answer may leave before its record is on the disk.
    AppendFsync,
    /// `no-appendfsync-on-rewrite` must be `no`, or a rewrite suspends that.
    NoAppendFsyncOnRewrite,
    /// `maxmemory-policy` must be `noeviction`, or memory pressure deletes who has what.
    MaxMemoryPolicy,
}

impl Setting {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::AppendOnly,
        Self::AppendFsync,
        Self::NoAppendFsyncOnRewrite,
        Self::MaxMemoryPolicy,
    ];

    /// What Redis calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppendOnly => "appendonly",
            Self::AppendFsync => "appendfsync",
            Self::NoAppendFsyncOnRewrite => "no-appendfsync-on-rewrite",
            Self::MaxMemoryPolicy => "maxmemory-policy",
        }
    }

    /// The value that the promise needs.
    pub const fn needed(self) -> &'static str {
        match self {
            Self::AppendOnly => "yes",
            Self::AppendFsync => "always",
            Self::NoAppendFsyncOnRewrite => "no",
            Self::MaxMemoryPolicy => "noeviction",
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::AppendOnly => "nothing would survive a restart",
            Self::AppendFsync => "answers would leave before they are on the disk",
            Self::NoAppendFsyncOnRewrite => {
                "answers would leave before they are on the disk during a rewrite"
            }
            Self::MaxMemoryPolicy => "a full memory would delete who holds what",
        }
    }
}

/// Everything that keeps these servers from keeping the promise, for operators; empty when nothing does.
pub(crate) async fn weaknesses(wire: &Wire, declared: &[Setting]) -> Result<Vec<String>, RedisTrouble> {
    let mut weak = Vec::new();
    for (node, role) in wire.ask_every_node(redis::cmd("ROLE")).await? {
        let role = reply::array(role?)?.into_iter().next();
        let role = role.map(reply::text).transpose()?.unwrap_or_default();
        if role != "master" {
            weak.push(format!("{node} is a {role}, not a master: it cannot decide"));
        }
    }
    for setting in Setting::ALL {
        if declared.contains(&setting) {
            continue;
        }
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(setting.name());
        for (node, said) in wire.ask_every_node(get).await? {
            let value = said
                .ok()
                .and_then(|said| reply::pairs(said).ok())
                .and_then(|pairs| {
                    let (_, value) = pairs.into_iter().next()?;
                    reply::text(value).ok()
                });
            let (name, needed, why) = (setting.name(), setting.needed(), setting.why());
            match value {
                Some(value) if value == needed => {}
                Some(value) => weak.push(format!("{node}: {name} is {value}, not {needed}: {why}")),
                None => weak.push(format!(
                    "{node}: {name} cannot be read, so nobody knows whether it is {needed}; declare it if it is"
                )),
            }
        }
    }
    Ok(weak)
}
