//! What the pages show, as plain values: no markup, no formatting, no reading of clocks or stores.
//!
//! Ratios are fractions of one (`0.999`), burn rates are multiples (`14.4`), times are UTC instants.
//! `None` always means *not known* (nothing measured), never zero. Strings that come from telemetry or
//! specs are [`Text`](crate::Text), which makes what is invisible visible; templates escape all strings.

mod common;
mod debug;
mod executive;
mod ingest;
mod objective;
mod oncall;
mod shell;
mod specs;

pub use common::{Counts, Range, Severity, Status, Steps};
pub use debug::{
    DebugView, Endpoint, LatencyColumn, LatencyGrid, ServiceLatency, SlowVerdict, Threshold, Trace,
    TraceWhy,
};
pub use executive::{ExecutiveView, Served, ServiceRow, WentWell};
pub use ingest::{Ingest, Sender, Signal};
pub use objective::{
    Alert, AlertPhase, Allowance, Budget, BurnMarks, Correction, Definition, Failure, Indicator,
    Look, Mark, Objective, Outlook, Period, Rule, RulePhase, Sees, Segment, SloView, SlosView,
    Window,
};
pub use oncall::{Banner, OncallView};
pub use shell::{OpenPage, Page, Shell, Theme};
pub use specs::{SpecChange, SpecDraft, SpecFile, SpecLine, SpecMark, SpecSource, SpecsView};
