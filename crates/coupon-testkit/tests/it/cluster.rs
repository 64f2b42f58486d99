//! Three nodes that share the slots.

use coupon_testkit::{RedisCluster, RedisEngine, RedisOptions, ServerError, or_skip};

/// Keys of one slot each, found far apart.
const KEYS: [&str; 4] = ["{a}1", "{b}1", "{c}1", "{d}1"];

fn every_key_has_one_owner(engine: RedisEngine) {
    let Some(mut cluster) = or_skip(RedisCluster::start(&RedisOptions::durable().on(engine))) else {
        return;
    };
    assert_eq!(cluster.urls().len(), 3);
    for key in KEYS {
        let owner = cluster.owner_of(key).unwrap();
        for (index, node) in cluster.nodes().iter().enumerate() {
            let answer = node.command(&["SET", key, "value"]);
            if index == owner {
                assert_eq!(answer.unwrap().text(), "OK");
            } else {
                let error = answer.unwrap_err();
                assert!(matches!(error, ServerError::Refused { .. }), "{error}");
                assert!(error.to_string().contains("MOVED"), "{error}");
            }
        }
    }
    let owner = cluster.owner_of(KEYS[0]).unwrap();
    cluster.nodes_mut()[owner].kill9();
    assert!(!cluster.is_in_order());
    cluster.nodes_mut()[owner].restart().unwrap();
    assert!(cluster.wait_until_in_order());
    let kept = cluster.nodes()[owner].command(&["GET", KEYS[0]]).unwrap();
    assert_eq!(kept.text(), "value");
}

#[test]
fn in_a_redis_cluster_every_key_has_one_owner() {
    every_key_has_one_owner(RedisEngine::Redis);
}

#[test]
fn in_a_valkey_cluster_every_key_has_one_owner() {
    every_key_has_one_owner(RedisEngine::Valkey);
}

#[test]
fn a_slot_moves_with_its_keys() {
    let Some(cluster) = or_skip(RedisCluster::start(&RedisOptions::default())) else {
        return;
    };
    let before = cluster.owner_of("{a}1").unwrap();
    cluster.nodes()[before]
        .command(&["SET", "{a}1", "value"])
        .unwrap();
    let after = (before + 1) % 3;
    cluster.move_slot_of("{a}1", after).unwrap();
    assert_eq!(cluster.owner_of("{a}1").unwrap(), after);
    let moved = cluster.nodes()[after].command(&["GET", "{a}1"]).unwrap();
    assert_eq!(moved.text(), "value");
    let error = cluster.nodes()[before].command(&["GET", "{a}1"]).unwrap_err();
    assert!(error.to_string().contains("MOVED"), "{error}");
}
