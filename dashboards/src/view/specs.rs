//! `/specs`: the files of the catalog, their problems, and a change that somebody pasted.

use jiff::Timestamp;

use super::{Shell, Status};
use crate::Text;

/// What `/specs` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecsView {
    /// The frame.
    pub shell: Shell,
    /// Files in the order of their paths.
    pub files: Vec<SpecFile>,
    /// Files beyond those.
    pub more_files: usize,
    /// The file that is shown; the pasted one where there is one.
    pub source: Option<SpecSource>,
    /// What changed, newest first; nothing if that could not be read.
    pub changes: Option<Vec<SpecChange>>,
    /// What the form holds: path and text, as they were pasted or as they are.
    pub form: (String, String),
    /// What came of a pasted change.
    pub draft: Option<SpecDraft>,
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecFile {
    /// As problems name it.
    pub path: String,
    /// Its objectives in force: id, title and status.
    pub objectives: Vec<(String, Text, Status)>,
    /// Segments of them.
    pub segments: usize,
    /// Problems because of which the file is not in force.
    pub errors: usize,
    /// Other problems.
    pub warnings: usize,
}

/// A file's text with marks.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecSource {
    /// As problems name it.
    pub path: Text,
    /// From the first line.
    pub lines: Vec<SpecLine>,
    /// Lines beyond those.
    pub more: usize,
}

/// One line and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecLine {
    /// The line.
    pub text: Text,
    /// Its problems.
    pub marks: Vec<SpecMark>,
}

/// A problem of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecMark {
    /// Whether the document does not hold.
    pub error: bool,
    /// What is wrong, and what to do.
    pub text: Text,
}

/// A change of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecChange {
    /// When it came into force.
    pub at: Timestamp,
    /// Its id.
    pub objective: String,
    /// What changed, in words.
    pub what: Text,
}

/// What a pasted change would do.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecDraft {
    /// Problems of other files that come with it.
    pub elsewhere: Vec<Text>,
    /// The plan, line by line; or why there is none.
    pub plan: Result<Vec<Text>, Text>,
}
