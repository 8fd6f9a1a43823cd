//! What is wrong with a spec, where, and what to do about it.

use std::fmt;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The document does not hold: what it describes is not in the catalog.
    Error,
    /// The document holds, but probably says something else than its author means.
    Warning,
}

/// One thing wrong in one place of one file.
///
/// `Display` gives one line, `file:line:column: message`; the help is apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file as it was given to [`load`](crate::load()).
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Error or warning.
    pub severity: Level,
    /// What is wrong: lower case, no full stop, names the thing and the value.
    pub message: String,
    /// What to do, if there is something to say.
    pub help: Option<String>,
}

impl Problem {
    /// Whether the document does not hold.
    pub fn is_error(&self) -> bool {
        self.severity == Level::Error
    }

    /// The problem and, on an indented line of its own, the help.
    pub fn with_help(&self) -> String {
        match &self.help {
            Some(help) => format!("{self}\n    help: {help}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            ..
        } = self;
        let kind = match self.severity {
            Level::Error => "",
            Level::Warning => "warning: ",
        };
        write!(f, "{file}:{line}:{column}: {kind}{message}")
    }
}
