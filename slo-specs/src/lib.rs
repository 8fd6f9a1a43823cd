//! What we promise, and what the promise means: OpenSLO documents → objectives, and the arithmetic
//! of error budgets, burn rates and alerts.
//!
//! Pure: no I/O, no async, no clock. `now` is always an argument.
//!
//! ```
//! use slo_specs::{BurnRate, Ratio, Tally};
//!
//! let target: Ratio = "0.999".parse()?;
//! let tally = Tally::new(10_000, 144);
//! let burn = BurnRate::of(tally, target).expect("there are events");
//! assert_eq!(burn.to_string(), "14.4");
//! assert!(burn <= "14.4".parse()?, "exactly at the threshold is not above it");
//! # Ok::<(), slo_specs::NumberError>(())
//! ```

mod account;
mod alert;
mod budgeting;
mod catalog;
mod convert;
mod correction;
mod decimal;
mod derived;
mod field;
mod indicator;
mod judge;
mod load;
mod noun;
mod problem;
mod rule;
mod scenario;
mod schema;
mod segment;
mod selector;
mod strict;
mod tally;
mod timeline;
mod window;

pub use account::{Account, AccountPart, Combine};
pub use alert::{AlertState, Change, Episode, Transition};
pub use budgeting::{Budgeting, EmptySlice, POINT_UNITS, SliceTarget, Slicing, Verdict};
pub use catalog::{Catalog, DeclaredThreshold, Objective, Service, Source};
pub use convert::draft::{quoted as yaml_text, slug as label};
pub use convert::{Converted, convert};
pub use correction::{
    Correction, CorrectionKind, CorrectionScope, Frequency, Recurrence, RepeatRule, RuleError,
    Until, When, excluded,
};
pub use decimal::{BurnRate, NumberError, Ratio};
pub use derived::Derived;
pub use indicator::{Composite, CompositePart, Fingerprint, Indicator, Op, Part};
pub use judge::{
    Evaluation, Exhaustion, LateBreach, evaluate, evaluate_heard, judge_again, may_breach, outlook,
    read_rule,
};
pub use load::{Loaded, SourceFile, closest, load};
pub use noun::Noun;
pub use problem::{Level, Problem};
pub use rule::{
    Allowance, Bound, Burn, BurnSeen, Condition, Confidence, Ending, Reading, Rule, RuleState,
    Seen, Severity, allowed,
};
pub use scenario::{Scenario, ScenarioError};
pub use schema::schema;
pub use segment::{
    SeenSegments, Segment, SegmentAlerts, SegmentValues, Segmentation, segment_keys,
};
pub use selector::{
    AttributeRef, Matcher, Pattern, ReadAs, Scalar, Selector, Signal, Subject, Test,
};
pub use strict::strict;
pub use tally::{ErrorBudget, Tally};
pub use timeline::{Chunk, ChunkError, Counted, Tier, Timeline, far_edge};
pub use window::{
    Calendar, CalendarUnit, Period, Window, WindowError, civil_time, instant_of, parse_window,
    window_name, window_words, zone_named,
};
