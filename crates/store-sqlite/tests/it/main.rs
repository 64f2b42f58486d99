//! The store, examined from outside.

mod apply;
mod contract;
mod scene;
