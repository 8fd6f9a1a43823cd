//! What surrounds every page.

use jiff::Timestamp;

use crate::Text;

/// The frame around a page: navigation, the time of evaluation, what is paging elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Shell {
    /// Number of the evaluation all figures of the page come from.
    pub evaluation: u64,
    /// When that evaluation was made.
    pub at: Timestamp,
    /// Path and query of this page, canonical, for printing and for the live stream.
    pub url: String,
    /// Whether the page is updated while it is watched (not when its range ends in the past).
    pub live: bool,
    /// Theme forced by the address; otherwise the viewer's.
    pub theme: Option<Theme>,
    /// Firing page rules, worst first.
    pub paging: Vec<OpenPage>,
    /// The service that `Debug` leads to: the one in most trouble. `None` leaves the entry out.
    pub debug_service: Option<String>,
    /// End of the newest slice with events, over all services.
    pub last_event: Option<Timestamp>,
    /// Spans and points received so far, and those of them that were rejected.
    pub received: (u64, u64),
    /// How many services have sent something.
    pub services: usize,
    /// Objectives in the catalog.
    pub objectives: usize,
    /// Problems of the last catalog load, as `file:line:column: problem`; the old catalog stays in use.
    pub catalog_problems: Vec<Text>,
    /// Warnings of the same; the specs are in force all the same.
    pub catalog_warnings: Vec<Text>,
    /// What is wrong with stored data, or with storing it, in sentences.
    pub storage: Vec<Text>,
    /// Version of the program.
    pub version: &'static str,
}

/// A firing page rule, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPage {
    /// Objective id.
    pub objective: String,
    /// Objective title.
    pub title: Text,
    /// Service.
    pub service: Text,
    /// Firing since.
    pub since: Timestamp,
}

/// Light or dark, when the address asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on paper.
    Light,
    /// For a dim room.
    Dark,
}

/// The pages of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/executive`
    Executive,
    /// `/oncall`
    Oncall,
    /// `/debug/{service}`
    Debug,
    /// `/slos`
    Slos,
    /// `/slos/{id}`: marked as `SLOs` in the navigation.
    Slo,
    /// `/specs`
    Specs,
    /// Not found and other errors: nothing is marked.
    Elsewhere,
}
