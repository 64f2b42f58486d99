//! Holds `firstcome.example.toml` against the code.

use super::layers::{default_table, leaves};
use super::{Layers, Settings};
use std::collections::BTreeMap;
use toml::{Table, Value};

const EXAMPLE: &str = include_str!("../../../../firstcome.example.toml");

#[test]
fn the_example_file_gives_every_setting_its_default() {
    let table: Table = EXAMPLE.parse().unwrap();
    let written: BTreeMap<String, Value> = leaves(&table).into_iter().collect();
    let defaults: BTreeMap<String, Value> = leaves(&default_table()).into_iter().collect();
    assert_eq!(written, defaults);
    toml::from_str::<Settings>(EXAMPLE).unwrap();
}

#[test]
fn the_defaults_are_permitted() {
    assert_eq!(Settings::default().findings(), []);
    Layers::default().settle(|_| None).unwrap();
}

#[test]
fn the_example_file_describes_every_setting_above_it() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let is_setting = line.contains(" = ") && !line.starts_with('#');
        assert!(
            !is_setting || lines[index - 1].starts_with("# "),
            "{line} is not described"
        );
    }
}
