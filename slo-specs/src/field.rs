//! A field of a document: its path, its place, and what may be asked of it.

use std::cell::RefCell;

use crate::Problem;
use crate::load::yaml::{Node, Position, Value};
use crate::problem::Level;

/// Most characters of an RFC 1123 label.
const LABEL: usize = 63;
/// Units of OpenSLO's duration shorthand.
const UNITS: [char; 7] = ['m', 'h', 'd', 'w', 'M', 'Q', 'Y'];

/// A field that may be there.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    file: &'a str,
    problems: &'a RefCell<Vec<Problem>>,
    /// Nothing when it is absent or says nothing.
    node: Option<&'a Node>,
    /// Whether its name stands there at all.
    named: bool,
    at: Position,
    /// Where its name stands.
    name_at: Position,
    path: String,
}

impl<'a> Field<'a> {
    pub(crate) fn root(file: &'a str, problems: &'a RefCell<Vec<Problem>>, node: &'a Node) -> Self {
        Self {
            file,
            problems,
            node: Some(node),
            named: true,
            at: node.at,
            name_at: node.at,
            path: String::new(),
        }
    }

    /// A field of this one. What is absent has absent fields.
    pub(crate) fn field(&self, name: &str) -> Self {
        let entry = self.entries().iter().find(|(key, _)| is(key, name));
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            node: entry
                .map(|(_, value)| value)
                .filter(|node| node.value != Value::Null),
            named: entry.is_some(),
            at: entry.map_or(self.at, |(key, value)| {
                if value.value == Value::Null {
                    key.at
                } else {
                    value.at
                }
            }),
            name_at: entry.map_or(self.at, |(key, _)| key.at),
            path: format!("{}{dot}{name}", self.path),
            ..self.clone()
        }
    }

    pub(crate) fn items(&self) -> Vec<Self> {
        let Some(Value::List(items)) = self.value() else {
            return Vec::new();
        };
        let item = |(index, node): (usize, &'a Node)| Self {
            node: Some(node).filter(|node| node.value != Value::Null),
            named: true,
            at: node.at,
            path: format!("{}[{index}]", self.path),
            ..self.clone()
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The keys of a map, each with the path of the map and its own place.
    pub(crate) fn keys(&self) -> Vec<(String, Self)> {
        let key = |(key, _): &(Node, Node)| {
            let (Value::Text(name) | Value::Number(name, _)) = &key.value else {
                return None;
            };
            let at = key.at;
            let path = format!("{}.{name}", self.path);
            Some((
                name.clone(),
                Self {
                    at,
                    path,
                    ..self.clone()
                },
            ))
        };
        self.entries().iter().filter_map(key).collect()
    }

    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.node.map(|node| &node.value)
    }

    /// Whether it says something.
    pub(crate) fn says(&self) -> bool {
        self.node.is_some()
    }

    /// Whether its name stands there, though perhaps with nothing.
    pub(crate) fn named(&self) -> bool {
        self.named
    }

    /// The text of a scalar, a number's as it was written.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value()? {
            Value::Text(text) | Value::Number(text, _) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar, of true and false too.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self.value()? {
            Value::Text(text) | Value::Number(text, _) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A text that says something.
    pub(crate) fn owned(&self) -> Option<String> {
        self.text()
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned)
    }

    /// Whether it is written as true.
    pub(crate) fn is_true(&self) -> bool {
        self.value() == Some(&Value::Bool(true))
    }

    /// Tells that something is wrong with it.
    pub(crate) fn wrong(&self, what: &str, help: &str) {
        self.push(Level::Error, what, help);
    }

    /// Tells something about it that its author should know.
    pub(crate) fn note(&self, what: &str, help: &str) {
        self.push(Level::Warning, what, help);
    }

    fn push(&self, severity: Level, what: &str, help: &str) {
        let path = if self.path.is_empty() {
            "document"
        } else {
            &self.path
        };
        self.problems.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line: self.at.line,
            column: self.at.column,
            severity,
            message: format!("`{path}` {what}"),
            help: Some(help.to_owned()),
        });
    }

    /// It must not be there.
    pub(crate) fn forbidden(&self, what: &str, help: &str) {
        let at = self.name_at;
        Self { at, ..self.clone() }.wrong(what, help);
    }

    /// Must say something.
    pub(crate) fn required(&self, help: &str) -> bool {
        let empty = matches!(self.value(), Some(Value::Text(text)) if text.is_empty());
        let there = self.says() && !empty;
        if !there {
            self.wrong("is required", help);
        }
        there
    }

    /// Must be text of at most so many characters, if it says anything.
    pub(crate) fn short_text(&self, most: usize) {
        match self.value() {
            None => {}
            Some(Value::Text(text)) if text.chars().count() <= most => {}
            Some(Value::Text(_)) => {
                self.wrong(&format!("is longer than {most} characters"), "shorten it");
            }
            Some(other) => self.wrong(&format!("must be text, not {}", other.kind()), "quote it"),
        }
    }

    pub(crate) fn boolean(&self) {
        if let Some(other) = self
            .value()
            .filter(|value| !matches!(value, Value::Bool(_)))
        {
            self.wrong(
                &format!("must be true or false, not {}", other.kind()),
                "write `true` or `false`",
            );
        }
    }

    /// A number within the range that the predicate and its words tell.
    pub(crate) fn number(&self, range: &str, fits: impl Fn(f64) -> bool) {
        match self.value() {
            None => {}
            Some(Value::Number(_, value)) if fits(*value) => {}
            Some(Value::Number(text, _)) => {
                self.wrong(&format!("is {text}, which is not {range}"), "correct it");
            }
            Some(other) => self.wrong(
                &format!("must be a number, not {}", other.kind()),
                "write a plain number",
            ),
        }
    }

    /// One of the words, if it says anything.
    pub(crate) fn word(&self, words: &[&str]) {
        if self.says() && !self.text().is_some_and(|text| words.contains(&text)) {
            let shown = self.text().unwrap_or("something else");
            let help = format!("it is one of {}", words.join(", "));
            self.wrong(&format!("is `{shown}`, which is none of its words"), &help);
        }
    }

    /// A name as RFC 1123 has labels, if it is named at all.
    pub(crate) fn label(&self) {
        let text = self.text().unwrap_or_default();
        if self.named && !is_label(text) {
            let what = format!("is `{text}`, which is not an RFC 1123 label");
            let help = "use at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends; the \
                        rest belongs into displayName";
            self.wrong(&what, help);
        }
    }

    /// A duration in OpenSLO's shorthand, if it says anything.
    pub(crate) fn duration(&self) {
        if self.says() && !self.text().is_some_and(is_duration) {
            let shown = self.text().unwrap_or_default();
            let help =
                "write a whole number and m (minutes), h, d, w, M (months), Q or Y, such as `30d`";
            self.wrong(&format!("is `{shown}`, which is no duration"), help);
        }
    }

    /// Exactly one of the fields must be there; with `required` not also none.
    pub(crate) fn exclusive(&self, names: &[&str], required: bool) {
        let there: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| self.field(name).says())
            .collect();
        if there.len() > 1 {
            let what = format!("has {}, which exclude each other", listed(&there));
            self.wrong(&what, "keep one of them");
        } else if there.is_empty() && required {
            self.wrong(&format!("has none of {}", listed(names)), "add one of them");
        }
    }

    fn entries(&self) -> &'a [(Node, Node)] {
        match self.value() {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        }
    }
}

fn is(key: &Node, name: &str) -> bool {
    matches!(&key.value, Value::Text(text) if text == name)
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Whether a name is a label of RFC 1123, as a DNS name is made of.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= LABEL
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_duration(text: &str) -> bool {
    let count = text.strip_suffix(UNITS).unwrap_or_default();
    !count.is_empty() && count.chars().all(|c| c.is_ascii_digit())
}
