//! Reads `sloburn.toml` field by field, so that every problem is reported at once.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Problem;

/// The whole file: its path for messages, its text for line numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// Path as the user gave it.
    pub(super) path: &'a str,
    /// The file's text.
    pub(super) text: &'a str,
}

impl Origin<'_> {
    /// A problem at a byte offset of the file.
    pub(super) fn problem(&self, offset: usize, message: String) -> Problem {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Problem {
            place: format!("{}:{line}:{column}", self.path),
            message,
        }
    }
}

/// One table of the file; fields are taken out of it, and what is left over is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    origin: Origin<'a>,
    /// Dotted name of the table, empty for the root.
    name: String,
    table: DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The root table. Syntax errors become problems; what parsed is kept.
    pub(super) fn parse(origin: Origin<'a>, problems: &mut Vec<Problem>) -> Section<'a> {
        let (root, errors) = DeTable::parse_recoverable(origin.text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            problems.push(origin.problem(offset, error.message().to_owned()));
        }
        Section {
            origin,
            name: String::new(),
            table: root.into_inner(),
        }
    }

    /// A field's dotted name, for messages.
    pub(super) fn path(&self, field: &str) -> String {
        if self.name.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.name)
        }
    }

    fn remove(&mut self, field: &str) -> Option<Spanned<DeValue<'a>>> {
        let key = self
            .table
            .keys()
            .find(|key| key.get_ref().as_ref() == field)?
            .clone();
        self.table.remove(&key)
    }

    /// Takes a field; a value of the wrong type is a problem and counts as absent.
    pub(super) fn take<T: Deserialize<'a>>(
        &mut self,
        field: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let value = self.remove(field)?;
        let offset = value.span().start;
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                let offset = error.span().map_or(offset, |span| span.start);
                let message = format!("`{}`: {}", self.path(field), error.message());
                problems.push(self.origin.problem(offset, message));
                None
            }
        }
    }

    /// Takes a table of this one; absent is empty.
    pub(super) fn section(&mut self, field: &str, problems: &mut Vec<Problem>) -> Section<'a> {
        let name = self.path(field);
        let origin = self.origin;
        let taken = self
            .remove(field)
            .map(|value| (value.span(), value.into_inner()));
        let table = match taken {
            None => DeTable::default(),
            Some((_, DeValue::Table(table))) => table,
            Some((span, other)) => {
                let kind = other.type_str();
                let message = format!("`{name}` is a {kind}; write it as a table: [{name}]");
                problems.push(origin.problem(span.start, message));
                DeTable::default()
            }
        };
        Section {
            origin,
            name,
            table,
        }
    }

    /// Takes an array of tables (`[[field]]`), each with its byte offset.
    pub(super) fn list<T: Deserialize<'a>>(
        &mut self,
        field: &str,
        problems: &mut Vec<Problem>,
    ) -> Vec<(usize, T)> {
        let Some(value) = self.remove(field) else {
            return Vec::new();
        };
        let offset = value.span().start;
        let DeValue::Array(items) = value.into_inner() else {
            let message = format!("`{field}` is not a list; write each as [[{field}]]");
            problems.push(self.origin.problem(offset, message));
            return Vec::new();
        };
        let mut taken = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let offset = item.span().start;
            match T::deserialize(ValueDeserializer::from(item)) {
                Ok(value) => taken.push((offset, value)),
                Err(error) => {
                    let at = error.span().map_or(offset, |span| span.start);
                    let message = format!("`{field}` number {}: {}", index + 1, error.message());
                    problems.push(self.origin.problem(at, message));
                }
            }
        }
        taken
    }

    /// Reports what nobody took.
    pub(super) fn finish(self, problems: &mut Vec<Problem>) {
        for key in self.table.keys() {
            let message = format!(
                "unknown field `{}`; see deploy/sloburn.toml for every field",
                self.path(key.get_ref().as_ref())
            );
            problems.push(self.origin.problem(key.span().start, message));
        }
    }
}
