//! Which servers these are. A server that was started anew, or another one in its place, may have lost something.

use crate::error::RedisTrouble;
use crate::link::Wire;
use crate::reply;
use coupon_app::LedgerIdentity;
use sha2::{Digest, Sha256};

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeIdentity {
    /// The process: new with every start.
    pub run_id: String,
    /// The history of data that it continues: new when a replica was promoted or the data set was loaded anew.
    pub replication_id: String,
}

/// Every server that holds data, in the order of their run ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity(pub Vec<NodeIdentity>);

impl Identity {
    /// The same in as many bytes as the store keeps: of one server its own names, of several a hash of theirs.
    pub fn fingerprint(&self) -> LedgerIdentity {
        let one = |name: fn(&NodeIdentity) -> &str| -> Box<str> {
            if let [node] = self.0.as_slice() {
                return name(node).into();
            }
            let mut all = Sha256::new();
            for node in &self.0 {
                all.update(name(node));
                all.update("\n");
            }
            let digest = all.finalize();
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into()
        };
        LedgerIdentity {
            run: one(|node| &node.run_id),
            replication: one(|node| &node.replication_id),
        }
    }
}

/// What was found when a connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The servers as they are.
    pub found: Identity,
    /// The servers as they are expected; `None` when nobody has said.
    pub expected: Option<Identity>,
}

impl Sighting {
    /// Whether these are the expected ones.
    pub fn is_expected(&self) -> bool {
        self.expected
            .as_ref()
            .is_none_or(|expected| *expected == self.found)
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}run {} of history {}", node.run_id, node.replication_id)?;
        }
        Ok(())
    }
}

/// What `INFO` says of a node.
pub(crate) async fn identify(wire: &Wire) -> Result<Identity, RedisTrouble> {
    let mut nodes = Vec::new();
    let info = redis::cmd("INFO");
    for (_, said) in wire.ask_every_node(info).await? {
        let said = reply::text(said?)?;
        let value = |name: &str| {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
                .ok_or(RedisTrouble::Nonsense("INFO names neither run nor history"))
        };
        nodes.push(NodeIdentity {
            run_id: value("run_id")?,
            replication_id: value("master_replid")?,
        });
    }
    nodes.sort();
    Ok(Identity(nodes))
}
