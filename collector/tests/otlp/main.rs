//! The collector from outside: requests in, counts out.

mod answers;
mod capped;
mod classed;
mod distributions;
mod encodings;
mod examples;
mod exemplars;
mod exported;
mod exporter;
mod given;
mod hostile;
mod increments;
mod json_writer;
mod merging;
mod points;
mod points_decoded;
mod poisoned;
mod read;
mod sampled;
mod spans;
mod states;
mod stored;
mod sums;
mod told_apart;
