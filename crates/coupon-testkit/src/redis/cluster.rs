//! A Redis cluster: three masters that share the slots, without replicas.

use crate::error::ServerError;
use crate::limits::{self, CLUSTER_NODES, CLUSTER_SLOTS};
use crate::port::free_port;
use crate::wait::wait_until;

use super::wire::Answer;
use super::{Redis, RedisOptions};

/// A cluster of a test's own. Its nodes end when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the nodes, divides the slots among them, and waits until each finds the cluster in order.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn start(options: &RedisOptions) -> Result<Self, ServerError> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..CLUSTER_NODES {
            let bus = free_port()?;
            let options = options
                .clone()
                .set("cluster-enabled", "yes")
                .set("cluster-port", &bus.to_string())
                .set("cluster-announce-ip", "127.0.0.1")
                .set("cluster-node-timeout", "2000");
            nodes.push(Redis::start(&options)?);
            buses.push(bus);
        }
        let cluster = Self { nodes };
        cluster.divide()?;
        cluster.introduce(&buses)?;
        let agreed = wait_until(limits::START, || cluster.is_in_order());
        match cluster.nodes.first() {
            Some(node) if !agreed => Err(node.server.failed("the nodes do not form a cluster")),
            _ => Ok(cluster),
        }
    }

    fn divide(&self) -> Result<(), ServerError> {
        for (index, node) in self.nodes.iter().enumerate() {
            let (first, last) = slots_of(index);
            // Without it nodes that meet have the same epoch and take a while to sort that out.
            let epoch = (index + 1).to_string();
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
        }
        Ok(())
    }

    fn introduce(&self, buses: &[u16]) -> Result<(), ServerError> {
        let Some((first, others)) = self.nodes.split_first() else {
            return Ok(());
        };
        for (node, bus) in others.iter().zip(&buses[1..]) {
            let (port, bus) = (node.port().to_string(), bus.to_string());
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        Ok(())
    }

    /// Whether every node knows all others and finds every slot served.
    pub fn is_in_order(&self) -> bool {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        self.nodes.iter().all(|node| {
            let info = node.command(&["CLUSTER", "INFO"]).map(|info| info.text());
            info.is_ok_and(|info| {
                let has = |wanted: &str| info.lines().any(|line| line == wanted);
                has("cluster_state:ok") && has(&known)
            })
        })
    }

    /// Waits until [`RedisCluster::is_in_order`]: after a node was killed and restarted, for instance.
    pub fn wait_until_in_order(&self) -> bool {
        wait_until(limits::START, || self.is_in_order())
    }

    /// `redis://127.0.0.1:PORT` of each node.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The nodes, to kill and restart them.
    pub fn nodes_mut(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// The index of the node that serves a key now.
    ///
    /// # Errors
    ///
    /// If a node that runs refuses to say, or none serves it.
    pub fn owner_of(&self, key: &str) -> Result<usize, ServerError> {
        for (index, node) in self.nodes.iter().enumerate() {
            // A node that serves the key answers; the others say who does. A reading command moves nothing.
            match node.command(&["EXISTS", key]) {
                Ok(_) => return Ok(index),
                Err(ServerError::Refused { said, .. }) if said.starts_with("MOVED") => {}
                Err(ServerError::Talk { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ServerError::Failed {
            component: "redis cluster",
            reason: format!("no node serves {key:?}"),
        })
    }

    /// Moves the slot of a key, with all keys in it, to another node. Clients that ask the old owner are told
    /// MOVED from then on.
    ///
    /// # Errors
    ///
    /// If a node refuses or cannot be reached.
    pub fn move_slot_of(&self, key: &str, to: usize) -> Result<(), ServerError> {
        let from = self.owner_of(key)?;
        let target = self.nodes.get(to).ok_or_else(|| ServerError::Failed {
            component: "redis cluster",
            reason: format!("there is no node {to}"),
        })?;
        let source = &self.nodes[from];
        if from == to {
            return Ok(());
        }
        let slot = source.command(&["CLUSTER", "KEYSLOT", key])?.text();
        let (source_id, target_id) = (id_of(source)?, id_of(target)?);
        target.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id])?;
        source.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id])?;
        let port = target.port().to_string();
        loop {
            let keys = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"])?;
            let Answer::List(keys) = keys else { break };
            if keys.is_empty() {
                break;
            }
            let keys: Vec<String> = keys.iter().map(Answer::text).collect();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "60000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            source.command(&words)?;
        }
        for node in [target, source] {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id])?;
        }
        Ok(())
    }
}

fn id_of(node: &Redis) -> Result<String, ServerError> {
    Ok(node.command(&["CLUSTER", "MYID"])?.text())
}

/// The first and the last slot that a node begins with.
fn slots_of(index: usize) -> (u16, u16) {
    let bound = |index: usize| {
        let slot = usize::from(CLUSTER_SLOTS) * index / CLUSTER_NODES;
        u16::try_from(slot).expect("a slot is at most 16,384")
    };
    (bound(index), bound(index + 1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_one_node() {
        let ranges: Vec<(u16, u16)> = (0..CLUSTER_NODES).map(slots_of).collect();
        assert_eq!(ranges, [(0, 5_460), (5_461, 10_921), (10_922, 16_383)]);
    }
}
