//! Reading a tree while collecting every problem in it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::yaml::{Node, Position, Value};
use crate::problem::{Level, Problem};
use crate::window::{WindowError, parse_window};

/// Longest window there is data for.
pub(super) const MAX_WINDOW: Duration = Duration::from_hours(400 * 24);

/// Every problem told of so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: RefCell<Vec<Problem>>,
    errors: Cell<usize>,
}

/// The file being read, and the problems of all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) file: &'a str,
    pub(super) problems: &'a Problems,
}

/// A map whose field names have been checked.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) report: Report<'a>,
    /// Where the map stands.
    pub(super) at: Position,
    /// What it describes, such as ``SLO `checkout` ``.
    pub(super) what: &'a str,
    entries: &'a [(Node, Node)],
}

/// The fields a map may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) fields: &'static [&'static str],
}

impl Problems {
    /// All of them, in the order in which they were found.
    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list.into_inner()
    }
}

impl<'a> Report<'a> {
    pub(super) fn error(&self, at: Position, message: impl Into<String>) {
        self.push(Level::Error, at, message.into(), None);
    }

    pub(super) fn error_with(
        &self,
        at: Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Level::Error, at, message.into(), Some(help.into()));
    }

    pub(super) fn warn(&self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.push(Level::Warning, at, message.into(), Some(help.into()));
    }

    /// How many errors there are so far: what is read between two equal counts is sound.
    pub(super) fn errors(&self) -> usize {
        self.problems.errors.get()
    }

    /// A field of OpenSLO v1, or a value of one, that exists but is not built.
    pub(super) fn not_built(&self, at: Position, thing: &str, help: impl Into<String>) {
        self.error_with(at, format!("{thing} is not built yet"), help);
    }

    /// The text of a scalar; a number as it was written.
    pub(super) fn text(&self, node: &Node, name: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) | Value::Number(text, _) if !text.trim().is_empty() => {
                Some(text.clone())
            }
            Value::Text(_) => {
                self.error(node.at, format!("`{name}` is empty"));
                None
            }
            other => {
                self.error(
                    node.at,
                    format!("`{name}` must be text, not {}", other.kind()),
                );
                None
            }
        }
    }

    pub(super) fn bool(&self, node: &Node, name: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        let found = node.value.kind();
        self.error(
            node.at,
            format!("`{name}` must be true or false, not {found}"),
        );
        None
    }

    pub(super) fn number(&self, node: &Node, name: &str) -> Option<f64> {
        match node.value {
            Value::Number(_, value) if value.is_finite() => Some(value),
            ref other => {
                self.error(
                    node.at,
                    format!("`{name}` must be a number, not {}", other.kind()),
                );
                None
            }
        }
    }

    pub(super) fn list(&self, node: &'a Node, name: &str) -> &'a [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        let found = node.value.kind();
        self.error(node.at, format!("`{name}` must be a list, not {found}"));
        &[]
    }

    /// A list of at most so many. A longer one is told of, and none of it is read.
    pub(super) fn list_of_at_most(
        &self,
        node: &'a Node,
        name: &str,
        most: usize,
    ) -> Option<&'a [Node]> {
        let items = self.list(node, name);
        let Some(beyond) = items.get(most) else {
            return Some(items);
        };
        let message = format!("`{name}` has more than {most} entries");
        self.error_with(beyond.at, message, "split it");
        None
    }

    /// A window in OpenSLO's duration shorthand.
    pub(super) fn window(&self, node: &Node, name: &str) -> Option<Duration> {
        let text = self.text(node, name)?;
        match parse_window(&text) {
            Ok(window) if window <= MAX_WINDOW => Some(window),
            Ok(_) => {
                let message = format!("`{name}` is `{text}`; at most 400d are kept");
                self.error(node.at, message);
                None
            }
            Err(error) => {
                let help = match error {
                    WindowError::Calendar => "`m` is minutes; write a month as `30d`",
                    WindowError::Malformed | WindowError::OutOfRange => {
                        "write a whole number above 0 and m, h, d or w, such as `5m`, `1h` or `30d`"
                    }
                };
                self.error_with(node.at, format!("`{name}` is `{text}`, {error}"), help);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word(&self, node: &Node, name: &str, words: &[&'static str]) -> Option<String> {
        let text = self.text(node, name)?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let help = match closest(&text, words) {
            Some(word) => format!("did you mean `{word}`? it is one of {}", words.join(", ")),
            None => format!("it is one of {}", words.join(", ")),
        };
        self.error_with(
            node.at,
            format!("`{name}` is `{text}`, which is unknown"),
            help,
        );
        None
    }

    fn push(&self, severity: Level, at: Position, message: String, help: Option<String>) {
        let is_error = severity == Level::Error;
        self.problems
            .errors
            .set(self.problems.errors.get() + usize::from(is_error));
        self.problems.list.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            severity,
            message,
            help,
        });
    }
}

impl<'a> Fields<'a> {
    /// Takes a map, telling of every field that is not known.
    pub(super) fn of(
        report: Report<'a>,
        node: &'a Node,
        what: &'a str,
        known: Known,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let found = node.value.kind();
            report.error(node.at, format!("{what} must be a map, not {found}"));
            return None;
        };
        for (key, _) in entries {
            check_key(report, key, what, known);
        }
        Some(Self {
            report,
            at: node.at,
            what,
            entries,
        })
    }

    /// The value of a field; a field with nothing in it is as good as absent.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name)
            .map(|(_, value)| value)
            .filter(|node| !matches!(node.value, Value::Null))
    }

    /// Whether a field is there, though perhaps with nothing in it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Where a field's name stands, or else the map.
    pub(super) fn place(&self, name: &str) -> Position {
        self.entry(name).map_or(self.at, |(key, _)| key.at)
    }

    /// The value of a field that must be there.
    pub(super) fn require(&self, name: &str, help: &str) -> Option<&'a Node> {
        let node = self.get(name);
        if node.is_none() {
            let message = format!("{} has no `{name}`", self.what);
            self.report.error_with(self.place(name), message, help);
        }
        node
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.report.text(self.get(name)?, name)
    }

    pub(super) fn window(&self, name: &str) -> Option<Duration> {
        self.report.window(self.get(name)?, name)
    }

    fn entry(&self, name: &str) -> Option<&'a (Node, Node)> {
        self.entries
            .iter()
            .find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name))
    }
}

fn check_key(report: Report<'_>, key: &Node, what: &str, known: Known) {
    let Value::Text(name) = &key.value else {
        report.error(key.at, format!("{what} has a field whose name is not text"));
        return;
    };
    if known.fields.contains(&name.as_str()) {
        return;
    }
    let all = known.fields.join(", ");
    let help = match closest(name, known.fields) {
        Some(word) => format!("did you mean `{word}`? known here: {all}"),
        None => format!("known here: {all}"),
    };
    report.error_with(
        key.at,
        format!("{what} has an unknown field `{name}`"),
        help,
    );
}

/// The word most like `text`, if one is like it at all.
pub fn closest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text.to_lowercase();
    let scored = words
        .iter()
        .map(|word| (distance(&text, &word.to_lowercase()), *word));
    let (score, word) = scored.min_by_key(|(score, _)| *score)?;
    (score <= 1 + text.chars().count() / 4).then_some(word)
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(64).enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        let mut before = i + 1;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}
