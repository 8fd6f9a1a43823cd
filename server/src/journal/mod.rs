//! The journal: what makes a request durable before it is acknowledged.

mod gathered;
mod pace;
pub(crate) mod queue;
pub(crate) mod resent;
pub(crate) mod writer;

#[cfg(test)]
mod tests;
