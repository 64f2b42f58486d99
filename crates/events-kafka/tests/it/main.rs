//! The topic, its producer and its consumers, on real brokers.

mod broker;
mod dead_letters;
mod feed;
mod group;
mod health;
mod rig;
