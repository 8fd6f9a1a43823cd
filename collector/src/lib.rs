//! What happened, measured: OTLP in, counts per series and 10-second slice out.
//!
//! Pure: no I/O, no clock (`now` is an argument), no specs. Times are Unix nanoseconds, durations
//! nanoseconds until they reach a histogram, which holds microseconds.
//!
//! * [`decode()`] walks a request's bytes and gives [`Decoded`]: what its spans add ([`Entry`]), its
//!   metric [`Point`]s, and where everything went ([`Classes`], kept by signal in a
//!   [`Ledger`]).
//! * [`Streams`] turns points into entries, in commit order.
//! * [`Delta`] is what a group commit writes, [`Pack`] what the store keeps of a service and slice.
//! * [`Answer`] and [`Status`] are what the sender gets.

mod answer;
mod classes;
mod codec;
mod counted;
mod decode;
mod delta;
mod exemplar;
mod histogram;
mod json;
mod measure;
mod measured;
mod pack;
mod point;
mod request_hash;
mod series;
mod slice;
mod streams;
mod wire;

pub use answer::{Answer, Code, Status};
pub use classes::{Class, Classes, Ledger, Problems};
pub use codec::{CodecError, CountOverflow};
pub use counted::{FingerprintKey, Sorting, SpanRecord, Spans, Summed, Verdict};
pub use decode::{Decoded, Encoding, Kind, RequestError, Sender, decode};
pub use delta::{Delta, Entry};
pub use exemplar::{Exemplar, ExemplarSet, Exemplars, Why};
pub use histogram::{HIGHEST_US, LOWEST_US, PackedHistogram, SIGNIFICANT_DIGITS, SparseHistogram};
pub use measure::{Limits, Measure, Reading, SHARE_UNITS, Subject, Threshold};
pub use measured::{Measured, Within};
pub use pack::Pack;
pub use point::{Point, Points, StreamId};
pub use request_hash::RequestHasher;
pub use series::{
    AttributeValue, Known, OVERFLOW_NAME, SERVICE_NAME, SeriesId, SeriesKey, Signal, SpanKind,
    SpanStatus, UNKNOWN_SERVICE, Value,
};
pub use slice::{SLICE_SECONDS, Slice};
pub use streams::{Absorbed, ByStream, Increments, Origin, StreamStates, Streams, place_after};
