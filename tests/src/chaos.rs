//! Chaos: the real binary under numbered faults, and an oracle that remembers what was acknowledged.
//!
//! After every fault *acknowledged ⊆ counted ⊆ acknowledged ∪ unknown*, per objective (total and bad) and per
//! service and 10-second slice; every request is counted whole or not at all. After the unknown requests are sent
//! again, counted = sent, to the unit; and the same from the stored slices alone, with every tally forgotten.

pub mod database;
pub mod fault;
pub mod lane;
pub mod load;
pub mod oracle;
pub mod page;
pub mod proxy;
pub mod requests;
pub mod rounds;
pub mod running;
pub mod store;
pub mod wire;
