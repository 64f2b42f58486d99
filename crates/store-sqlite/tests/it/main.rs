//! The store, examined from outside.

mod apply;
mod scene;
