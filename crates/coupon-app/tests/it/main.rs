//! The references sit the examination that they are held up for.

mod combiner;
mod ledger;
mod store;
